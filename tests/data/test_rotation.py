"""In-plane rotation: the label that a turned view has."""

import numpy as np
import pytest

from rankpose_tf.core import pose as poses
from rankpose_tf.data import rotation


def turn_about_z(angle):
    return poses.rotation_from_angles([0.0, 0.0, angle])


def test_a_frontal_head_only_rolls():
    turned = rotation.turn_pose([0.0, 0.0, 0.2], 0.3)
    np.testing.assert_allclose(turned, [0.0, 0.0, 0.2 + 0.3], atol=1e-12)


def test_a_profile_that_is_turned_looks_up_or_down():
    # Yaw -90 is towards the picture's right; clockwise from there is down.
    yaw, pitch, _ = rotation.turn_pose([np.radians(-60), 0.0, 0.0], np.radians(30))
    nose = turn_about_z(np.radians(30)) @ [np.sin(np.radians(60)), 0.0, np.cos(np.radians(60))]
    assert nose[1] < 0
    np.testing.assert_allclose(np.sin(yaw), -nose[0], atol=1e-12)
    np.testing.assert_allclose(np.tan(pitch), nose[1] / nose[2], atol=1e-12)


def test_the_label_is_that_of_the_rotation_turned_about_the_cameras_axis():
    generator = np.random.default_rng(0)
    angles, turns = generator.uniform(-1.5, 1.5, (200, 3)), generator.uniform(-np.pi, np.pi, 200)
    turned = [rotation.turn_pose(*row) for row in zip(angles, turns, strict=True)]
    expected = np.stack([turn_about_z(turn) for turn in turns]) @ poses.rotation_from_angles(angles)
    distance = poses.geodesic_distance(poses.rotation_from_angles(turned), expected)
    assert distance.max() < 1e-6
    np.testing.assert_allclose(turned, poses.angles_from_rotation(expected), atol=1e-6)


def test_turning_back_gives_the_label_back():
    pose = (0.7, -0.4, 0.3)
    np.testing.assert_allclose(rotation.turn_pose(rotation.turn_pose(pose, 0.6), -0.6), pose)


def test_mirroring_a_turned_view_is_turning_the_mirrored_view_back():
    pose = np.array([0.7, -0.4, 0.3])
    mirrored = poses.mirror(np.array(rotation.turn_pose(pose, 0.6)))
    np.testing.assert_allclose(mirrored, rotation.turn_pose(poses.mirror(pose), -0.6))


def test_at_a_yaw_of_90_degrees_the_label_is_finite_and_the_right_rotation():
    pose = [np.pi / 2, 0.3, -0.2]
    expected = turn_about_z(0.4) @ poses.rotation_from_angles(pose)
    turned = poses.rotation_from_angles(rotation.turn_pose(pose, 0.4))
    assert poses.geodesic_distance(turned, expected) < 1e-6


# What is drawn.


def test_angles_fill_the_range_and_each_has_its_label():
    pose = (0.4, 0.1, -0.2)
    for draw in (0.0, 0.25, 0.5, 0.999):
        angle, label = rotation.turn(pose, 30.0, draw)
        assert np.degrees(angle) == pytest.approx(30.0 * (2.0 * draw - 1.0))
        assert label == rotation.turn_pose(pose, angle)


@pytest.mark.parametrize("pose", [(95, 0, 0), (-91, 10, 5)], ids=str)
def test_a_view_with_a_yaw_beyond_90_degrees_is_not_turned(pose):
    label = tuple(np.radians(pose))
    assert rotation.turn(label, 30.0, 0.9) == (0.0, label)


@pytest.mark.parametrize("roll", [97, -98])
def test_a_view_whose_label_would_leave_99_degrees_is_not_turned_that_way(roll):
    label = (0.0, 0.0, np.radians(roll))
    inward, outward = (0.2, 0.8) if roll > 0 else (0.8, 0.2)
    assert rotation.turn(label, 30.0, inward)[0] != 0.0
    assert rotation.turn(label, 30.0, outward) == (0.0, label)


def test_a_view_stays_whose_label_would_come_back_as_another_of_its_rotation():
    pose = tuple(np.radians([95.0, 95.0, 95.0]))
    # The same rotation with a yaw under 90 degrees is within the limit.
    other = np.degrees(rotation.turn_pose(pose, 0.0))
    np.testing.assert_allclose(other, [85.0, -85.0, -85.0])
    assert rotation.turn(pose, 4.0, 0.9) == (0.0, pose)
