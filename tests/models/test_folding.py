"""Tests of rankpose_tf.models.folding."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.models import folding
from rankpose_tf.models.layers import CaffePreprocessing
from rankpose_tf.models.towers import build_siamese, build_tower, single_image_model
from tests.support.networks import SIZE, degrees, pictures, randomised


@pytest.fixture(scope="module")
def network():
    return randomised(build_tower("compact", SIZE))


def kinds(network):
    return [type(layer) for layer in network._flatten_layers()]


def test_no_normalisation_is_left_and_the_poses_are_the_same(network):
    result = folding.fold(network)
    assert keras.layers.BatchNormalization in kinds(network)
    assert keras.layers.BatchNormalization not in kinds(result)
    images = pictures(8)
    expected = degrees(network, images)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(degrees(result, images), expected, atol=1e-3)


def test_the_original_is_untouched_and_shares_nothing(network):
    before = [value.copy() for value in network.get_weights()]
    result = folding.fold(network)
    for variable in result.weights:
        variable.assign(tf.zeros_like(variable))
    for value, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_input_of_any_size_is_kept(network):
    images = pictures(2, size=48)
    expected = degrees(network, images)
    np.testing.assert_allclose(degrees(folding.fold(network), images), expected, atol=1e-3)


def test_a_tower_out_of_a_siamese_model_folds():
    tower = randomised(single_image_model(build_siamese(build_tower("compact", SIZE), SIZE)))
    result = folding.fold(tower)
    assert keras.layers.BatchNormalization not in kinds(result)
    np.testing.assert_allclose(degrees(result, pictures(2)), degrees(tower, pictures(2)), atol=1e-3)


def test_resnet50_folds_inside_its_nested_model():
    network = randomised(build_tower("resnet50", SIZE, weights="none"))
    result = folding.fold(network)
    assert any(isinstance(layer, CaffePreprocessing) for layer in result.layers)
    assert keras.layers.BatchNormalization not in kinds(result)
    # Features, not degrees: 50 layers of random scales leave the poses of all pictures alike.
    images = tf.constant(pictures(2), tf.float32)
    features, expected = (
        keras.Model(model.input, model.get_layer("features").output)(images, training=False)
        for model in (result, network)
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features / scale, expected / scale, atol=1e-5)


def test_weights_are_float32_whatever_the_network_was_trained_in():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = randomised(build_tower("compact", SIZE))
    finally:
        keras.config.set_dtype_policy(before)
    result = folding.fold(network)
    computed = {layer.compute_dtype for layer in result.layers}
    assert computed == {"float32"}


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_depthwise_and_plain_convolutions_of_every_kind(multiplier, bias, scaled):
    image = keras.Input((9, 9, 4))
    maps = keras.layers.DepthwiseConv2D(
        3, depth_multiplier=multiplier, use_bias=bias, bias_initializer="glorot_normal"
    )(image)
    maps = keras.layers.BatchNormalization(center=scaled, scale=scaled)(maps)
    maps = keras.layers.Conv2D(5, 3, padding="same", use_bias=bias)(maps)
    maps = keras.layers.BatchNormalization(center=scaled, scale=scaled, epsilon=0.1)(maps)
    network = randomised(keras.Model(image, maps))
    result = folding.fold(network)
    assert keras.layers.BatchNormalization not in kinds(result)
    given = np.random.default_rng(0).normal(size=(2, 9, 9, 4)).astype(np.float32)
    np.testing.assert_allclose(result(given), network(given, training=False), atol=1e-5)


def _behind_a_relu(image):
    maps = keras.layers.Conv2D(4, 3, activation="relu")(image)
    return keras.layers.BatchNormalization()(maps)


def _convolution_seen_by_others(image):
    maps = keras.layers.Conv2D(4, 3)(image)
    return keras.layers.Add()([maps, keras.layers.BatchNormalization()(maps)])


def _convolution_that_is_an_output(image):
    maps = keras.layers.Conv2D(4, 3)(image)
    return [maps, keras.layers.BatchNormalization()(maps)]


def _behind_the_input(image):
    return keras.layers.Conv2D(4, 3)(keras.layers.BatchNormalization()(image))


def _convolution_called_twice(image):
    convolution = keras.layers.Conv2D(4, 3, padding="same")
    return keras.layers.BatchNormalization()(convolution(convolution(image)))


@pytest.mark.parametrize(
    "build",
    [
        _behind_a_relu,
        _convolution_seen_by_others,
        _convolution_that_is_an_output,
        _behind_the_input,
        _convolution_called_twice,
    ],
)
def test_a_normalisation_that_no_convolution_can_take_stays(build):
    image = keras.Input((6, 6, 4))
    network = randomised(keras.Model(image, build(image)))
    result = folding.fold(network)
    assert kinds(result).count(keras.layers.BatchNormalization) == 1
    given = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    maps, expected = (keras.tree.flatten(m(given, training=False)) for m in (result, network))
    for array, other in zip(maps, expected, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-5)


def test_the_weights_live_until_they_are_frozen(network, monkeypatch):
    """A concrete function alone does not keep them: a collection then was an export that failed."""
    freeze = folding.convert_variables_to_constants_v2

    def freeze_after_a_collection(concrete):
        gc.collect()
        return freeze(concrete)

    monkeypatch.setattr(folding, "convert_variables_to_constants_v2", freeze_after_a_collection)
    graph = folding.frozen_graph(folding.fold(network), SIZE).as_graph_def()
    assert not any("Variable" in node.op or "ReadVariable" in node.op for node in graph.node)
