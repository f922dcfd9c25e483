"""The compact tower: a small residual network for CPUs and phones, 64 to 112 pixels."""

import keras

_STEM = 24
# Width and number of residual blocks of each stage; every stage halves the picture.
_STAGES = ((32, 1), (64, 2), (128, 2))
_FEATURES = 192


def compact_features(images):
    """Residual stages and a global depthwise convolution.

    Plain 3x3 convolutions, ReLU6 and batch normalisation only, so that everything folds and
    quantises to int8. The last map is reduced by a depthwise convolution as large as the map, not
    by an average: where a feature lies says how the head is turned.

    Args:
      images: (B, S, S, 3), about -1..1, S a multiple of 16 from 32 on.

    Returns:
      (B, 192) features.
    """
    maps = _convolution(images, _STEM, kernel=3, stride=2, name="stem")
    for stage, (width, blocks) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            stride = 2 if block == 0 else 1
            maps = _residual_block(maps, width, stride, name=f"stage{stage}_block{block + 1}")
    maps = _convolution(maps, _FEATURES, kernel=1, stride=1, name="expand")
    maps = keras.layers.DepthwiseConv2D(maps.shape[1:3], use_bias=False, name="gather")(maps)
    maps = keras.layers.BatchNormalization(name="gather_normalization")(maps)
    return keras.layers.Flatten(name="flatten")(maps)


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
