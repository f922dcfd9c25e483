"""In-plane rotation: the picture and the label turn together, eagerly and inside Dataset.map."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core import pose as poses
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import rotation, square_crops, synthetic
from tests.data.test_augment import mapped, picture

SEED = (7, 11)
SQUARE = np.float32([4, 3, 36, 35])


def turn_about_z(angle):
    return poses.rotation_from_angles([0.0, 0.0, angle])


def turned(pose, angle):
    pose, angle = np.float32(pose)[np.newaxis], np.float32(angle)[np.newaxis]
    return rotation.turn_poses(pose, angle)[0].numpy()


def disc(centre, radius=2.0, shape=(40, 40)):
    """A white disc on black, (H, W, 3), its edge soft: a hard one lies up to 0.2 pixels off."""
    rows, columns = np.indices(shape) + 0.5
    inside = np.clip(radius + 0.5 - np.hypot(columns - centre[0], rows - centre[1]), 0.0, 1.0)
    return np.repeat(255.0 * inside[..., np.newaxis], 3, axis=-1).astype(np.float32)


def centroid(image):
    rows, columns = np.indices(image.shape[:2]) + 0.5
    weight = np.asarray(image)[..., 0]
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


# The label.


def test_a_frontal_head_only_rolls():
    np.testing.assert_allclose(turned([0.0, 0.0, 0.2], 0.3), [0.0, 0.0, 0.2 + 0.3], atol=1e-6)


def test_a_profile_that_is_turned_looks_up_or_down():
    # Yaw -90 is towards the picture's right; clockwise from there is down.
    found = turned([np.radians(-60), 0.0, 0.0], np.radians(30))
    nose = turn_about_z(np.radians(30)) @ [np.sin(np.radians(60)), 0.0, np.cos(np.radians(60))]
    assert nose[1] < 0
    np.testing.assert_allclose(np.sin(found[0]), -nose[0], atol=1e-6)
    np.testing.assert_allclose(np.tan(found[1]), nose[1] / nose[2], atol=1e-5)


def test_the_label_is_that_of_the_rotation_turned_about_the_cameras_axis():
    generator = np.random.default_rng(0)
    angles = generator.uniform(-1.5, 1.5, (200, 3)).astype(np.float32)
    turns = generator.uniform(-np.pi, np.pi, 200).astype(np.float32)
    found = rotation.turn_poses(angles, turns)
    expected = np.stack([turn_about_z(turn) for turn in turns]) @ poses.rotation_from_angles(angles)
    distance = poses.geodesic_distance(poses.rotation_from_angles(found), expected)
    assert distance.max() < 1e-5
    np.testing.assert_allclose(found, poses.angles_from_rotation(expected), atol=1e-4)


def test_turning_back_gives_the_label_back():
    pose = np.float32([0.7, -0.4, 0.3])
    np.testing.assert_allclose(turned(turned(pose, 0.6), -0.6), pose, atol=1e-6)


def test_mirroring_a_turned_view_is_turning_the_mirrored_view_back():
    pose = np.float32([0.7, -0.4, 0.3])
    one = poses.mirror(turned(pose, 0.6))
    np.testing.assert_allclose(one, turned(poses.mirror(pose), -0.6), atol=1e-6)


def test_at_a_yaw_of_90_degrees_the_label_is_finite_and_the_right_rotation():
    pose = np.float32([np.pi / 2, 0.3, -0.2])
    found = turned(pose, 0.4)
    expected = turn_about_z(0.4) @ poses.rotation_from_angles(pose)
    assert poses.geodesic_distance(poses.rotation_from_angles(found), expected) < 1e-5


# The picture.


@pytest.mark.parametrize("degrees", [-140, -45, 20, 90])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_picture_turns_clockwise_around_the_squares_centre(degrees, size):
    offset = np.array([8.0, -3.0])
    image = disc((20, 19) + offset)
    angle = np.radians(degrees)
    view = rotation.crop_rotated(image, SQUARE, tf.constant(angle, tf.float32), size)
    # x and y of the camera, whose y points up.
    x, y = (turn_about_z(angle) @ [offset[0], -offset[1], 0.0])[:2]
    expected = size / 2 + np.array([x, -y]) * size / 32
    np.testing.assert_allclose(centroid(view), expected, atol=0.05 * size / 32 + 0.01)


@pytest.mark.parametrize("size", [8, 16, 32, 40])
def test_a_quarter_turn_equals_the_turned_crop_in_sharpness_and_place(size):
    image = cv2.GaussianBlur(picture(40, 40), (0, 0), 2.0)
    view = rotation.crop_rotated(image, SQUARE, tf.constant(np.pi / 2, tf.float32), size)
    crop = square_crops.crop_and_resize(image, SQUARE, size)
    inner = slice(1, -1)
    np.testing.assert_allclose(view[inner, inner], np.rot90(crop, -1)[inner, inner], atol=2.5)


def test_no_turn_on_whole_pixels_is_the_crop_itself():
    image = picture(40, 40)
    view = rotation.crop_rotated(image, SQUARE, tf.constant(0.0), 32)
    np.testing.assert_allclose(view, square_crops.crop_and_resize(image, SQUARE, 32), atol=1e-3)


def test_a_turned_crop_averages_the_pixels_it_leaves_out():
    stripes = np.zeros((120, 120, 3), np.float32)
    stripes[:, ::2] = 255.0
    view = rotation.crop_rotated(stripes, (20, 20, 100, 100), tf.constant(0.1), 16)
    np.testing.assert_allclose(view, np.full((16, 16, 3), 255.0 / 2), atol=255.0 * 0.05)


def test_a_turned_crop_is_black_outside_the_picture_and_loses_no_corner_inside_it():
    image = np.full((40, 40, 3), 200.0, np.float32)
    inside = rotation.crop_rotated(image, (10, 10, 30, 30), tf.constant(0.8), 20)
    np.testing.assert_allclose(inside, np.full((20, 20, 3), 200.0), atol=1e-3)
    outside = rotation.crop_rotated(image, (0, 0, 40, 40), tf.constant(np.pi / 4), 40).numpy()
    assert outside[0, 0].max() == outside[-1, -1].max() == 0.0
    assert outside[20, 20].min() > 199


def test_a_view_whose_angle_is_zero_is_the_crop_of_evaluation():
    image = picture(40, 40)
    plain = rotation.crop_turned(image, SQUARE, tf.constant(0.0), 24)
    np.testing.assert_array_equal(plain, square_crops.crop_and_resize(image, SQUARE, 24))
    angle = tf.constant(0.3)
    found = rotation.crop_turned(image, SQUARE, angle, 24)
    np.testing.assert_array_equal(found, rotation.crop_rotated(image, SQUARE, angle, 24))


@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_a_crop_inside_map_equals_the_eager_one(angle):
    def call(image, angle):
        return rotation.crop_turned(image, SQUARE, angle, 24)

    inside = mapped(call, picture(40, 40), np.float32(angle))
    np.testing.assert_allclose(inside, call(picture(40, 40), np.float32(angle)), atol=1e-2)


# What is drawn.


def draw(pose, count, seed=SEED, probability=1.0, degrees=30.0):
    """Angles in degrees and labels of `count` views of one pose, drawn at once."""
    same = np.repeat(np.float32(pose)[np.newaxis], count, axis=0)
    angles, labels = rotation.random_turns(same, seed, probability, degrees)
    return np.degrees(angles), labels.numpy()


def test_angles_fill_the_range_evenly_and_each_view_has_its_own_label():
    pose = np.float32([0.4, 0.1, -0.2])
    angles, labels = draw(pose, 1000)
    assert angles.min() < -29 and angles.max() > 29 and np.abs(angles).max() <= 30.001
    assert abs(angles.mean()) < 4 * (30 / np.sqrt(3)) / np.sqrt(1000)
    expected = np.stack([turned(pose, np.radians(angle)) for angle in angles[:20]])
    np.testing.assert_allclose(labels[:20], expected, atol=1e-5)


def test_the_same_seed_gives_the_same_and_another_seed_another():
    one, again, other = (draw(np.zeros(3), 8, seed)[0] for seed in (SEED, SEED, (8, 11)))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_draws_inside_map_equal_the_eager_ones():
    same = np.repeat(np.float32([[0.4, 0.1, -0.2]]), 2, axis=0)
    seeds = tf.data.Dataset.from_tensors(np.int64(SEED))
    inside = next(iter(seeds.map(lambda s: rotation.random_turns(same, s, 0.5, 30.0))))
    for found, expected in zip(inside, rotation.random_turns(same, SEED, 0.5, 30.0), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_share_of_turned_views_is_the_probability_and_the_others_keep_their_label():
    pose = np.float32([0.1, 0.2, 0.3])
    angles, labels = draw(pose, 1000, probability=0.3)
    kept = (labels == pose).all(axis=1)
    np.testing.assert_array_equal(kept, angles == 0.0)
    assert abs(np.mean(kept) - 0.7) < 4 * np.sqrt(0.3 * 0.7 / 1000)


@pytest.mark.parametrize("pose", [(95, 0, 0), (-91, 10, 5)], ids=str)
def test_a_view_with_a_yaw_beyond_90_degrees_is_not_turned(pose):
    angles, labels = draw(np.radians(pose), 50)
    np.testing.assert_array_equal(angles, 0.0)
    np.testing.assert_array_equal(labels, np.repeat(np.radians([pose]), 50, 0).astype(np.float32))


@pytest.mark.parametrize("roll", [97, -98])
def test_a_view_whose_label_would_leave_99_degrees_is_not_turned_that_way(roll):
    angles, labels = draw(np.radians([0, 0, roll]), 500)
    assert np.abs(np.degrees(labels)).max() <= 99.001
    inward, outward = (angles * np.sign(roll) < 0), (angles * np.sign(roll) > 99 - abs(roll))
    assert inward.any() and not outward.any() and (angles == 0).any()


@pytest.mark.parametrize("probability, degrees", [(0.0, 30.0), (1.0, 0.0)])
def test_without_rotation_nothing_is_drawn(probability, degrees):
    angles, labels = draw([0.4, 0.1, -0.2], 5, SEED, probability, degrees)
    np.testing.assert_array_equal(angles, 0.0)
    np.testing.assert_array_equal(labels, np.repeat(np.float32([[0.4, 0.1, -0.2]]), 5, axis=0))


@pytest.mark.parametrize("name, value", [("probability", 1.5), ("degrees", -1), ("degrees", 181)])
def test_a_wrong_argument_is_named(name, value):
    with pytest.raises(RankPoseError, match=f"^{name}: expected a number from 0 to"):
        draw(np.zeros(3), 1, **{name: value})


def test_a_rendered_head_turned_looks_like_its_label():
    """The axes of the label, drawn on the turned picture, are the turned axes."""
    head = synthetic.identity(0, views=1, seed=4, size=64).views[0]
    axes = poses.rotation_from_angles(head.pose)
    for degrees in (-40.0, 25.0):
        angle = np.radians(degrees)
        after = poses.rotation_from_angles(turned(head.pose, angle))
        # Where the picture takes the tips of the axes: discs in their place, clockwise.
        for axis in range(3):
            tip = np.array([32, 32]) + 20 * axes[:2, axis] * (1, -1)
            turn = tf.constant(angle, tf.float32)
            picture, square = disc(tip, shape=(64, 64)), (0.0, 0.0, 64.0, 64.0)
            view = rotation.crop_rotated(picture, square, turn, 64)
            expected = np.array([32, 32]) + 20 * after[:2, axis] * (1, -1)
            np.testing.assert_allclose(centroid(view), expected, atol=0.1)
