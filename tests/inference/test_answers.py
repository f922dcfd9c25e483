"""Everything that detectors answer."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import answers, detection, mtcnn

POINTS = {
    "left_eye": (40, 50),
    "right_eye": (60, 50),
    "nose": (50, 60),
    "mouth_left": (42, 72),
    "mouth_right": (58, 72),
}
BOX = np.array([30.0, 30.0, 70.0, 85.0])
XYWH = [30, 30, 40, 55]
PICTURE = np.zeros((100, 120, 3), np.uint8)


def read(found):
    return answers.read(found, PICTURE)


def test_mtcnns_faces_get_its_rule():
    (face,) = read([{"box": XYWH, "confidence": 0.9, "keypoints": POINTS}])
    points = np.array([POINTS[name] for name in mtcnn.POINTS])
    expected = detection.landmark_box(BOX, points, detection.MTCNN_RULE)
    np.testing.assert_allclose(face.box, expected)
    assert (face.score, face.turn) == (0.9, 0.0)


def test_mtcnns_rolled_faces_have_their_turn():
    rolled = {name: (100 - y, x) for name, (x, y) in POINTS.items()}
    (face,) = read([{"box": [15, 30, 55, 40], "confidence": 0.9, "keypoints": rolled}])
    assert face.turn == pytest.approx(90.0)


def test_a_dict_without_points_is_its_box():
    (face,) = read([{"box": XYWH, "confidence": 0.9}])
    np.testing.assert_array_equal(face.box, BOX)


@pytest.mark.filterwarnings("ignore:detector. boxes that end before")
@pytest.mark.parametrize("wrong", [(5, 5, 5, 9), (9, 5, 5, 9)])
def test_a_box_without_extent_loses_no_other_face(wrong):
    found = read([(*wrong, 0.9), (*BOX, 0.8)])
    assert [face.score for face in found] == [0.8]
    empty = {"box": [5, 5, 0, 4], "confidence": 1.0, "keypoints": POINTS}
    assert len(read([empty, {"box": XYWH, "confidence": 0.9}])) == 1


def test_a_dict_of_another_detector_is_refused():
    with pytest.raises(RankPoseError, match="detector: expected boxes .* as MTCNN gives"):
        read([{"facial_area": XYWH}])


@pytest.mark.parametrize("outside", [(120, 5, 140, 30), (5, 100, 30, 130), (-30, 5, 0, 30)])
def test_a_box_outside_the_picture_loses_no_other_face(outside):
    found = read([(*outside, 0.9), (*BOX, 0.8), (-9, -9, 4, 4, 0.7)])
    assert [face.score for face in found] == [0.8, 0.7]


def test_boxes_in_shares_of_the_picture_are_told_what_to_do():
    shares = [(0.1, 0.1, 0.4, 0.5, 0.9), (0.5, 0.0, 1.0, 0.4, 0.8)]
    with pytest.raises(RankPoseError, match="detector: box: expected pixels.*multiply them"):
        read(shares)
    with pytest.raises(RankPoseError, match="shares of the picture"):
        read([{"box": [0.1, 0.1, 0.3, 0.4], "confidence": 0.9}])


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
def test_boxes_and_scores_may_come_side_by_side(count):
    found = read((np.tile(BOX, (count, 1)), np.linspace(0.9, 0.5, count)))
    assert [face.score for face in found] == list(np.linspace(0.9, 0.5, count))
    for face in found:
        np.testing.assert_array_equal(face.box, BOX)


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize(
    "face",
    [
        (BOX, 0.9),
        (BOX.tolist(), 0.9),
        (*BOX, 0.9),
        detection.Detection(BOX, 0.9),
        {"box": XYWH, "confidence": 0.9},
    ],
)
def test_a_tuple_of_faces_is_read_whatever_their_number(face, count):
    """Two of them are no boxes and scores side by side."""
    found = read((face,) * count)
    assert [face.score for face in found] == [0.9] * count
    for face in found:
        np.testing.assert_array_equal(face.box, BOX)


@pytest.mark.parametrize("none", [([], []), (None, [None]), ((), ()), []])
def test_no_face_may_be_said_in_many_ways(none):
    assert read(none) == []


def test_as_many_scores_as_boxes():
    with pytest.raises(RankPoseError, match="^detector: expected boxes"):
        read(([BOX, BOX], [0.9]))


def test_boxes_of_width_and_height_are_told():
    with pytest.warns(UserWarning, match="end before they begin .* not width and height"):
        assert len(read([(80, 50, 30, 30), (10, 20, 30, 30)])) == 1


def test_what_a_detector_answered_is_told_in_short():
    with pytest.raises(RankPoseError) as error:
        read([{"facial_area": list(range(10_000))}])
    assert len(str(error.value)) < 400
