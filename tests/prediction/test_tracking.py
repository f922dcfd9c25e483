"""Numbers of faces over made sequences of boxes, and one smoother for each face."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction.smoothing import RotationSmoother
from rankpose_tf.prediction.tracking import Tracker, VideoPoses


def box(left, top=0, side=10):
    return [left, top, left + side, top + side]


def test_faces_keep_their_numbers_whatever_the_order_of_the_boxes():
    tracker = Tracker()
    assert tracker.update([box(0), box(100)]) == [0, 1]
    assert tracker.update([box(102), box(2)]) == [1, 0]
    assert tracker.update([box(4), box(50), box(104)]) == [0, 2, 1]


def test_two_faces_that_pass_each_other_closely_keep_their_numbers():
    tracker = Tracker()
    frames = [[box(3 * i), box(60 - 3 * i, top=6)] for i in range(21)]
    assert [tracker.update(boxes) for boxes in frames] == [[0, 1]] * 21


def test_the_greatest_overlap_is_joined_first():
    tracker = Tracker(smallest_overlap=0.1)
    assert tracker.update([box(0), box(8)]) == [0, 1]
    # It overlaps both, the second more; what is left over is new.
    assert tracker.update([box(5)]) == [1]
    assert Tracker(smallest_overlap=0.1).update([box(5), box(5)]) == [0, 1]


def test_of_equal_overlaps_the_older_face_and_the_earlier_box_come_first():
    tracker = Tracker(smallest_overlap=0.1)
    assert tracker.update([box(0), box(10)]) == [0, 1]
    assert tracker.update([box(5)]) == [0]
    tracker = Tracker(smallest_overlap=0.1)
    assert tracker.update([box(5)]) == [0]
    assert tracker.update([box(10), box(0)]) == [0, 1]


def test_a_face_survives_as_many_missed_frames_as_asked_for():
    for missed in range(5):
        tracker = Tracker(keep_frames=3)
        tracker.update([box(0), box(100)])
        for _ in range(missed):
            assert tracker.update([box(100)]) == [1]
        assert tracker.update([box(1), box(100)]) == ([0, 1] if missed <= 3 else [2, 1])


def test_frames_without_faces_count_as_missed():
    tracker = Tracker(keep_frames=1)
    assert tracker.update([box(0)]) == [0]
    assert tracker.update([]) == []
    assert tracker.update([box(0)]) == [0]
    assert tracker.update(np.zeros((0, 4))) == []
    assert tracker.update([]) == []
    assert tracker.known == ()


def test_numbers_are_never_used_again():
    tracker = Tracker(keep_frames=0)
    given = [tracker.update([box(100 * i)])[0] for i in range(50)]
    assert given == list(range(50))


def test_one_sequence_always_gives_the_same_numbers():
    generator = np.random.default_rng(8)
    frames = []
    for _ in range(60):
        corner = generator.uniform(0, 60, (generator.integers(0, 6), 2))
        frames.append(np.concatenate([corner, corner + 25], axis=1))
    first, second = (
        [tracker.update(boxes) for boxes in frames] for tracker in (Tracker(), Tracker())
    )
    assert first == second
    assert all(len(set(numbers)) == len(numbers) for numbers in first)


def test_a_wrong_argument_is_named():
    with pytest.raises(RankPoseError, match="boxes: expected .* received \\(1, 3\\)"):
        Tracker().update([[1, 2, 3]])
    with pytest.raises(RankPoseError, match="smallest_overlap: .* received 0"):
        Tracker(smallest_overlap=0)
    with pytest.raises(RankPoseError, match="keep_frames: .* received -1"):
        Tracker(keep_frames=-1)


def test_each_face_of_a_video_has_a_smoother_of_its_own():
    times = np.arange(20) / 30
    poses = np.random.default_rng(9).normal(0, 3, (20, 2, 3))
    video, alone = VideoPoses(), [RotationSmoother(), RotationSmoother()]
    boxes = [box(0), box(50)]
    for time, pair in zip(times, poses, strict=True):
        # The order of the boxes changes with every frame; the faces do not.
        order = [1, 0] if time * 30 % 2 else [0, 1]
        numbers, angles = video.smooth([boxes[i] for i in order], pair[order], time)
        assert numbers == order
        expected = [alone[i].filter(pair[i], time) for i in order]
        np.testing.assert_array_equal(angles, expected)


def test_a_new_face_in_the_place_of_a_forgotten_one_starts_with_its_own_pose():
    video = VideoPoses(tracker=Tracker(keep_frames=1))
    video.smooth([box(0)], [[0.0, 0.0, 0.0]], 0.0)
    for frame in (1, 2):
        assert video.smooth([], [], frame / 30) == ([], [])
    numbers, angles = video.smooth([box(0)], [[40.0, 0.0, 0.0]], 3 / 30)
    assert numbers == [1]
    np.testing.assert_array_equal(angles, [[40.0, 0.0, 0.0]])


def test_a_face_that_was_missed_goes_on_from_where_it_was():
    video, alone = VideoPoses(), RotationSmoother()
    for time, yaw in ((0.0, 0.0), (0.1, 20.0)):
        _, (angles,) = video.smooth([box(0)], [[yaw, 0.0, 0.0]], time)
        np.testing.assert_array_equal(angles, alone.filter([yaw, 0.0, 0.0], time))
        assert video.smooth([], [], time + 0.05) == ([], [])


def test_without_smoothing_faces_are_numbered_and_angles_left():
    video = VideoPoses(smoothing=False)
    for frame, yaw in enumerate((0.0, 50.0)):
        assert video.smooth([box(0)], [[yaw, 0, 0]], frame / 30) == ([0], [[yaw, 0, 0]])


def test_a_moving_face_that_is_unseen_keeps_its_number():
    """8 pixels a frame, unseen for 12 frames: it is 104 pixels from where it was seen last."""
    tracker = Tracker()
    for frame in range(8):
        assert tracker.update([box(8 * frame, side=60)]) == [0]
    for _ in range(12):
        assert tracker.update([]) == []
    for frame in range(20, 24):
        assert tracker.update([box(8 * frame, side=60)]) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_an_unseen_face_keeps_its_number_where_the_detector_is_not_exact(seed):
    noise = np.random.default_rng(seed).normal(0, 1.5, (24, 4))
    tracker = Tracker()
    for frame in range(24):
        seen = frame < 8 or frame >= 20
        boxes = [np.add(box(8 * frame, 3 * frame, side=80), noise[frame])] if seen else []
        assert tracker.update(boxes) == [0] * seen


def test_a_face_that_stopped_while_it_was_unseen_keeps_its_number():
    tracker = Tracker()
    for frame in range(8):
        tracker.update([box(8 * frame, side=60)])
    for _ in range(12):
        tracker.update([])
    assert tracker.update([box(8 * 7, side=60)]) == [0]


@pytest.mark.parametrize("unseen", [(), range(8, 12), range(6, 14)])
def test_two_faces_that_cross_keep_their_numbers(unseen):
    """They meet in frame 10; in some frames the one in front hides the other."""
    tracker = Tracker()
    for frame in range(21):
        right, left = box(8 * frame, side=60), box(160 - 8 * frame, top=4, side=60)
        boxes = [right] if frame in unseen else [right, left]
        assert tracker.update(boxes) == ([0] if frame in unseen else [0, 1])


def test_where_two_faces_meet_speed_decides_and_not_the_order_of_the_boxes():
    tracker = Tracker()
    for frame in range(21):
        boxes = [box(8 * frame + 1, side=60), box(160 - 8 * frame, side=60)]
        order = [1, 0] if frame % 2 else [0, 1]
        # Where they all but cover each other, nothing but the place says which is which.
        numbers = tracker.update([boxes[i] for i in order])
        assert frame == 10 or numbers == order


def test_a_still_face_that_is_unseen_does_not_drift_away():
    noise = np.random.default_rng(4).normal(0, 1.5, (30, 4))
    tracker = Tracker()
    for frame in range(15):
        assert tracker.update([np.add(box(50, 50, side=40), noise[frame])]) == [0]
    for _ in range(15):
        tracker.update([])
    assert tracker.update([box(50, 50, side=40)]) == [0]
