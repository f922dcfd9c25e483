"""Frames as a player shows them, their times, and videos that end too early."""

import os
import struct
import threading
import time

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import inputs, streams, video, video_writer
from tests.prediction.test_video_writer import SIZE, grey, write


@pytest.fixture
def film(tmp_path):
    return write(tmp_path / "film.mp4", range(0, 200, 10))


def test_frames_come_in_order_with_their_times(film):
    frames = list(video.Video(str(film)))
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 25, atol=1e-3)
    means = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(means, np.arange(0, 200, 10), atol=6)


@pytest.mark.skipif(os.name == "nt", reason="no colon in a name")
def test_a_name_like_a_protocol_is_a_file_s(tmp_path, film, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("12:31.mp4", "2024-05-01T12:30:00.mp4", "file:a.mp4"):
        os.link(film, name)
        assert len(list(video.Video(name))) == 20
        (source,) = inputs.expand([name])
        assert source == (inputs.VIDEO, name, name)


class Capture:
    """Stands in for cv2.VideoCapture: frames at given times, seconds."""

    def __init__(self, times, rate, width=64, count=None, pixel=(1, 1), pause=0.0):
        self.pause = pause
        self.times, self.now, self.released = list(times), None, False
        self.properties = {
            cv2.CAP_PROP_FPS: rate,
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: 48,
            cv2.CAP_PROP_FRAME_COUNT: len(self.times) if count is None else count,
            cv2.CAP_PROP_SAR_NUM: pixel[0],
            cv2.CAP_PROP_SAR_DEN: pixel[1],
        }

    def isOpened(self):  # noqa: N802
        return True

    def read(self):
        time.sleep(self.pause)
        if not self.times:
            return False, None
        self.now = self.times.pop(0)
        return True, np.zeros((48, 64, 3), np.uint8)

    def get(self, of):
        return 1000.0 * self.now if of == cv2.CAP_PROP_POS_MSEC else self.properties.get(of, 0)

    def release(self):
        self.released = True


def opened(monkeypatch, source="film.mp4", **capture):
    stand_in = Capture(**capture)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *arguments: stand_in)
    return video.Video(source), stand_in


def test_uneven_times_are_the_files_own(monkeypatch):
    times = [0.0, 0.04, 0.2, 0.21, 1.5]
    found, capture = opened(monkeypatch, times=times, rate=25.0)
    np.testing.assert_allclose([frame.time for frame in found], times)
    assert capture.released


def test_a_time_that_does_not_rise_is_one_frame_after_the_last(monkeypatch):
    """Some files tell 0 for every frame, and some a time that falls back."""
    found, _ = opened(monkeypatch, times=[0.0] * 4, rate=20.0)
    np.testing.assert_allclose([frame.time for frame in found], np.arange(4) / 20.0)
    found, _ = opened(monkeypatch, times=[1.0, 1.5, 1.2, 2.0], rate=20.0)
    np.testing.assert_allclose([frame.time for frame in found], [1.0, 1.5, 1.55, 2.0])


@pytest.mark.parametrize("rate", [0.0, float("nan"), -1.0, 90000.0])
def test_a_rate_that_cannot_be_is_the_usual_one(monkeypatch, rate):
    assert opened(monkeypatch, times=[0.0], rate=rate)[0].rate == video.USUAL_RATE


def test_a_camera_tells_no_number_of_frames_and_counts_time_by_the_clock(monkeypatch):
    found, _ = opened(monkeypatch, source=0, times=[99.0] * 3, rate=30.0, count=-1, pause=0.2)
    assert found.frames is None
    times = [frame.time for frame in found]
    assert 0.0 == times[0] < times[1] < times[2] < 99.0


def test_a_stream_that_ends_while_nobody_asks_has_not_been_silent(monkeypatch):
    """However long the work on its last frame takes."""
    monkeypatch.setattr(video.streams, "TIME_LIMIT", 0.2)
    found, _ = opened(monkeypatch, source="rtsp://host/s", times=[0.0], rate=30.0, count=-1)
    for _ in found:
        time.sleep(0.3)
    assert found.shortfall is None
    found, _ = opened(monkeypatch, source="rtsp://host/s", times=[], rate=30.0, count=-1, pause=0.2)
    with pytest.raises(video.VideoError, match="no frame came for"):
        list(found)


