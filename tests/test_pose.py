"""Rotations, and the signs of the angles on real faces."""

import io
import zipfile

import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from rankpose_tf import pose


@pytest.fixture
def angles():
    limit = np.radians([89.0, 179.0, 179.0])
    return np.random.default_rng(0).uniform(-limit, limit, (500, 3))


@pytest.fixture(scope="module")
def faces(shared_data):
    """Pose (yaw, pitch, roll) and landmarks (2, 68) of the views of 60 real faces."""
    with zipfile.ZipFile(shared_data / "aflw_lp.zip") as archive:
        stems = sorted({n[:-6] for n in archive.namelist() if n.endswith(".mat")})[:600:10]
        read = [
            [scipy.io.loadmat(io.BytesIO(archive.read(f"{stem}_{v}.mat"))) for v in range(5)]
            for stem in stems
        ]
    poses = [[m["Pose_Para"][0, [1, 0, 2]].astype(float) for m in views] for views in read]
    return np.array(poses), np.array([[m["pt2d"] for m in views] for views in read])


def test_rotation_is_the_product_of_three_turns(angles):
    yaw, pitch, roll = angles.T
    # scipy's turns are the transposes of 3DDFA's.
    turns = [
        Rotation.from_euler(axis, value[:, None]).as_matrix().swapaxes(1, 2)
        for axis, value in (("x", pitch), ("y", yaw), ("z", roll))
    ]
    expected = turns[0] @ turns[1] @ turns[2]
    np.testing.assert_allclose(pose.rotation_from_angles(angles), expected, atol=1e-12)


def test_rotations_are_proper(angles):
    rotation = pose.rotation_from_angles(angles)
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(1, 2), np.broadcast_to(np.eye(3), (500, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)


def test_angles_come_back(angles):
    rotation = pose.rotation_from_angles(angles)
    np.testing.assert_allclose(pose.angles_from_rotation(rotation), angles, atol=1e-9)


@pytest.mark.parametrize("yaw", [np.pi / 2, -np.pi / 2])
def test_at_gimbal_lock_roll_is_zero_and_the_rotation_is_kept(yaw):
    rotation = pose.rotation_from_angles([yaw, 0.4, 0.2])
    back = pose.angles_from_rotation(rotation)
    assert back[2] == 0
    np.testing.assert_allclose(pose.rotation_from_angles(back), rotation, atol=1e-12)


@pytest.mark.parametrize("turn", [0.0, 1e-8, 1e-3, 1.0, 3.0, np.pi - 1e-8, np.pi])
def test_geodesic_distance_is_the_angle_of_the_turn(turn):
    start = Rotation.from_euler("xyz", [0.3, -0.8, 0.5])
    axis = np.array([1.0, 2.0, -2.0]) / 3
    end = Rotation.from_rotvec(turn * axis) * start
    distance = pose.geodesic_distance(start.as_matrix(), end.as_matrix())
    np.testing.assert_allclose(distance, turn, atol=1e-9)


def test_mirrored_angles_are_the_mirrored_rotation(angles):
    flip = np.diag([-1.0, 1.0, 1.0])
    expected = flip @ pose.rotation_from_angles(angles) @ flip
    np.testing.assert_allclose(
        pose.rotation_from_angles(pose.mirror(angles)), expected, atol=1e-12
    )


def test_real_views_differ_by_a_turn_around_the_heads_own_vertical_axis(faces):
    rotation = pose.rotation_from_angles(faces[0])
    turns = np.swapaxes(rotation[:, :1], -1, -2) @ rotation[:, 1:]
    np.testing.assert_allclose(turns[..., 1, 1], 1.0, atol=1e-10)


def test_positive_yaw_turns_a_real_face_to_the_pictures_left(faces):
    poses, landmarks = faces
    # The tip of the nose against the corners of the jaw, which lie at the head's sides.
    aside = landmarks[:, :, 0, 30] - landmarks[:, :, 0, [0, 16]].mean(-1)
    turned = np.abs(np.degrees(poses[..., 0])) > 25
    assert turned.sum() > 50
    assert (np.sign(aside[turned]) == -np.sign(poses[..., 0][turned])).all()


def test_positive_roll_takes_a_real_heads_ear_to_its_own_left_shoulder(faces):
    poses, landmarks = faces
    # Image y points down: at positive roll the eye on the picture's right is the lower one.
    eyes = landmarks[..., 42:48].mean(-1) - landmarks[..., 36:42].mean(-1)
    degrees = np.degrees(poses)
    rolled = (np.abs(degrees[..., 2]) > 12) & (np.abs(degrees[..., 0]) < 35)
    rolled &= np.abs(degrees[..., 1]) < 30
    assert rolled.sum() > 5
    assert (np.sign(eyes[rolled][:, 1]) == np.sign(poses[rolled][:, 2])).all()


def test_positive_pitch_lifts_a_real_chin(shared_data):
    with zipfile.ZipFile(shared_data / "aflw2000_dev.zip") as archive:
        names = [n for n in archive.namelist() if n.endswith(".mat")]
        read = [scipy.io.loadmat(io.BytesIO(archive.read(n))) for n in names]
    degrees = np.degrees([m["Pose_Para"][0, [1, 0, 2]] for m in read])
    frontal = (np.abs(degrees[:, [0, 2]]) < 15).all(1)
    lifted = []
    for marks in (m["pt3d_68"] for m in read):
        # The nose's tip stands out of the face: with the chin up it rises towards the eyes.
        eyes, mouth = marks[1, 36:48].mean(), marks[1, 48:60].mean()
        lifted.append((marks[1, 30] - eyes) / (mouth - eyes))
    up, down = (frontal & (degrees[:, 1] > 15)), (frontal & (degrees[:, 1] < -15))
    lifted = np.array(lifted)
    assert up.sum() >= 5 and down.sum() >= 5
    assert np.median(lifted[up]) < np.median(lifted[down]) - 0.1


def test_a_real_flip_negates_yaw_and_roll(shared_data):
    with zipfile.ZipFile(shared_data / "w300lp_sample.zip") as archive:
        one, other = (
            scipy.io.loadmat(io.BytesIO(archive.read(f"300W_LP/{folder}/AFW_134212_1_0.mat")))
            for folder in ("AFW", "AFW_Flip")
        )
    plain, flipped = (m["Pose_Para"][0, [1, 0, 2]] for m in (one, other))
    # The flipped picture was fitted anew, so the labels agree to about a degree only.
    np.testing.assert_allclose(flipped, pose.mirror(plain), atol=np.radians(1.0))
