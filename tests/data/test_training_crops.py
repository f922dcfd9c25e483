"""The crop of training views: close to the exact one of evaluation, turned with its label."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core import pose as poses
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import places, rotation, square_crops, synthetic, training_crops
from tests.data.test_square_crops import picture

SQUARE = (4, 3, 32)


def photo(side=200):
    """A rendered head: edges, shades and an even background, (side, side, 3) uint8."""
    return synthetic.render(3, (0.4, 0.1, 0.1), side)[0]


def exact(image, square, size):
    left, top, side = square
    return square_crops.crop_and_resize(image, (left, top, left + side, top + side), size).numpy()


@pytest.mark.parametrize("side", [60, 80, 100, 128, 160, 190])
@pytest.mark.parametrize("corner", [(3, 5), (-20, 40), (60, -9)])
def test_a_crop_is_that_of_evaluation_but_for_little(side, corner):
    square = (*corner, side)
    difference = np.abs(training_crops.cut(photo(), square, 0.0, 80) - exact(photo(), square, 80))
    assert difference.mean() < 0.7
    assert np.percentile(difference, 99) < 10


def test_a_crop_in_its_own_size_is_a_slice_and_black_outside():
    image = picture(40, 40).astype(np.uint8)
    np.testing.assert_array_equal(training_crops.cut(image, (8, 5, 16), 0.0, 16), image[5:21, 8:24])
    expected = np.zeros((20, 20, 3))
    expected[4:, 3:] = image[:16, :17]
    np.testing.assert_array_equal(training_crops.cut(image, (-3, -4, 20), 0.0, 20), expected)


@pytest.mark.parametrize("square", [(100, 100, 10), (-30, 0, 10), (0, -30, 10)])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_a_crop_wholly_outside_the_picture_is_black(square, angle):
    image = np.full((40, 40, 3), 200, np.uint8)
    np.testing.assert_array_equal(training_crops.cut(image, square, angle, 8), 0)


def test_an_even_picture_stays_even_however_much_it_shrinks():
    even = np.full((200, 200, 3), 200, np.uint8)
    for side in (10, 80, 97, 150, 199):
        np.testing.assert_array_equal(training_crops.cut(even, (0, 0, side), 0.0, 80), 200)


def test_a_shrinking_crop_averages_the_pixels_it_leaves_out():
    stripes = np.zeros((120, 120, 3), np.uint8)
    stripes[:, ::2] = 255
    for angle in (0.0, 0.1):
        view = training_crops.cut(stripes, (20, 20, 80), angle, 32)
        np.testing.assert_allclose(view, np.full(view.shape, 255.0 / 2), atol=255 * 0.06)


@pytest.mark.parametrize("halved", [1, 2, 3])
def test_a_halved_picture_gives_the_crop_of_the_whole_one(halved):
    image = cv2.resize(photo(), (800, 800), interpolation=cv2.INTER_CUBIC)
    _, content = cv2.imencode(".png", image[..., ::-1])
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    pixel, size = 2**halved, round(640 / 2**halved / 1.6)
    expected = exact(image, (80, 80, 640), size)
    square = (80 // pixel, 80 // pixel, 640 // pixel)
    for encoded, mean in ((content, 1.0), (jpeg, 1.5)):
        decoded = training_crops.decode(encoded.tobytes(), halved)
        assert decoded.shape[0] == 800 // pixel
        view = training_crops.cut(decoded, square, 0.0, size, halved)
        assert np.abs(view - expected).mean() < mean


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("halved", [1, 2, 3])
def test_a_picture_of_any_size_is_halved_by_means_in_place(ending, halved):
    pixel = 2**halved
    image = disc((440.5, 300.5), radius=12.0, shape=(455, 455))
    content = cv2.imencode(ending, image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    decoded = training_crops.decode(content, halved)
    assert decoded.shape == (-(-455 // pixel), -(-455 // pixel), 3)
    np.testing.assert_allclose(pixel * centroid(decoded), (440.5, 300.5), atol=0.3)
    stripes = np.zeros((455, 455, 3), np.uint8)
    stripes[:, ::2] = 200
    content = cv2.imencode(ending, stripes, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    np.testing.assert_allclose(training_crops.decode(content, halved)[:, :50], 100, atol=4)


@pytest.mark.parametrize("side", [2000, 40_000, 10**7])
def test_a_square_far_larger_than_the_picture_takes_no_more_than_another(side):
    image = np.full((60, 60, 3), 200, np.uint8)
    for angle in (0.0, 0.3):
        view = training_crops.cut(image, (30 - side // 2, 30 - side // 2, side), angle, 32)
        assert view.shape == (32, 32, 3) and view[0, 0].max() == 0


def test_a_picture_is_halved_until_under_three_pixels_make_one():
    steps = (0.2, 1.0, 2.99, 3.0, 5.99, 6.0, 11.9, 12.0, 100.0)
    assert [training_crops.halvings(step) for step in steps] == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_what_is_no_picture_is_told():
    with pytest.raises(ValueError, match="10 bytes can't be decoded"):
        training_crops.decode(b"no picture")


# Turned.


def turn_about_z(angle):
    return poses.rotation_from_angles([0.0, 0.0, angle])


def disc(centre, radius=2.0, shape=(40, 40)):
    """A white disc on black, (H, W, 3), its edge soft: a hard one lies up to 0.2 pixels off."""
    rows, columns = np.indices(shape) + 0.5
    inside = np.clip(radius + 0.5 - np.hypot(columns - centre[0], rows - centre[1]), 0.0, 1.0)
    return np.repeat(255.0 * inside[..., np.newaxis], 3, axis=-1).astype(np.uint8)


def centroid(image):
    rows, columns = np.indices(image.shape[:2]) + 0.5
    weight = np.asarray(image, float)[..., 0]
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("degrees", [-140, -45, 20, 90])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_picture_turns_clockwise_around_the_squares_centre(degrees, size):
    offset = np.array([8.0, -3.0])
    image = disc((20, 19) + offset)
    angle = np.radians(degrees)
    view = training_crops.cut(image, SQUARE, angle, size)
    # x and y of the camera, whose y points up.
    x, y = (turn_about_z(angle) @ [offset[0], -offset[1], 0.0])[:2]
    expected = size / 2 + np.array([x, -y]) * size / 32
    np.testing.assert_allclose(centroid(view), expected, atol=0.05 * size / 32 + 0.03)


@pytest.mark.parametrize("size", [16, 24, 32, 40])
def test_a_quarter_turn_equals_the_turned_crop_in_sharpness_and_place(size):
    image = cv2.GaussianBlur(picture(40, 40), (0, 0), 2.0).astype(np.uint8)
    view = training_crops.cut(image, SQUARE, np.pi / 2, size).astype(float)
    crop = training_crops.cut(image, SQUARE, 0.0, size)
    inner = slice(1, -1)
    np.testing.assert_allclose(view[inner, inner], np.rot90(crop, -1)[inner, inner], atol=2.5)


def test_a_turned_crop_is_black_outside_the_picture_and_loses_no_corner_inside_it():
    image = np.full((40, 40, 3), 200, np.uint8)
    inside = training_crops.cut(image, (10, 10, 20), 0.8, 20)
    np.testing.assert_allclose(inside, np.full((20, 20, 3), 200), atol=1)
    outside = training_crops.cut(image, (0, 0, 40), np.pi / 4, 40)
    assert outside[0, 0].max() == outside[-1, -1].max() == 0
    assert outside[20, 20].min() > 198


def test_a_rendered_head_turned_looks_like_its_label():
    """The axes of the label, drawn on the turned picture, are the turned axes."""
    head = synthetic.identity(0, views=1, seed=4, size=64).views[0]
    axes = poses.rotation_from_angles(head.pose)
    for degrees in (-40.0, 25.0):
        angle = np.radians(degrees)
        after = poses.rotation_from_angles(rotation.turn_pose(head.pose, angle))
        # Where the picture takes the tips of the axes: discs in their place, clockwise.
        for axis in range(3):
            tip = np.array([32, 32]) + 20 * axes[:2, axis] * (1, -1)
            view = training_crops.cut(disc(tip, shape=(64, 64)), (0, 0, 64), angle, 64)
            expected = np.array([32, 32]) + 20 * after[:2, axis] * (1, -1)
            np.testing.assert_allclose(centroid(view), expected, atol=0.1)


# Where views are placed.


def placed(draws, boxes=((10, 12, 60, 62), (5, 5, 105, 65)), size=32, **options):
    numbers = [0.999] * places.DRAWS
    for index, value in draws.items():
        numbers[index] = value
    labels = [(0.1, 0.2, 0.3), (-0.4, 0.1, 0.0)]
    return places.Places(**options).draw(boxes, labels, numbers, size)


def test_without_a_draw_a_square_is_the_one_of_evaluation_on_whole_pixels():
    (one, other), mirrored = placed({})
    assert not mirrored and one.angle == other.angle == 0.0
    # 1.4 times 50 around (35, 37), and 1.4 times 100, over 3 pixels for one, around (55, 35).
    assert (one.halved, one.square) == (0, (0, 2, 70))
    assert (other.halved, other.square) == (1, (round(-15 / 2), round(-35 / 2), 70))
    assert one.pose == (0.1, 0.2, 0.3)


def test_a_square_of_a_picture_that_grows_stays_where_it_is():
    boxes = ((10.25, 12.5, 20.25, 20.5), (0, 0, 9.5, 9.5))
    (one, _), _ = placed({}, boxes, size=32)
    np.testing.assert_allclose(one.square, (15.25 - 7, 16.5 - 7, 14))
    image = picture(40, 40).astype(np.uint8)
    expected = exact(image, one.square, 32)
    np.testing.assert_allclose(training_crops.cut(image, one.square, 0.0, 32), expected, atol=1.5)


def test_a_square_moves_within_its_share_each_view_by_itself():
    options = {"crop_probability": 1.0, "crop_shift": 0.1}
    (one, other), _ = placed({4: 0.0, 5: 1.0, 6: 0.5, 10: 0.0, 11: 0.5, 12: 0.0}, **options)
    assert one.square == (7, 2, 70)
    assert other.square == (round(-15 / 2), round((-35 - 14) / 2), 70)


def test_mirrored_views_have_mirrored_labels():
    (one, other), mirrored = placed({2: 0.4}, flip_probability=0.5)
    assert mirrored and one.pose == (-0.1, 0.2, -0.3) and other.pose == (0.4, 0.1, -0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scale_probability", 1.5),
        ("crop_shift", -0.1),
        ("crop_scale", 0.0),
        ("rotation_degrees", 181),
        ("flip_probability", float("nan")),
        ("crop_scale", float("inf")),
        ("crop_scale_max", float("inf")),
        ("crop_shift", float("inf")),
    ],
)
def test_a_number_out_of_range_is_named(field, value):
    with pytest.raises(RankPoseError, match=f"^{field}: expected a number (from 0|above 0)"):
        places.Places(**{field: value})
