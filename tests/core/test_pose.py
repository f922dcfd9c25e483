"""Rotations, and the signs of the angles on real faces."""

import csv
import io
import zipfile

import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from rankpose_tf.core import pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import Pose

# Pictures of AFLW2000 that anyone can tell by eye, with what is seen in them: the angle that
# stands out, its sign, and between which landmarks the picture shows it, along which axis (x to
# the right, y down). Landmarks: 30 tip of the nose, 36 and 45 outer corners of the eyes on the
# picture's left and right, 0 and 16 ends of the jaw below the ears.
SEEN = {
    "image02290": "a woman looks far to the picture's right, which is her own left",
    "image00288": "a man's face is turned to the picture's right, his own left; his ear shows left",
    "image02359": "a face in a hood looks to the picture's left, its own right",
    "image00303": "a woman in sunglasses lifts her chin; one looks up at her nostrils",
    "image01189": "a woman lifts her chin; her throat shows",
    "image01060": "a woman looks down, her hands at her temples",
    "image00159": "a forehead leans to the picture's left: right ear to right shoulder",
    "image02035": "a hairband slopes down to the picture's left: right ear to right shoulder",
    "image00209": "a forehead leans to the picture's right: left ear to left shoulder",
}
OWN_LEFT, OWN_RIGHT = ("image02290", "image00288"), ("image02359",)
CHIN_UP, CHIN_DOWN = ("image00303", "image01189"), ("image01060",)
RIGHT_EAR_DOWN, LEFT_EAR_DOWN = ("image00159", "image02035"), ("image00209",)


@pytest.fixture
def angles():
    limit = np.radians([89.0, 179.0, 179.0])
    return np.random.default_rng(0).uniform(-limit, limit, (500, 3))


