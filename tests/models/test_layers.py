"""NormalizedDense, its arccos, and the tower's preprocessing layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import square_crops
from rankpose_tf.models.layers import (
    AntialiasedResize,
    CaffePreprocessing,
    NormalizedDense,
    shifted_arccos,
    unit_length,
)


def gradient_of(function, value):
    value = tf.constant(value, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value).numpy()


def test_shifted_arccos_is_arccos_minus_a_quarter_turn_within_1e_4_degrees():
    near_ends = 1.0 - np.logspace(-7, -1, 2000)
    cosines = np.concatenate([np.linspace(-1, 1, 200_001), near_ends, -near_ends])
    cosines = cosines.astype(np.float32)
    expected = np.arccos(cosines.astype(np.float64)) - np.pi / 2
    difference = np.degrees(shifted_arccos(cosines).numpy() - expected)
    assert np.abs(difference).max() < 1e-4


def test_shifted_arccos_takes_cosines_rounded_past_one():
    past = np.float32([1.0 + 1e-6, -1.0 - 1e-6])
    np.testing.assert_allclose(shifted_arccos(past), [-np.pi / 2, np.pi / 2], rtol=1e-6)


def test_arccos_gradient_is_exact_inside():
    angles = np.radians(np.linspace(-89, 89, 179))
    expected = -1 / np.cos(angles)
    np.testing.assert_allclose(gradient_of(shifted_arccos, np.sin(-angles)), expected, rtol=1e-3)


@pytest.mark.parametrize("border", [1.0, -1.0, 1.0 + 1e-6, -1.0 - 1e-6])
def test_arccos_gradient_at_the_border_is_finite_and_points_back_inside(border):
    target = 0.0
    slope = gradient_of(lambda x: (shifted_arccos(x) - target) ** 2, border)
    assert np.isfinite(slope)
    assert abs(border - 0.001 * slope) < abs(border)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("transform", ["linear", "cosine", "arccos"])
def test_zero_features_have_finite_output_and_gradient(transform, separate):
    layer = NormalizedDense(3, transform, separate)
    features = tf.zeros((2, 8))
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(tf.square(layer(features) - 1.0))
    for slope in tape.gradient(loss, [features, layer.kernel]):
        assert np.isfinite(slope.numpy()).all()


def test_unit_length_has_unit_norm_along_its_axis_whatever_the_scale():
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    for scale in (1e-3, 1.0, 1e4):
        norms = np.linalg.norm(unit_length(vectors * scale, axis=-1), axis=-1)
        np.testing.assert_allclose(norms, 1.0, rtol=1e-5)


@pytest.mark.parametrize("transform", ["linear", "cosine", "arccos"])
def test_transforms_match_equations_1_to_3(transform):
    features = np.random.default_rng(1).normal(size=(4, 16)).astype(np.float32)
    layer = NormalizedDense(3, transform)
    predicted = layer(features).numpy()
    kernel = layer.kernel.numpy()
    cosine = (features @ kernel) / np.outer(
        np.linalg.norm(features, axis=1), np.linalg.norm(kernel, axis=0)
    )
    expected = {
        "linear": features @ kernel,
        "cosine": np.pi / 2 * cosine,
        "arccos": np.arccos(cosine) - np.pi / 2,
    }[transform]
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


@pytest.mark.parametrize("transform", ["linear", "cosine", "arccos"])
def test_separate_angles_are_those_of_their_own_features(transform):
    features = np.random.default_rng(4).normal(size=(5, 9)).astype(np.float32)
    layer = NormalizedDense(3, transform, separate=True)
    predicted = layer(features).numpy()
    for angle in range(3):
        alone = NormalizedDense(1, transform)
        alone.build((5, 3))
        alone.kernel.assign(layer.kernel[angle::3, angle : angle + 1])
        np.testing.assert_allclose(
            predicted[:, angle : angle + 1], alone(features[:, angle::3]), atol=1e-6
        )


def test_only_separate_features_reach_a_profile_that_looks_up_with_orthogonal_columns():
    """sin(80)^2 + 2 sin(60)^2 is over 1, the squared length of a shared unit vector."""
    wanted = np.radians([[80.0, 60.0, -60.0]])
    ones = np.concatenate([np.eye(3), np.zeros((3, 3))]).astype(np.float32)
    layer = NormalizedDense(3, "arccos", separate=True)
    layer.build((1, 6))
    layer.kernel.assign(ones)
    # arccos(x) - pi/2 = -arcsin(x).
    features = np.concatenate([-np.sin(wanted), np.cos(wanted)], axis=1)
    np.testing.assert_allclose(layer(features.astype(np.float32)), wanted, atol=1e-5)
    shared = NormalizedDense(3, "arccos")
    shared.build((1, 6))
    shared.kernel.assign(ones)
    reached = shared(np.random.default_rng(5).normal(size=(1000, 6)).astype(np.float32)).numpy()
    assert (np.sin(reached) ** 2).sum(axis=1).max() <= 1 + 1e-5


@pytest.mark.parametrize("transform", ["cosine", "arccos"])
def test_bounded_transforms_ignore_feature_length_and_stay_within_a_quarter_turn(transform):
    features = np.random.default_rng(2).normal(size=(64, 4)).astype(np.float32)
    layer = NormalizedDense(3, transform)
    predicted = layer(features).numpy()
    np.testing.assert_allclose(predicted, layer(features * 100).numpy(), atol=1e-5)
    aligned = layer(tf.transpose(layer.kernel)).numpy()
    limit = np.pi / 2 + 1e-6
    assert np.abs(predicted).max() <= limit and np.abs(aligned).max() <= limit
    assert np.abs(aligned).max() > np.pi / 2 - 1e-2


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("transform", ["linear", "cosine", "arccos"])
def test_saved_and_loaded_layer_gives_the_same_output(tmp_path, transform, separate):
    model = keras.Sequential([keras.Input((6,)), NormalizedDense(3, transform, separate)])
    features = np.random.default_rng(3).normal(size=(5, 6)).astype(np.float32)
    expected = model.predict(features, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(features, verbose=0), expected)
    assert loaded.layers[-1].transform == transform
    assert loaded.layers[-1].separate == separate


def test_output_is_float32_under_mixed_precision():
    layer = NormalizedDense(3, "arccos", dtype="mixed_bfloat16")
    assert layer(tf.zeros((1, 4), tf.bfloat16)).dtype == tf.float32


def test_unknown_transform_is_named_in_the_error():
    with pytest.raises(RankPoseError, match="transform: expected one of linear.*'tanh'"):
        NormalizedDense(3, "tanh")


def test_resize_leaves_pictures_of_the_right_size_alone_and_antialiases_others():
    layer = AntialiasedResize(32)
    same = np.random.default_rng(4).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(layer(same), same)
    checkerboard = np.indices((256, 256)).sum(0) % 2 * 255.0
    picture = np.repeat(checkerboard[None, :, :, None], 3, -1).astype(np.float32)
    assert np.abs(layer(picture).numpy() - 127.5).max() < 3.0


def test_caffe_preprocessing_equals_keras_applications():
    pictures = np.random.default_rng(5).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    expected = keras.applications.resnet50.preprocess_input(pictures.copy())
    np.testing.assert_allclose(CaffePreprocessing()(pictures), expected, atol=1e-4)


def test_resize_fits_a_picture_that_is_not_square_whole_and_black_beside_it():
    picture = np.full((1, 64, 32, 3), 200.0, np.float32)
    fitted = AntialiasedResize(32)(picture).numpy()[0]
    np.testing.assert_allclose(fitted[:, 9:23], 200.0, atol=1e-3)
    np.testing.assert_allclose(fitted[:, :7], 0.0, atol=1e-3)
    np.testing.assert_allclose(fitted[:, 25:], 0.0, atol=1e-3)


def test_resize_is_the_crop_of_the_whole_picture():
    picture = np.random.default_rng(6).uniform(0, 255, (90, 50, 3)).astype(np.float32)
    square = square_crops.square_around(tf.constant([0.0, 0.0, 50.0, 90.0]), 1.0)
    expected = square_crops.crop_and_resize(picture, square, 32)
    fitted = AntialiasedResize(32)(picture[np.newaxis])[0]
    np.testing.assert_allclose(fitted, expected, atol=1e-3)
