"""The compact tower: a small residual network for CPUs and phones, 64 to 112 pixels."""

import math

import keras

from rankpose_tf.core.errors import RankPoseError

_STEM = 24
# Width and number of residual blocks of each stage; every stage halves the picture.
_STAGES = ((32, 1), (64, 2), (128, 2))
_FEATURES = 192


def compact_features(images, width=1.0):
    """Residual stages and a global depthwise convolution.

    Plain 3x3 convolutions, ReLU6 and batch normalisation only, so that everything folds and
    quantises to int8. The last map is reduced by a depthwise convolution as large as the map, not
    by an average: where a feature lies says how the head is turned.

    Args:
      images: (B, S, S, 3), about -1..1, S a multiple of 16 from 32 on.
      width: multiplies the channels of every layer, which are then rounded to multiples of 8.

    Returns:
      (B, D) features, D = 192 at width 1.

    Raises:
      RankPoseError: for a width that is not above 0.
    """
    if not 0.0 < width < math.inf:
        raise RankPoseError(f"compact_width: expected a number above 0, received {width}")
    maps = _convolution(images, _scaled(_STEM, width), kernel=3, stride=2, name="stem")
    for stage, (channels, blocks) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            maps = _residual_block(
                maps,
                _scaled(channels, width),
                stride=2 if block == 1 else 1,
                name=f"stage{stage}_block{block}",
            )
    maps = _convolution(maps, _scaled(_FEATURES, width), kernel=1, stride=1, name="expand")
    maps = keras.layers.DepthwiseConv2D(maps.shape[1:3], use_bias=False, name="gather")(maps)
    maps = keras.layers.BatchNormalization(name="gather_normalization")(maps)
    return keras.layers.Flatten(name="flatten")(maps)


def _scaled(channels, width):
    """`width` times the channels, in whole eights: what CPUs' vector units are filled by."""
    return max(8, 8 * math.floor(channels * width / 8 + 0.5))


def _convolution(maps, width, kernel, stride, name, activate=True):
    """Convolution, batch normalisation and, unless it ends a block's branch, ReLU6."""
    maps = keras.layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(maps)
    maps = keras.layers.BatchNormalization(name=f"{name}_normalization")(maps)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(maps) if activate else maps


def _residual_block(maps, width, stride, name):
    """Two 3x3 convolutions beside a shortcut, which a 2x2 convolution brings to their shape."""
    branch = _convolution(maps, width, kernel=3, stride=stride, name=f"{name}_1")
    branch = _convolution(branch, width, kernel=3, stride=1, name=f"{name}_2", activate=False)
    if stride > 1 or maps.shape[-1] != width:
        maps = _convolution(maps, width, stride, stride, name=f"{name}_shortcut", activate=False)
    maps = keras.layers.Add(name=f"{name}_add")([branch, maps])
    return keras.layers.ReLU(6.0, name=f"{name}_out")(maps)