@pytest.fixture(scope="module")
def faces(shared_data):
    """Poses (N, 3) radians and landmarks (N, 2, 68) of real faces: every second of AFLW2000-3D."""
    with zipfile.ZipFile(shared_data / "aflw2000_dev.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".mat")]
        read = [scipy.io.loadmat(io.BytesIO(archive.read(name))) for name in names]
    poses = np.array([label["Pose_Para"][0, [1, 0, 2]].astype(float) for label in read])
    return poses, np.array([label["pt3d_68"][:2] for label in read])


@pytest.fixture(scope="module")
def turned_pairs(shared_data):
    """Poses (N, 2, 3) radians of photos and of the same heads turned in 3-D."""
    with zipfile.ZipFile(shared_data / "aflw_pairs.zip") as archive:
        table = io.TextIOWrapper(archive.open("aflw_pairs/faces.csv"), encoding="utf-8")
        rows = list(csv.DictReader(table))
    poses = np.radians([[float(row[angle]) for angle in ("yaw", "pitch", "roll")] for row in rows])
    assert [row["identity"] for row in rows[0::2]] == [row["identity"] for row in rows[1::2]]
    return np.stack([poses[0::2], poses[1::2]], axis=1)


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


@pytest.mark.parametrize("yaws", [(-60, 60), (85, 89), (89.9, 90), (-90, -89.9)])
@pytest.mark.parametrize(
    "stored",
    [
        lambda rotation: np.round(rotation, 3),
        lambda rotation: np.round(rotation, 4),
        lambda rotation: np.round(rotation, 5),
        lambda rotation: rotation.astype(np.float32),
    ],
    ids=["3 decimals", "4 decimals", "5 decimals", "float32"],
)
def test_a_rounded_rotation_comes_back_up_to_the_lock(yaws, stored):
    generator = np.random.default_rng(0)
    angles = generator.uniform(-40, 40, (2000, 3))
    angles[:, 0] = generator.uniform(*yaws, len(angles))
    rotation = pose.rotation_from_angles(np.radians(angles))
    # Not from_matrix, which refuses some matrices of 3 decimals.
    back = pose.rotation_from_angles(pose.angles_from_rotation(stored(rotation)))
    assert np.degrees(pose.geodesic_distance(back, rotation)).max() < 0.1


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
    np.testing.assert_allclose(pose.rotation_from_angles(pose.mirror(angles)), expected, atol=1e-12)


def test_real_views_differ_by_a_nod_and_then_a_turn_around_the_heads_own_axes(turned_pairs):
    rotation = pose.rotation_from_angles(turned_pairs)
    turns = np.swapaxes(rotation[:, 0], -1, -2) @ rotation[:, 1]
    # Ry(yaw) Rx(pitch) has no entry (1, 0), and cos(pitch) at (1, 1). Labels are rounded to 0.001.
    np.testing.assert_allclose(turns[:, 1, 0], 0.0, atol=np.radians(0.002))
    assert turns[:, 1, 1].min() > np.cos(np.radians(15.01))


def test_positive_yaw_turns_a_real_face_to_the_pictures_left(faces):
    poses, landmarks = faces
    # The tip of the nose against the corners of the jaw, which lie at the head's sides.
    aside = landmarks[:, 0, 30] - landmarks[:, 0, [0, 16]].mean(-1)
    degrees = np.abs(np.degrees(poses))
    turned = (degrees[:, 0] > 25) & (degrees < 99).all(-1)
    assert turned.sum() > 50
    assert (np.sign(aside[turned]) == -np.sign(poses[..., 0][turned])).all()


def test_positive_roll_takes_a_real_heads_ear_to_its_own_left_shoulder(faces):
    poses, landmarks = faces
    # Image y points down: at positive roll the eye on the picture's right is the lower one.
    eyes = landmarks[..., 42:48].mean(-1) - landmarks[..., 36:42].mean(-1)
    degrees = np.degrees(poses)
    # Yaw and pitch together tilt the line of the eyes too: by 11 degrees at 25 and 25.
    rolled = (np.abs(degrees[..., 2]) > 12) & (np.abs(degrees[..., :2]) < 25).all(-1)
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


@pytest.fixture(scope="module")
def seen(shared_data):
    """Pose and landmarks (2, 68) of the pictures of SEEN."""
    with zipfile.ZipFile(shared_data / "aflw2000_dev.zip") as archive:
        labels = {
            name: scipy.io.loadmat(io.BytesIO(archive.read(f"AFLW2000/{name}.mat")))
            for name in SEEN
        }
    return {
        name: (
            Pose.from_array(np.degrees(label["Pose_Para"][0, [1, 0, 2]])),
            label["pt3d_68"][:2],
        )
        for name, label in labels.items()
    }


@pytest.mark.parametrize(("names", "sign"), [(OWN_LEFT, -1), (OWN_RIGHT, 1)])
def test_a_head_turned_to_its_own_left_has_a_negative_yaw(seen, names, sign):
    for name in names:
        found, marks = seen[name]
        # The nose lies to the picture's right of the middle of the jaw's ends, or to its left.
        assert np.sign(marks[0, 30] - marks[0, [0, 16]].mean()) == -sign, SEEN[name]
        assert sign * found.yaw > 30
        # The head's own axis out of the face: its x is to the picture's right.
        assert np.sign(found.matrix[0, 2]) == -sign


@pytest.mark.parametrize(("names", "sign"), [(CHIN_UP, 1), (CHIN_DOWN, -1)])
def test_a_head_with_its_chin_up_has_a_positive_pitch(seen, names, sign):
    for name in names:
        found, marks = seen[name]
        # The ends of the jaw, below the ears, lie lower than the tip of the nose, or higher.
        assert np.sign(marks[1, [0, 16]].mean() - marks[1, 30]) == sign, SEEN[name]
        assert sign * found.pitch > 20
        assert np.sign(found.matrix[1, 2]) == sign


@pytest.mark.parametrize(("names", "sign"), [(RIGHT_EAR_DOWN, -1), (LEFT_EAR_DOWN, 1)])
def test_a_head_whose_ear_goes_to_its_right_shoulder_has_a_negative_roll(seen, names, sign):
    for name in names:
        found, marks = seen[name]
        # Its right eye, on the picture's left, lies lower than the other, or higher.
        assert np.sign(marks[1, 36] - marks[1, 45]) == -sign, SEEN[name]
        assert sign * found.roll > 15
        # The head's own axis upwards leans to the picture's left, or right.
        assert np.sign(found.matrix[0, 1]) == sign


@pytest.fixture
def batch(angles):
    return Pose.from_array(np.degrees(angles))


def test_one_pose_has_floats_and_a_batch_has_arrays(batch):
    one = Pose(np.float32(10), 20, np.array(30))
    assert all(type(angle) is float for angle in (one.yaw, one.pitch, one.roll))
    assert one.as_array().tolist() == [10, 20, 30]
    assert batch.yaw.shape == batch.pitch.shape == batch.roll.shape == (500,)
    np.testing.assert_array_equal(batch.as_array()[:, 1], batch.pitch)


def test_a_batch_is_a_sequence_of_poses(batch):
    assert len(batch) == 500
    assert batch[7] == Pose.from_array(batch.as_array()[7]) and type(batch[-1].yaw) is float
    assert [one.roll for one in batch] == batch.roll.tolist()
    np.testing.assert_array_equal(batch[10:20].yaw, batch.yaw[10:20])
    np.testing.assert_array_equal(batch[batch.yaw > 0].pitch, batch.pitch[batch.yaw > 0])
    with pytest.raises(IndexError):
        batch[500]


def test_one_pose_is_no_sequence():
    one = Pose(1, 2, 3)
    for use in (len, iter, lambda pose: pose[0]):
        with pytest.raises(TypeError, match="single pose"):
            use(one)


def test_poses_are_equal_if_their_angles_are():
    assert Pose(1, 2, 3) == Pose(1.0, 2.0, 3.0)
    assert Pose(1, 2, 3) != Pose(1, 2, 4)
    assert Pose([1], [2], [3]) != Pose(1, 2, 3)
    assert Pose(1, 2, 3) != (1, 2, 3)


def test_matrix_is_the_rotation_of_the_angles(batch, angles):
    np.testing.assert_array_equal(batch[3].matrix, batch.matrix[3])
    np.testing.assert_allclose(batch.matrix, pose.rotation_from_angles(angles), atol=1e-12)


def test_quaternion_and_rotation_vector_are_those_of_the_matrix(batch):
    expected = Rotation.from_matrix(batch.matrix)
    # scipy puts w last.
    quaternion = expected.as_quat(canonical=True)[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(batch.quaternion(), quaternion, atol=1e-12)
    np.testing.assert_allclose(batch.rotation_vector(), expected.as_rotvec(), atol=1e-12)
    assert (batch.quaternion()[:, 0] >= 0).all()
    np.testing.assert_array_equal(batch[3].quaternion(), batch.quaternion()[3])
    np.testing.assert_array_equal(batch[3].rotation_vector(), batch.rotation_vector()[3])


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-14, 1e-9, 1e-3, 90.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_about_one_axis_is_a_vector_along_it(angle, axis):
    # yaw is about y, pitch about x, roll about z; all three turn against the right-hand rule.
    vector = np.zeros(3)
    vector[axis] = -np.radians(angle)
    yaw, pitch, roll = np.eye(3)[[1, 0, 2]][:, axis] * angle
    np.testing.assert_allclose(
        Pose(yaw, pitch, roll).rotation_vector(), vector, rtol=1e-9, atol=1e-305
    )


@pytest.mark.parametrize("angle", [179.999999, -179.999999])
def test_nearly_half_a_turn_keeps_its_side(angle):
    for one, axis in ((Pose(0, angle, 0), 0), (Pose(0, 0, angle), 2)):
        expected = -np.radians(angle) * np.eye(3)[axis]
        np.testing.assert_allclose(one.rotation_vector(), expected, rtol=1e-9)


def test_yaw_of_90_degrees_turns_the_nose_to_the_pictures_left():
    turned = Pose(90, 0, 0)
    np.testing.assert_allclose(turned.matrix[:, 2], [-1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(turned.quaternion(), [0.5**0.5, 0, -(0.5**0.5), 0], atol=1e-15)


def test_matrix_and_quaternion_lead_back(batch):
    for found in (
        Pose.from_matrix(batch.matrix),
        Pose.from_quaternion(batch.quaternion()),
        Pose.from_quaternion(-3.0 * batch.quaternion()),
    ):
        np.testing.assert_allclose(found.as_array(), batch.as_array(), atol=1e-9)
    one = Pose.from_matrix(batch.matrix[5])
    np.testing.assert_allclose(one.as_array(), batch.as_array()[5], atol=1e-9)
    assert type(one.yaw) is type(Pose.from_quaternion([1, 0, 0, 0]).yaw) is float


def test_an_empty_batch_stays_empty():
    empty = Pose.from_array(np.zeros((0, 3)))
    assert len(empty) == 0 and list(empty) == []
    assert empty.matrix.shape == (0, 3, 3) and empty.quaternion().shape == (0, 4)
    assert len(Pose.from_matrix(empty.matrix)) == len(Pose.from_quaternion(empty.quaternion())) == 0


def test_nan_stays_nan_beside_its_neighbours(batch):
    angles = batch[:3].as_array()
    angles[1] = np.nan
    found = Pose.from_array(angles)
    for values in (found.matrix, found.quaternion(), found.rotation_vector()):
        assert np.isnan(values[1]).any() and np.isfinite(values[[0, 2]]).all()


def test_text_names_the_angles():
    assert repr(Pose(1.234, -2, 0.5)) == "Pose(yaw=1.23, pitch=-2.00, roll=0.50)"
    assert repr(Pose([1.5], [2.5], [3.5])) == "Pose(yaw=[1.5], pitch=[2.5], roll=[3.5])"
    assert len(repr(Pose.from_array(np.zeros((1000, 3))))) < 200


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pose(1, 2, [3]), "three numbers or three"),
        (lambda: Pose([1, 2], [2, 3], [3]), "three numbers or three"),
        (lambda: Pose(*np.zeros((3, 2, 2))), "three numbers or three"),
        (lambda: Pose("left", 0, 0), "received .*left"),
        (lambda: Pose.from_array(np.zeros((2, 4))), r"angles: expected shape .*\(2, 4\)"),
        (lambda: Pose.from_array(3.0), "angles: expected shape"),
        (lambda: Pose.from_matrix(np.eye(4)), r"matrix: expected shape .*\(4, 4\)"),
        (lambda: Pose.from_matrix(2 * np.eye(3)), "matrix: expected rotations"),
        (lambda: Pose.from_matrix(np.diag([-1, 1, 1])), "matrix: expected rotations"),
        (lambda: Pose.from_matrix(np.full((3, 3), np.nan)), "matrix: expected rotations"),
        (lambda: Pose.from_quaternion(np.zeros(4)), "quaternion: expected a length above 0"),
        (lambda: Pose.from_quaternion(np.zeros(3)), "quaternion: expected shape"),
    ],
)
def test_what_is_no_pose_is_refused(make, words):
    with pytest.raises(RankPoseError, match=words):
        make()
