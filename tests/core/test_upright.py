"""Faces turned upright: the angle of their points, the picture around them, the answer back."""

import numpy as np
import pytest

from rankpose_tf.core import crop, upright

FRONTAL = np.array([(40.0, 50.0), (80.0, 50.0), (60.0, 90.0)])


def turned(points, degrees, centre=(0.0, 0.0)):
    return np.array(centre) + (points - np.array(centre)) @ upright.rotation(degrees).T


@pytest.mark.parametrize("degrees", range(-170, 181, 35))
def test_the_angle_of_a_face_is_the_turn_of_its_eyes_and_mouth(degrees):
    assert upright.angle(*turned(FRONTAL, degrees)) == pytest.approx(degrees)


def test_a_profile_whose_eyes_are_one_place_is_upright_by_its_mouth():
    assert upright.angle((50, 50), (50, 50), (50, 90)) == pytest.approx(0.0)


def test_a_small_angle_is_no_turn():
    assert upright.beyond_limit(upright.LIMIT) == upright.beyond_limit(-upright.LIMIT) == 0.0
    assert upright.beyond_limit(-upright.LIMIT - 1) == -upright.LIMIT - 1


def test_the_square_of_a_quarter_turn_is_the_picture_turned_by_numpy():
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    square = np.array([12.0, 20.0, 44.0, 52.0])
    ours = crop.crop_and_resize(*upright.upright_square(image, square, 90.0, 16), 16)
    quarter = np.ascontiguousarray(np.rot90(image[20:52, 12:44]))
    theirs = crop.crop_and_resize(quarter, (0, 0, 32, 32), 16)
    # Beside the square's border, where one has its neighbours and the other has none.
    assert np.abs(ours - theirs)[1:-1, 1:-1].max() < 1.0


def test_a_large_face_is_shrunk_before_and_its_crop_stays():
    y, x = np.mgrid[:2600, :2600]
    image = np.stack([x // 11, y // 11, (x + y) // 22], axis=-1).astype(np.uint8)
    square = np.array([50.0, 100.0, 2450.0, 2500.0])
    part, inner = upright.upright_square(image, square, 180.0, 32)
    assert len(part) <= 2048 + 2 * 64
    ours = crop.crop_and_resize(part, inner, 32)
    theirs = crop.crop_and_resize(image, square, 32)[::-1, ::-1]
    assert np.abs(ours - theirs).max() < 2.0


def test_a_pose_is_turned_back_about_the_line_of_sight():
    angles = np.array([[0.0, 0.0, 0.0], [10.0, -5.0, 3.0], [0.0, 0.0, 20.0]])
    found = upright.turned_back(angles, [130.0, 0.0, -50.0])
    np.testing.assert_allclose(found, [[0, 0, 130], angles[1], [0, 0, -30]], atol=1e-9)


def test_no_pose_is_turned_back_to_no_pose():
    assert upright.turned_back(np.zeros((0, 3)), []).shape == (0, 3)
