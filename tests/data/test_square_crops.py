"""The crop rule as TensorFlow operations, eagerly and inside Dataset.map."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import square_crops


def picture(height=24, width=20, seed=0):
    """Random pixels (height, width, 3) float32, 0..255."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return values.astype(np.float32)


def mapped(function, *tensors):
    """`function` inside Dataset.map, with the picture's height and width unknown."""
    spec = tf.TensorSpec((None, None, 3), tf.float32)
    specs = (spec, *(tf.TensorSpec.from_tensor(tf.convert_to_tensor(t)) for t in tensors[1:]))
    data = tf.data.Dataset.from_generator(lambda: iter([tensors]), output_signature=specs)
    return next(iter(data.map(function)))


# Decoding.


def test_decode_gives_rgb_of_a_lossless_picture():
    pixels = picture().astype(np.uint8)
    _, encoded = cv2.imencode(".png", pixels[..., ::-1])
    np.testing.assert_array_equal(square_crops.decode(encoded.tobytes()), pixels)


def test_decode_gives_three_channels_of_a_grey_jpeg_inside_map():
    _, encoded = cv2.imencode(".jpg", np.full((8, 6), 128, np.uint8))
    data = tf.data.Dataset.from_tensors(encoded.tobytes()).map(square_crops.decode)
    assert data.element_spec.shape.as_list() == [None, None, 3]
    np.testing.assert_array_equal(next(iter(data)), np.full((8, 6, 3), 128))


def test_decode_of_no_picture_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError):
        square_crops.decode(b"no picture")


# The crop rule.


def test_square_is_scale_times_the_longer_side_around_the_centre():
    square = square_crops.square_around((10.0, 20.0, 30.0, 60.0), 1.5)
    half = 1.5 * (60 - 20) / 2
    np.testing.assert_allclose(square, [20 - half, 40 - half, 20 + half, 40 + half])


def test_square_takes_a_tensor_as_scale():
    square = square_crops.square_around((0.0, 0.0, 10.0, 10.0), tf.constant(2.0))
    np.testing.assert_allclose(square, [-5, -5, 15, 15])


def test_square_of_an_empty_box_has_a_side():
    np.testing.assert_allclose(square_crops.square_around((5.0, 5.0, 5.0, 5.0), 2.0), [4, 4, 6, 6])


@pytest.mark.parametrize("size", [8, 24, 31, 96])
def test_crop_of_the_whole_picture_equals_antialiased_resize(size):
    image = picture(60, 60)
    crop = square_crops.crop_and_resize(image, (0.0, 0.0, 60.0, 60.0), size)
    expected = tf.image.resize(image, (size, size), antialias=True)
    np.testing.assert_allclose(crop, expected, atol=1e-3)


def test_crop_on_whole_pixels_is_a_slice():
    image = picture(40, 50)
    crop = square_crops.crop_and_resize(image, (13.0, 5.0, 29.0, 21.0), 16)
    np.testing.assert_allclose(crop, image[5:21, 13:29], atol=1e-4)


def test_crop_shifted_by_half_a_pixel_is_the_mean_of_neighbours():
    image = picture(40, 50)
    crop = square_crops.crop_and_resize(image, (13.5, 5.0, 29.5, 21.0), 16)
    expected = (image[5:21, 13:29] + image[5:21, 14:30]) / 2
    np.testing.assert_allclose(crop, expected, atol=1e-3)


def test_crop_is_black_outside_the_picture_and_exact_up_to_its_edge():
    image = picture(10, 12) + 1.0
    crop = square_crops.crop_and_resize(image, (-4.0, -3.0, 16.0, 17.0), 20)
    expected = np.zeros((20, 20, 3), np.float32)
    expected[3:13, 4:16] = image
    np.testing.assert_allclose(crop, expected, atol=1e-4)


def test_crop_wholly_outside_the_picture_is_black():
    crop = square_crops.crop_and_resize(picture(), (100.0, 100.0, 110.0, 110.0), 8)
    np.testing.assert_array_equal(crop, np.zeros((8, 8, 3)))


def test_shrinking_crop_averages_the_pixels_it_leaves_out():
    stripes = np.zeros((50, 50, 3), np.float32)
    stripes[:, ::2] = 255.0
    crop = square_crops.crop_and_resize(stripes, (0.0, 0.0, 50.0, 50.0), 10)
    np.testing.assert_allclose(crop[:, 1:-1], 255.0 / 2, atol=255.0 * 0.05)


def test_crop_reads_bytes_and_floats_alike_inside_map():
    image, square = picture(), np.float32([-3.2, 1.5, 17.0, 21.7])
    eager = square_crops.crop_and_resize(image.astype(np.uint8), square, 16)
    inside = mapped(lambda i, s: square_crops.crop_and_resize(i, s, 16), image, square)
    assert eager.dtype == tf.float32
    np.testing.assert_allclose(inside, eager, atol=1e-3)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: square_crops.square_around((0, 0, 1, 1), 0.0), "scale"),
        (lambda: square_crops.crop_and_resize(picture(), (0, 0, 1, 1), 0), "size"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(RankPoseError, match=f"^{name}: expected"):
        call()