def test_a_video_of_frames_that_are_too_large_is_not_decoded(film):
    with pytest.raises(video.VideoError) as error:
        video.Video(str(film), max_pixels=48 * 64 - 1)
    assert error.value.reason == f"has frames of 64 x 48, over the {48 * 64 - 1} pixels allowed"
    video.Video(str(film), max_pixels=48 * 64)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no video")
    with pytest.raises(video.VideoError, match="can't be opened as a video"):
        video.Video(str(tmp_path / "film.mp4"))
    with pytest.raises(video.VideoError, match="there is no such file"):
        video.Video(str(tmp_path / "absent.mp4"))


def test_a_video_without_a_frame_is_refused_once_it_is_read(monkeypatch):
    found, _ = opened(monkeypatch, times=[], rate=25.0)
    with pytest.raises(video.VideoError, match="no frame that can be decoded"):
        list(found)


def test_a_headless_opencv_says_how_to_get_a_window(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                    NONE\n")
    with pytest.raises(RankPoseError, match="^preview: .*pip install opencv-python`"):
        video.check_window()
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                    QT5\n")
    video.check_window()


@pytest.mark.parametrize(
    ("times", "rate", "count"),
    [
        ([i / 30 for i in range(10)] + [1 / 3 + i / 5 for i in range(20)], 30.0, 125),
        ([i / 30 for i in range(119)], 30.0, 120),
        # Sound that goes on for a little longer.
        ([i / 25 for i in range(250)], 25.0, 260),
        ([0.0, 0.04], 25.0, None),
    ],
)
def test_a_video_that_lasts_to_its_end_is_whole_whatever_its_rate(monkeypatch, times, rate, count):
    found, _ = opened(monkeypatch, times=times, rate=rate, count=count)
    assert len(list(found)) == len(times)
    assert found.shortfall is None


def test_a_video_that_ends_before_its_time_says_when(monkeypatch):
    found, _ = opened(monkeypatch, times=np.arange(58) / 30, rate=30.0, count=120)
    assert len(list(found)) == 58
    assert found.shortfall == "is incomplete: ends at 1.90 of 4.00 seconds"


def test_half_a_file_is_incomplete_and_the_whole_is_not(tmp_path):
    pytest.importorskip("av")
    whole = tmp_path / "whole.mp4"
    with video_writer.writer(whole, 25) as put:
        for noise in np.random.default_rng(1).integers(0, 255, (100, *SIZE, 3), np.uint8):
            put(noise)
    found = video.Video(str(whole))
    assert len(list(found)) == 100 and found.shortfall is None
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = video.Video(str(half))
    assert 0 < len(list(found)) < 100
    assert found.shortfall.endswith(" of 4.00 seconds")


def with_longer_sound(path, codec):
    """A video of 2 seconds at 25 frames a second with 4 seconds of sound."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=44100)
        for second in range(2):
            for index in range(25):
                frame = av.VideoFrame.from_ndarray(grey(4 * index), format="rgb24")
                container.mux(stream.encode(frame))
            silence = np.zeros((1, 2 * 44100), np.int16)
            noise = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            noise.sample_rate, noise.pts = 44100, second * 2 * 44100
            container.mux(sound.encode(noise))
        container.mux([*stream.encode(None), *sound.encode(None)])
    return str(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.avi", "a.mov"])
def test_a_whole_video_whose_sound_goes_on_is_whole(tmp_path, name):
    found = video.Video(with_longer_sound(tmp_path / name, "mp2"))
    assert len(list(found)) == 50
    assert found.shortfall is None


def test_half_a_matroska_file_is_incomplete(tmp_path):
    path = tmp_path / "a.mkv"
    with_longer_sound(path, "mp2")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    found = video.Video(str(path))
    assert 0 < len(list(found)) < 50
    assert found.shortfall.startswith("is incomplete: ends at ")


def with_matrix(path, a, b, c, d):
    """The file with another matrix in its track's header, version 0."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    struct.pack_into(">5i", content, start, a * one, b * one, 0, c * one, d * one)
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
        # x' = -y, y' = x: a quarter turn clockwise.
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((0, -1, 1, 0), lambda image: np.rot90(image)),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: image.transpose(1, 0, 2)[::-1, ::-1]),
    ],
)
def test_a_frame_is_turned_and_mirrored_as_the_file_says(tmp_path, matrix, expected):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[24:, :32], image[:24, 32:] = 250, 150, 70
    with video_writer.writer(tmp_path / "film.mp4", 25) as put:
        put(image)
    (frame,) = video.Video(with_matrix(tmp_path / "film.mp4", *matrix))
    assert frame.image.shape == expected(image).shape
    assert np.abs(frame.image.astype(int) - expected(image)).mean() < 5


