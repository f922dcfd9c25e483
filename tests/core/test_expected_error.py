"""The expected error beside a pose."""

import numpy as np
import pytest

from rankpose_tf.core import upright
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError
from rankpose_tf.core.pose import Pose

ANGLES = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
ERRORS = np.array([[1.0, 2.0, 3.0], [30.0, 20.0, 40.0]])


def test_a_pose_without_one_has_none():
    assert Pose(1.0, 2.0, 3.0).error is None
    assert Pose.from_array(ANGLES)[0].error is None


def test_a_batch_is_cut_and_walked_with_its_errors():
    poses = Pose.from_array(ANGLES, ERRORS)
    assert [pose.error.yaw for pose in poses] == [1.0, 30.0]
    assert isinstance(poses[1].error.roll, float)
    np.testing.assert_array_equal(poses[::-1].error.as_array(), ERRORS[::-1])
    np.testing.assert_array_equal(poses[[False, True]].error.pitch, [20.0])


def test_angles_are_what_they_are_without_errors():
    poses, plain = Pose.from_array(ANGLES, ERRORS), Pose.from_array(ANGLES)
    np.testing.assert_array_equal(poses.as_array(), ANGLES)
    assert poses == plain and poses.matrix.shape == (2, 3, 3)


def test_mean_and_doubt():
    errors = ExpectedError.from_array(ERRORS)
    np.testing.assert_allclose(errors.mean, [2.0, 30.0])
    assert errors.doubted.tolist() == [False, True]
    assert errors[1].doubted is True and errors[0].mean == 2.0


def test_it_is_shown():
    assert repr(Pose(1, 2, 3, (1, 2, 3))).endswith("roll=3.00, error=(1.0, 2.0, 3.0))")
    assert repr(Pose(1, 2, 3)).endswith("roll=3.00)")


@pytest.mark.parametrize("error", [(1.0, 2.0), np.ones((3, 3)), np.ones((1, 1, 3))])
def test_another_shape_is_refused(error):
    with pytest.raises(RankPoseError, match="error: expected shape"):
        Pose.from_array(ANGLES, error)


def test_a_turned_face_has_its_errors_about_the_pictures_axes():
    error = np.array([[3.0, 4.0, 5.0]] * 4)
    turned = upright.turned_errors(error, [0.0, 90.0, 180.0, 45.0])
    np.testing.assert_allclose(turned[:3], [[3, 4, 5], [4, 3, 5], [3, 4, 5]], atol=1e-12)
    np.testing.assert_allclose(turned[3], [np.sqrt(12.5), np.sqrt(12.5), 5.0])
