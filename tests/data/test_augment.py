"""Tests of the crop rule and the augmentations, eagerly and inside Dataset.map."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import augment, square_crops

SEED = (7, 11)
CHANGES = {
    "blur": lambda image, seed, p: augment.random_blur(image, seed, p, sigma_max=2.0),
    "noise": lambda image, seed, p: augment.random_noise(image, seed, p, stddev_max=20.0),
    "brightness": lambda image, seed, p: augment.random_brightness(image, seed, p, strength=0.5),
    "contrast": lambda image, seed, p: augment.random_contrast(image, seed, p, strength=0.5),
    "grey": lambda image, seed, p: augment.random_grey(image, seed, p),
    "dark": lambda image, seed, p: augment.random_dark(image, seed, p, least=0.25),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())


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


def test_jitter_moves_the_square_within_the_share_and_keeps_its_size():
    square = np.float32([10, 20, 50, 60])
    moves = np.stack([augment.jitter_square(square, (s, 0), 0.1) - square for s in range(100)])
    np.testing.assert_allclose(moves[:, :2], moves[:, 2:], atol=1e-5)
    assert np.abs(moves).max() <= 0.1 * 40 + 1e-4
    assert np.abs(moves).max(axis=0).min() > 0.08 * 40
    assert np.abs(np.corrcoef(moves[:, 0], moves[:, 1])[0, 1]) < 0.3


def test_jitter_of_zero_leaves_the_square():
    np.testing.assert_array_equal(
        augment.jitter_square((1.0, 2.0, 5.0, 6.0), SEED, 0), [1, 2, 5, 6]
    )


# Blur.


@pytest.mark.parametrize("kernel_size, sigma", [(3, 0.5), (5, 1.0), (5, 2.0), (7, 1.5)])
def test_blur_equals_tensorflow_addons(shared_data, kernel_size, sigma):
    reference = np.load(shared_data / "addons_blur.npz")
    name = f"blur_k{kernel_size}_s{sigma}"
    for image, expected in zip(reference["image"], reference[name], strict=True):
        blurred = augment.gaussian_blur(image, kernel_size, sigma)
        np.testing.assert_allclose(blurred, expected, rtol=0, atol=1e-5)


def test_blur_of_a_point_is_the_normalised_gaussian():
    point = np.zeros((9, 9, 3), np.float32)
    point[4, 4] = 1.0
    weights = np.exp(-(np.arange(-2, 3.0) ** 2) / (2 * 1.2**2))
    weights /= weights.sum()
    blurred = augment.gaussian_blur(point, 5, 1.2)
    np.testing.assert_allclose(blurred[2:7, 2:7, 0], np.outer(weights, weights), atol=1e-6)


def test_blur_keeps_an_even_picture_up_to_the_corners():
    even = np.full((12, 12, 3), 200.0, np.float32)
    np.testing.assert_allclose(augment.gaussian_blur(even, 5, 2.0), even, atol=1e-3)


def test_blur_of_sigma_zero_changes_nothing():
    np.testing.assert_array_equal(augment.gaussian_blur(picture(), 5, 0.0), picture())


def test_blur_inside_map_equals_eager_with_sigma_a_tensor():
    inside = mapped(lambda i, s: augment.gaussian_blur(i, 5, s), picture(), np.float32(1.3))
    np.testing.assert_allclose(inside, augment.gaussian_blur(picture(), 5, 1.3), atol=1e-3)


# What every random change of the pixels promises.


@every_change
def test_probability_zero_returns_the_picture_itself(change):
    image = tf.constant(picture())
    assert change(image, SEED, 0.0) is image


@every_change
def test_probability_one_changes_the_picture_within_its_range(change):
    image = picture()
    changed = np.stack([change(image, (s, 1), 1.0) for s in range(8)])
    assert changed.shape == (8, *image.shape)
    assert np.abs(changed - image).max() > 1.0
    assert changed.min() >= 0.0 and changed.max() <= 255.0


@every_change
def test_inside_map_equals_eager(change):
    inside = mapped(lambda i, s: change(i, s, 1.0), picture(), np.int64(SEED))
    np.testing.assert_allclose(inside, change(picture(), SEED, 1.0), atol=1e-3)


@every_change
def test_the_same_seed_gives_the_same_and_another_seed_another(change):
    image = picture()
    first = [change(image, (0, s), 0.5).numpy() for s in range(8)]
    again = [change(image, (0, s), 0.5).numpy() for s in range(8)]
    np.testing.assert_array_equal(first, again)
    assert any(not np.array_equal(first[0], other) for other in first[1:])


@every_change
def test_share_of_changed_pictures_is_the_probability(change):
    image, count, probability = picture(12, 12), 400, 0.3
    seeds = tf.data.Dataset.range(count).map(lambda s: tf.stack([s, tf.constant(3, tf.int64)]))
    different = seeds.map(lambda s: tf.reduce_any(change(image, s, probability) != image))
    share = np.mean([bool(value) for value in different])
    assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / count)


@every_change
@pytest.mark.parametrize("probability", [-0.1, 1.5, float("nan")])
def test_probability_outside_zero_to_one_is_told(change, probability):
    with pytest.raises(RankPoseError, match="probability: expected a number from 0 to 1"):
        change(picture(), SEED, probability)


# What each does in particular.


def test_noise_has_no_bias_and_a_deviation_up_to_its_maximum():
    grey = np.full((64, 64, 3), 128.0, np.float32)
    noise = np.stack([augment.random_noise(grey, (s, 1), 1.0, 20.0) - grey for s in range(50)])
    deviations = noise.std(axis=(1, 2, 3))
    assert np.abs(noise.mean()) < 0.5
    assert deviations.max() < 20.0 * 1.05 and deviations.min() < 4.0
    assert abs(deviations.mean() - 20.0 / 2) < 3.0


def test_brightness_adds_one_value_to_all_pixels():
    grey = np.full((8, 8, 3), 128.0, np.float32)
    added = [augment.random_brightness(grey, (s, 1), 1.0, 0.2).numpy() - grey for s in range(40)]
    assert np.ptp(added, axis=(1, 2, 3)).max() == 0.0
    assert np.max(added) <= 0.2 * 255 and np.min(added) >= -0.2 * 255
    assert np.max(added) > 0.1 * 255 and np.min(added) < -0.1 * 255


def test_contrast_keeps_the_mean_and_scales_the_distance_from_it():
    image = 100.0 + picture() / 10.0
    changed = augment.random_contrast(image, SEED, 1.0, 0.5).numpy()
    ratio = (changed - image.mean()) / (image - image.mean())
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)
    assert 0.5 <= np.median(ratio) <= 1.5


def test_grey_makes_the_channels_equal_and_half_strength_goes_half_way():
    image = picture()
    grey = augment.random_grey(image, SEED, 1.0).numpy()
    half = augment.random_grey(image, SEED, 1.0, strength=0.5).numpy()
    np.testing.assert_allclose(grey, np.repeat(grey[..., :1], 3, axis=-1), atol=1e-3)
    np.testing.assert_allclose(half, (image + grey) / 2, atol=1e-3)


def test_dark_leaves_one_share_of_the_light_evenly_on_a_logarithmic_scale_in_whole_steps():
    image = np.full((8, 8, 3), 255.0, np.float32)
    dark = np.stack([augment.random_dark(image, (s, 1), 1.0, 1 / 16).numpy() for s in range(60)])
    assert np.ptp(dark, axis=(1, 2, 3)).max() == 0.0
    np.testing.assert_array_equal(dark, np.round(dark))
    octaves = np.log2(255.0 / dark[:, 0, 0, 0])
    assert octaves.min() >= 0 and octaves.max() <= np.log2(255.0 / round(255.0 / 16)) + 1e-6
    assert abs(octaves.mean() - 4 / 2) < 0.5 and octaves.max() > 3.5


@pytest.mark.parametrize("least", [0.0, -0.5, 1.5])
def test_dark_leaves_some_light_and_adds_none(least):
    with pytest.raises(RankPoseError, match="least: expected a number above 0, up to 1"):
        augment.random_dark(picture(), SEED, 1.0, least)


# Flip.


def test_flip_mirrors_the_picture_and_negates_yaw_and_roll():
    image, pose = picture(), np.float32([0.1, 0.2, 0.3])
    mirrored, mirrored_pose = augment.flip(image, pose)
    np.testing.assert_array_equal(mirrored, image[:, ::-1])
    np.testing.assert_array_equal(mirrored_pose, np.float32([-0.1, 0.2, -0.3]))


def test_random_flip_moves_picture_and_pose_together_inside_map():
    image, pose = picture(), np.float32([0.1, 0.2, 0.3])
    seeds = tf.data.Dataset.range(20).map(lambda s: tf.stack([s, tf.constant(5, tf.int64)]))
    flips = 0
    for flipped, flipped_pose in seeds.map(lambda s: augment.random_flip(image, pose, s, 0.5)):
        turned = bool(flipped_pose[0] < 0)
        expected = augment.flip(image, pose) if turned else (image, pose)
        np.testing.assert_array_equal(flipped, expected[0])
        np.testing.assert_array_equal(flipped_pose, expected[1])
        flips += turned
    assert 0 < flips < 20


def test_random_flip_of_probability_zero_and_one():
    image, pose = picture(), np.float32([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(augment.random_flip(image, pose, SEED, 0.0)[0], image)
    flipped, _ = augment.random_flip(image, pose, SEED, 1.0)
    np.testing.assert_array_equal(flipped, image[:, ::-1])


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: square_crops.square_around((0, 0, 1, 1), 0.0), "scale"),
        (lambda: augment.jitter_square((0, 0, 1, 1), SEED, -0.1), "shift"),
        (lambda: square_crops.crop_and_resize(picture(), (0, 0, 1, 1), 0), "size"),
        (lambda: augment.gaussian_blur(picture(), 4, 1.0), "kernel_size"),
        (lambda: augment.gaussian_blur(picture(), 5, -1.0), "sigma"),
        (lambda: augment.random_blur(picture(), SEED, 0.5, -1.0), "sigma_max"),
        (lambda: augment.random_noise(picture(), SEED, 0.5, -1.0), "stddev_max"),
        (lambda: augment.random_brightness(picture(), SEED, 0.5, 2.0), "strength"),
        (lambda: augment.random_contrast(picture(), SEED, 0.5, -0.5), "strength"),
        (lambda: augment.random_grey(picture(), SEED, 0.5, 1.5), "strength"),
        (lambda: augment.random_flip(picture(), np.zeros(3), SEED, 2.0), "probability"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(RankPoseError, match=f"^{name}: expected"):
        call()