@pytest.mark.parametrize(
    ("pixel", "shape"),
    [((2, 1), (48, 128)), ((1, 2), (96, 64)), ((0, 1), (48, 64)), ((1000, 1), (48, 64))],
)
def test_pixels_that_are_not_square_are_stretched_to_squares(monkeypatch, pixel, shape):
    found, _ = opened(monkeypatch, times=[0.0], rate=25.0, pixel=pixel)
    assert [frame.image.shape[:2] for frame in found] == [shape]


def test_a_file_with_pixels_twice_as_wide_as_high_is_stretched(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(90), format="rgb24")))
        container.mux(stream.encode(None))
    path = tmp_path / "a.mp4"
    assert [frame.image.shape[:2] for frame in video.Video(str(path))] == [(48, 128)]
    # Turned by a quarter, the wide pixels stand upright.
    (frame,) = video.Video(with_matrix(path, 0, 1, -1, 0))
    assert frame.image.shape[:2] == (128, 48)
    (frame,) = video.Video(with_matrix(path, 0, 1, 1, 0))
    assert frame.image.shape[:2] == (128, 48)


def test_the_pixels_allowed_are_those_shown(monkeypatch):
    opened(monkeypatch, times=[0.0], rate=25.0, pixel=(2, 1))
    with pytest.raises(video.VideoError, match="has frames of 128 x 48"):
        video.Video("film.mp4", max_pixels=48 * 128 - 1)
    video.Video("film.mp4", max_pixels=48 * 128)


@pytest.mark.parametrize(
    ("tag", "said"), [(b"AV01", "AV1"), (b"hev1", "H.265"), (b"XVID", "XVID"), (b"\0" * 4, "")]
)
def test_a_codec_without_a_decoder_is_named(monkeypatch, tag, said):
    found, capture = opened(monkeypatch, times=[], rate=25.0)
    capture.properties[cv2.CAP_PROP_FOURCC] = int.from_bytes(tag, "little")
    with pytest.raises(video.VideoError) as error:
        list(found)
    assert (f"of codec {said}; this OpenCV may lack" in error.value.reason) == bool(said)


def test_an_av1_video_is_read_or_its_codec_named(tmp_path):
    av = pytest.importorskip("av")
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this PyAV can't write AV1")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libsvtav1", rate=25, options={"preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(grey(90, (96, 128)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    try:
        assert len(list(video.Video(str(tmp_path / "a.mp4")))) == 3
    except video.VideoError as error:
        assert "of codec AV1;" in error.reason


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(video.VideoError, match="is no file"):
        video.Video(str(tmp_path / "film.mp4"))


def test_a_stream_whose_frames_stop_says_so_after_those_that_came(monkeypatch):
    monkeypatch.setattr(streams, "TIME_LIMIT", 0.3)
    found, capture = opened(monkeypatch, source="rtsp://host/s", times=[0.0], rate=25.0, count=-1)
    read = capture.read
    silent = threading.Event()

    def slow():
        return read() if capture.times else (silent.wait(0.5), None)

    capture.read = slow
    frames = iter(found)
    assert next(frames).index == 0
    with pytest.raises(video.VideoError, match="no frame came for"):
        next(frames)
    assert capture.released


def test_a_file_read_through_the_net_keeps_its_own_times(monkeypatch):
    times = [0.0, 0.5, 0.6]
    found, _ = opened(monkeypatch, source="http://host/f.mp4", times=times, rate=10.0)
    assert [frame.time for frame in found] == times
