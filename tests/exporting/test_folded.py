"""Tests of rankpose_tf.exporting.folded."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import folded
from rankpose_tf.inference import runtimes
from rankpose_tf.models.layers import CaffePreprocessing
from rankpose_tf.models.towers import build_siamese, build_tower, single_image_model
from tests.support import session_loader

SIZE = 32
DESCRIPTION = {"tower": "compact", "input_size": SIZE, "transform": "arccos", "crop_scale": 1.4}


def randomised(network, seed=0):
    """Gives every normalisation statistics, scale and offset far from their first values."""
    random = np.random.default_rng(seed)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in layer.weights:
                spread = variable.name in ("gamma", "moving_variance")
                low, high = (0.5, 1.5) if spread else (-0.5, 0.5)
                variable.assign(random.uniform(low, high, variable.shape))
    return network


def pictures(count, size=SIZE, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def degrees(network, images):
    return np.degrees(network(images.astype(np.float32), training=False).numpy())


def kinds(network):
    return [type(layer) for layer in network._flatten_layers()]


@pytest.fixture(scope="module")
def network():
    return randomised(build_tower("compact", SIZE))


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folded") / "model"
    folded.write(network, DESCRIPTION, folder)
    return folder


def test_no_normalisation_is_left_and_the_poses_are_the_same(network):
    result = folded.fold(network)
    assert keras.layers.BatchNormalization in kinds(network)
    assert keras.layers.BatchNormalization not in kinds(result)
    images = pictures(8)
    expected = degrees(network, images)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(degrees(result, images), expected, atol=1e-3)


def test_the_original_is_untouched_and_shares_nothing(network):
    before = [value.copy() for value in network.get_weights()]
    result = folded.fold(network)
    for variable in result.weights:
        variable.assign(tf.zeros_like(variable))
    for value, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_input_of_any_size_is_kept(network):
    images = pictures(2, size=48)
    expected = degrees(network, images)
    np.testing.assert_allclose(degrees(folded.fold(network), images), expected, atol=1e-3)


def test_a_tower_out_of_a_siamese_model_folds():
    tower = randomised(single_image_model(build_siamese(build_tower("compact", SIZE), SIZE)))
    result = folded.fold(tower)
    assert keras.layers.BatchNormalization not in kinds(result)
    np.testing.assert_allclose(degrees(result, pictures(2)), degrees(tower, pictures(2)), atol=1e-3)


def test_resnet50_folds_inside_its_nested_model():
    network = randomised(build_tower("resnet50", SIZE, weights="none"))
    result = folded.fold(network)
    assert any(isinstance(layer, CaffePreprocessing) for layer in result.layers)
    assert keras.layers.BatchNormalization not in kinds(result)
    # Features, not degrees: 50 layers of random scales leave the poses of all pictures alike.
    images = tf.constant(pictures(2), tf.float32)
    found, expected = (
        keras.Model(model.input, model.get_layer("features").output)(images, training=False)
        for model in (result, network)
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


def test_weights_are_float32_whatever_the_network_was_trained_in():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = randomised(build_tower("compact", SIZE))
    finally:
        keras.config.set_dtype_policy(before)
    result = folded.fold(network)
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
    result = folded.fold(network)
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
    result = folded.fold(network)
    assert kinds(result).count(keras.layers.BatchNormalization) == 1
    given = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    found, expected = (keras.tree.flatten(m(given, training=False)) for m in (result, network))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_cpp_loader_gives_the_poses_of_keras(network, folder, batch):
    images = pictures(batch)
    with session_loader.Session(folder) as session:
        found = session.run("serving_default", {"image": images})
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(
        folded.ANGLES, (batch,)
    )
    expected = degrees(network, images)
    for column, angle in enumerate(folded.ANGLES):
        np.testing.assert_allclose(found[angle], expected[:, column], atol=1e-3)


def test_python_loads_the_signature(network, folder):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    images = pictures(3)
    found = signature(image=tf.constant(images))
    expected = dict(zip(folded.ANGLES, degrees(network, images).T, strict=True))
    assert sorted(found) == sorted(expected)
    for angle, value in expected.items():
        np.testing.assert_allclose(found[angle], value, atol=1e-3)


def test_the_predictor_splits_many_pictures_and_keeps_their_order(network, folder):
    predict = runtimes.folded(folder)
    images = pictures(70)
    np.testing.assert_allclose(predict(images), degrees(network, images), atol=1e-3)
    assert predict(images[:0]).shape == (0, 3)


def test_one_file_with_each_weight_once_and_no_variables(network, folder):
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    assert file.name == "saved_model.pb"
    weights = sum(value.nbytes for value in folded.fold(network).get_weights())
    graph = folded.frozen_graph(network, SIZE).as_graph_def()
    assert not any("Variable" in node.op for node in graph.node)
    # The graph itself is about 30 kB, whatever the network weighs.
    assert file.stat().st_size < weights + 50_000


def test_an_existing_folder_is_not_overwritten(network, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(RankPoseError, match="exists"):
        folded.write(network, DESCRIPTION, tmp_path / "model")
    assert not any((tmp_path / "model").iterdir())


def test_nothing_is_left_of_a_folder_that_failed(tmp_path):
    with pytest.raises(OSError, match="disk"), folded.new_folder(tmp_path / "model") as beside:
        (beside / "half").write_text("half")
        raise OSError("disk is full")
    assert not any(tmp_path.iterdir())
