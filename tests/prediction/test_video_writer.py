"""Videos that are written: whole or absent, at their times, playable in browsers."""

import subprocess
import sys

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import inputs, video, video_writer

SIZE = (48, 64)


@pytest.fixture(params=["h264", "mpeg4"])
def encoder(request, monkeypatch):
    """Each of the two; H.264 where its package is."""
    if request.param == "h264":
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(video_writer, "has_h264", lambda: False)
    return request.param


def grey(value, size=SIZE):
    return np.full((*size, 3), value, np.uint8)


def write(path, values, rate=25.0, size=SIZE):
    with video_writer.writer(path, rate) as put:
        for value in values:
            put(grey(value, size))
    return path


@pytest.mark.parametrize("rate", [10.0, 25.0, 29.97, 60.0])
@pytest.mark.parametrize("size", [SIZE, (480, 640), (242, 318)])
def test_a_written_video_keeps_its_rate_size_and_number_of_frames(tmp_path, encoder, rate, size):
    found = video.Video(str(write(tmp_path / "film.mp4", range(7), rate, size)))
    assert found.rate == pytest.approx(rate, rel=1e-3)
    assert found.frames == 7
    assert {frame.image.shape for frame in found} == {(*size, 3)}


def test_of_an_odd_size_the_last_row_and_column_are_left_out(tmp_path, encoder):
    found = video.Video(str(write(tmp_path / "film.mp4", range(3), size=(243, 321))))
    assert {frame.image.shape for frame in found} == {(242, 320, 3)}


def test_frames_are_red_green_blue_on_both_ways(tmp_path, encoder):
    with video_writer.writer(tmp_path / "red.mp4", 25) as put:
        for _ in range(3):
            put(grey(0) + np.array([200, 0, 0], np.uint8))
    for frame in video.Video(str(tmp_path / "red.mp4")):
        red, green, blue = frame.image.mean(axis=(0, 1))
        assert red > 150
        assert max(green, blue) < 60


def test_a_video_that_is_interrupted_is_not_there(tmp_path, encoder):
    with pytest.raises(KeyboardInterrupt), video_writer.writer(tmp_path / "film.mp4", 25) as put:
        put(grey(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_of_no_frame_there_is_no_video(tmp_path, encoder):
    with video_writer.writer(tmp_path / "film.mp4", 25):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_is_fitted_whole_into_the_first(tmp_path, encoder):
    with video_writer.writer(tmp_path / "film.mp4", 25) as put:
        put(grey(200))
        put(grey(200, (96, 64)))
        put(grey(200, (20, 30)))
    frames = [frame.image for frame in video.Video(str(tmp_path / "film.mp4"))]
    assert [image.shape for image in frames] == [(*SIZE, 3)] * 3
    # 64 x 96 becomes 32 x 48, in the middle of 64 x 48.
    assert frames[1][:, 20:44].mean() > 180 > 30 > frames[1][:, :12].mean()
    # 30 x 20 becomes 64 x 43.
    assert frames[2][6:42].mean() > 180


_FULL = """
import resource, sys
import numpy as np
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import video_writer
if sys.argv[2] == "mpeg4":
    video_writer.has_h264 = lambda: False
noise = np.random.default_rng(0).integers(0, 255, (30, 120, 160, 3), np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    with video_writer.writer(sys.argv[1] + "/film.mp4", 25) as put:
        for image in noise:
            put(image)
except RankPoseError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("room", [100, 5_000, 50_000, 10_000_000])
def test_where_there_is_no_room_for_it_a_video_is_absent_and_its_reason_said(
    tmp_path, encoder, room
):
    """A limit on the length of files stands in for a full disk."""
    pytest.importorskip("resource", reason="this system has no limits on files")
    line = [sys.executable, "-c", _FULL, str(tmp_path), encoder, str(room)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    if room > 1_000_000:
        assert done.returncode == 0, done.stderr
        assert len(list(video.Video(str(tmp_path / "film.mp4")))) == 30
    else:
        assert done.returncode == 1
        assert "draw_dir: can't write the video" in done.stderr.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []


def test_what_is_written_plays_in_browsers(tmp_path):
    """H.264 of 8 bits, colours at half size, the index before the frames."""
    av = pytest.importorskip("av")
    write(tmp_path / "film.mp4", range(0, 200, 10))
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    means = [frame.mean() for frame in frames]
    np.testing.assert_allclose(means, np.arange(0, 200, 10), atol=6)
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_uneven_times_are_kept(tmp_path):
    pytest.importorskip("av")
    times = [5.0, 5.04, 5.2, 5.21, 6.5]
    with video_writer.writer(tmp_path / "film.mp4", 25) as put:
        for time in times:
            put(grey(100), time)
    found = video.Video(str(tmp_path / "film.mp4"))
    kept = [frame.time for frame in found]
    np.testing.assert_allclose(kept, np.array(times) - 5.0, atol=1e-3)
    assert found.shortfall is None


def test_without_the_package_it_is_said_before_what_is_written(monkeypatch, caplog):
    monkeypatch.setattr(video_writer, "has_h264", lambda: False)
    video_writer.warn_of_mpeg4(inputs.expand(["0"]))
    assert 'pip install "rankpose_tf[video]"' in caplog.text
    caplog.clear()
    video_writer.warn_of_mpeg4([inputs.Source(inputs.PICTURE, "a.png", "a.png")])
    assert not caplog.text


def test_an_opencv_without_an_encoder_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(video_writer, "has_h264", lambda: False)
    monkeypatch.setattr(video_writer.cv2, "VideoWriter_fourcc", lambda *code: 0)
    with pytest.raises(RankPoseError, match="can't write"):
        write(tmp_path / "film.mp4", range(3))
