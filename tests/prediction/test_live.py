"""`rankpose_tf.track`: frames of every kind of source, and that they are those of `predict`."""

import threading

import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import Pose
from rankpose_tf.prediction import drawings, following, video
from rankpose_tf.prediction.live import track
from tests.prediction.test_run import KnownEstimator, rows, run, scene, squares
from tests.prediction.test_run_video import film


def follow(source, **options):
    return track(source, KnownEstimator(), detector=squares, **options)


def frames(count=8):
    return [scene([(5 + index, 10, (100 + 3 * index, 90))]) for index in range(count)]


def test_it_is_a_public_name():
    assert rankpose_tf.track is track


@pytest.mark.parametrize("smoothing", [True, False])
def test_a_video_gives_what_predict_gives(tmp_path, smoothing):
    path = film(tmp_path / "film.mp4")
    run(path, out=tmp_path / "poses.jsonl", smoothing=smoothing)
    expected = [
        (row.frame, row.face, row.box, row.angles)
        for row in rows(tmp_path / "poses.jsonl")
        if row.angles
    ]
    found = []
    for frame in follow(path, smoothing=smoothing):
        assert frame.image.shape == (60, 80, 3)
        assert frame.time == pytest.approx(frame.index / 25, abs=1e-3)
        for number, face in zip(frame.numbers, frame.faces, strict=True):
            assert face.score == 0.9
            found.append((frame.index, number, tuple(face.box), tuple(face.pose.as_array())))
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    angles = [[one[3] for one in results] for results in (found, expected)]
    np.testing.assert_allclose(*angles, atol=1e-3)


def test_frames_may_come_from_anywhere_one_by_one():
    taken = []

    def source():
        for image in frames():
            taken.append(len(taken))
            yield image

    for frame in follow(source(), rate=10.0, smoothing=False):
        # None is taken before it is asked for.
        assert len(taken) == frame.index + 1
        assert frame.time == frame.index / 10
        assert frame.numbers == [0]
        assert frame.faces[0].pose.yaw == pytest.approx(3 * frame.index)
    assert len(taken) == 8
    assert [frame.index for frame in follow(np.stack(frames()))] == list(range(8))


def test_without_a_rate_frames_have_the_time_at_which_they_came(monkeypatch):
    clock = iter([50.0, 50.1, 50.5])
    monkeypatch.setattr(following.time, "monotonic", lambda: next(clock))
    times = [frame.time for frame in follow(frames(3))]
    np.testing.assert_allclose(times, [0.0, 0.1, 0.5])


def test_a_frame_without_a_face_comes_too():
    (frame,) = follow([scene([])])
    assert (frame.faces, frame.numbers) == ([], [])


def test_a_frame_can_be_drawn():
    for frame in follow(frames(2), rate=5):
        face = drawings.DrawnFace(frame.faces[0].box, frame.faces[0].pose.as_array(), 0)
        for draw, kind in ((None, "cube"), ("axes", "axes")):
            expected = drawings.annotate(frame.image, [face], kind)
            np.testing.assert_array_equal(frame.drawn(draw), expected)


def test_what_can_not_be_drawn_is_told():
    (frame,) = follow(frames(1))
    with pytest.raises(RankPoseError, match="^draw: expected cube or axes, received 'lines'"):
        frame.drawn("lines")


def test_a_detectors_name_is_told_before_the_first_frame():
    with pytest.raises(RankPoseError, match="^detector: expected a function .* 'blazeface'"):
        track(frames(1), KnownEstimator(), detector="blazeface")


def test_a_pose_that_is_not_finite_is_not_drawn():
    class Broken(KnownEstimator):
        def predict_crops(self, crops):
            return Pose.from_array(np.full((len(crops), 3), np.nan))

    (frame,) = track(frames(1), Broken(), detector=squares)
    assert frame.numbers == [0] and np.isnan(frame.faces[0].pose.yaw)
    np.testing.assert_array_equal(frame.drawn(), frame.image)


@pytest.mark.parametrize("source", [0, "0", np.int64(0), "rtsp://host/s"])
def test_cameras_and_streams_are_opened_at_once_and_let_go_at_the_end(monkeypatch, source):
    opened, closed = [], []

    class Camera:
        shortfall = None

        def __init__(self, source, max_pixels):
            opened.append(source)

        def __iter__(self):
            try:
                for index, image in enumerate(frames(5)):
                    yield video.Frame(index, index / 20, image)
            finally:
                closed.append(True)

    monkeypatch.setattr(video, "Video", Camera)
    following_it = follow(source)
    assert opened == [source if source == "rtsp://host/s" else 0] and not closed
    assert next(following_it).index == 0
    following_it.close()
    assert closed == [True]
    assert not [one for one in threading.enumerate() if one.name.startswith("read")]


def test_a_video_that_ends_too_early_says_so_after_its_frames(monkeypatch):
    class Half:
        shortfall = "is incomplete: ends at 0.30 of 4.00 seconds"

        def __init__(self, source, max_pixels):
            pass

        def __iter__(self):
            return iter([video.Frame(0, 0.0, frames(1)[0])])

    monkeypatch.setattr(video, "Video", Half)
    following_it = follow("film.mp4")
    assert next(following_it).index == 0
    with pytest.raises(video.VideoError, match="film.mp4: is incomplete: ends at 0.30"):
        next(following_it)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (None, {}, "source: expected .* received NoneType"),
        (True, {}, "source: expected .* received bool"),
        (1.5, {}, "source: expected .* received float"),
        (np.zeros((4, 5, 3), np.uint8), {}, "source: expected .* iterable of frames"),
        ([], {"rate": 0}, "rate: expected .* received 0"),
        ("film.mp4", {"rate": 25}, "rate: is of an iterable"),
        ("absent.mp4", {}, "video: absent.mp4: there is no such file"),
    ],
)
def test_what_is_no_source_is_refused_at_once(source, options, said):
    with pytest.raises(RankPoseError, match=said):
        follow(source, **options)


def test_what_is_no_frame_is_told_with_its_number():
    following_it = follow([frames(1)[0], np.zeros((4, 4))])
    next(following_it)
    with pytest.raises(RankPoseError, match="source: frame 1: expected RGB"):
        next(following_it)
    with pytest.raises(RankPoseError, match="frame 0 has 80 x 60 pixels"):
        next(follow(frames(1), max_pixels=4799))
