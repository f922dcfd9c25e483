"""The compact tower's features and the number that shapes it."""

import keras
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models.compact import compact_features


def features(size=32, **shape):
    pictures = keras.Input((size, size, 3))
    return keras.Model(pictures, compact_features(pictures, **shape))


def convolutions(network):
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [layer for layer in network.layers if isinstance(layer, kinds)]


def test_the_default_shape_is_the_one_that_saved_models_have():
    network = features(64)
    assert network.output_shape == (None, 192)
    widths = [network.get_layer(f"stage{i}_block1_1").filters for i in (1, 2, 3)]
    assert widths == [32, 64, 128]
    one, other = network.weights, features(64, width=1.0).weights
    assert [w.path for w in one] == [w.path for w in other]
    assert [w.shape for w in one] == [w.shape for w in other]


@pytest.mark.parametrize("width", [0.1, 0.5, 0.8, 1.3, 2.0])
def test_width_multiplies_every_layer_in_whole_eights(width):
    plain, scaled = features(), features(width=width)
    for before, after in zip(convolutions(plain), convolutions(scaled), strict=True):
        if isinstance(before, keras.layers.DepthwiseConv2D):
            continue
        assert after.filters % 8 == 0
        assert abs(after.filters - max(8, width * before.filters)) <= 4
    assert scaled.output_shape[-1] == scaled.get_layer("expand").filters


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"width": 0.0}, "compact_width: expected a number above 0, received 0.0"),
        ({"width": float("nan")}, "compact_width: expected"),
    ],
)
def test_a_wrong_shape_is_named(shape, message):
    with pytest.raises(RankPoseError, match=message):
        features(**shape)
