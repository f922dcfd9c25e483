"""Everything that detectors answer."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import answers, detection

POINTS = {
    "left_eye": (40, 50),
    "right_eye": (60, 50),
    "nose": (50, 60),
    "mouth_left": (42, 72),
    "mouth_right": (58, 72),
}
BOX = np.array([30.0, 30.0, 70.0, 85.0])
XYWH = [30, 30, 40, 55]


def test_mtcnns_faces_get_its_rule():
    (face,) = answers.read([{"box": XYWH, "confidence": 0.9, "keypoints": POINTS}])
    points = np.array([POINTS[name] for name in detection.MTCNN_POINTS])
    expected = detection.landmark_box(BOX, points, detection.MTCNN_RULE)
    np.testing.assert_allclose(face.box, expected)
    assert (face.score, face.turn) == (0.9, 0.0)


def test_mtcnns_rolled_faces_have_their_turn():
    rolled = {name: (100 - y, x) for name, (x, y) in POINTS.items()}
    (face,) = answers.read([{"box": [15, 30, 55, 40], "confidence": 0.9, "keypoints": rolled}])
    assert face.turn == pytest.approx(90.0)


def test_a_dict_without_points_is_its_box():
    (face,) = answers.read([{"box": XYWH, "confidence": 0.9}])
    np.testing.assert_array_equal(face.box, BOX)


@pytest.mark.parametrize("wrong", [(5, 5, 5, 9), (9, 5, 5, 9)])
def test_a_box_without_extent_loses_no_other_face(wrong):
    found = answers.read([(*wrong, 0.9), (*BOX, 0.8)])
    assert [face.score for face in found] == [0.8]
    empty = {"box": [5, 5, 0, 4], "confidence": 1.0, "keypoints": POINTS}
    assert len(answers.read([empty, {"box": XYWH, "confidence": 0.9}])) == 1


def test_a_dict_of_another_detector_is_refused():
    with pytest.raises(RankPoseError, match="detector: expected boxes .* as MTCNN gives"):
        answers.read([{"facial_area": XYWH}])
