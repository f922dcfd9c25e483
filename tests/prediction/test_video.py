"""Frames, their times, and videos that are written."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import video

SIZE = (48, 64)


def grey(value, size=SIZE):
    return np.full((*size, 3), value, np.uint8)


def write(path, values, rate=25.0, size=SIZE):
    with video.writer(path, rate) as put:
        for value in values:
            put(grey(value, size))
    return path


@pytest.fixture
def film(tmp_path):
    return write(tmp_path / "film.mp4", range(0, 200, 10))


@pytest.mark.parametrize("rate", [10.0, 25.0, 29.97, 60.0])
@pytest.mark.parametrize("size", [SIZE, (480, 640), (242, 318)])
def test_a_written_video_keeps_its_rate_size_and_number_of_frames(tmp_path, rate, size):
    found = video.Video(str(write(tmp_path / "film.mp4", range(7), rate, size)))
    assert found.rate == pytest.approx(rate, rel=1e-3)
    assert found.frames == 7
    assert {frame.image.shape for frame in found} == {(*size, 3)}


def test_of_an_odd_size_the_last_row_and_column_are_left_out(tmp_path):
    found = video.Video(str(write(tmp_path / "film.mp4", range(3), size=(243, 321))))
    assert {frame.image.shape for frame in found} == {(242, 320, 3)}


def test_frames_come_in_order_with_their_times(film):
    frames = list(video.Video(str(film)))
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 25, atol=1e-3)
    means = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(means, np.arange(0, 200, 10), atol=6)


def test_frames_are_red_green_blue_on_both_ways(tmp_path):
    with video.writer(tmp_path / "red.mp4", 25) as put:
        for _ in range(3):
            put(grey(0) + np.array([200, 0, 0], np.uint8))
    for frame in video.Video(str(tmp_path / "red.mp4")):
        red, green, blue = frame.image.mean(axis=(0, 1))
        assert red > 150
        assert max(green, blue) < 60


class Capture:
    """Stands in for cv2.VideoCapture: frames at given times, seconds."""

    def __init__(self, times, rate, width=64, count=None):
        self.times, self.now, self.released = list(times), None, False
        self.properties = {
            cv2.CAP_PROP_FPS: rate,
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: 48,
            cv2.CAP_PROP_FRAME_COUNT: len(self.times) if count is None else count,
        }

    def isOpened(self):  # noqa: N802
        return True

    def read(self):
        if not self.times:
            return False, None
        self.now = self.times.pop(0)
        return True, np.zeros((48, 64, 3), np.uint8)

    def get(self, of):
        return 1000.0 * self.now if of == cv2.CAP_PROP_POS_MSEC else self.properties[of]

    def release(self):
        self.released = True


def opened(monkeypatch, source="film.mp4", **capture):
    stand_in = Capture(**capture)
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: stand_in)
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
    found, _ = opened(monkeypatch, source=0, times=[99.0] * 3, rate=30.0, count=-1)
    assert found.frames is None
    times = [frame.time for frame in found]
    assert 0.0 <= times[0] < times[1] < times[2] < 99.0


def test_a_video_of_frames_that_are_too_large_is_not_decoded(film):
    with pytest.raises(video.VideoError) as error:
        video.Video(str(film), max_pixels=48 * 64 - 1)
    assert error.value.reason == f"has frames of 64 x 48, over the {48 * 64 - 1} pixels allowed"
    video.Video(str(film), max_pixels=48 * 64)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no video")
    for path in (tmp_path / "film.mp4", tmp_path / "absent.mp4"):
        with pytest.raises(video.VideoError, match="can't be opened as a video"):
            video.Video(str(path))


def test_a_video_without_a_frame_is_refused_once_it_is_read(monkeypatch):
    found, _ = opened(monkeypatch, times=[], rate=25.0)
    with pytest.raises(video.VideoError, match="no frame that can be decoded"):
        list(found)


def test_a_video_that_is_interrupted_is_not_there(tmp_path):
    with pytest.raises(KeyboardInterrupt), video.writer(tmp_path / "film.mp4", 25) as put:
        put(grey(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_headless_opencv_says_how_to_get_a_window(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                    NONE\n")
    with pytest.raises(RankPoseError, match="^preview: .*pip install opencv-python`"):
        video.check_window()
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                    QT5\n")
    video.check_window()
