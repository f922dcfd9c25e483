"""A trained model made ready for inference: batch normalisation folded, weights frozen.

Each BatchNormalization right behind a convolution becomes part of that convolution's kernel and
bias ("Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, section 3.2). `frozen_graph` then makes the weights constants of one flat
graph.
"""

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from rankpose_tf.core.expected_error import columns_of
from rankpose_tf.models.layers import AnyBatch


def fold(network):
    """The same function with batch normalisation folded into the convolutions before it.

    A normalisation in inference is y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per
    channel. Behind a convolution x = K * image + b it equals a convolution with K' = K s and
    b' = beta + (b - mean) s, where s = gamma / sqrt(variance + epsilon).

    The rescaling of the picture to -1..1 is left where it is: its offset can't move behind the
    zeros that "same" padding adds.

    Args:
      network: functional model of single-input layers, nested functional models included.

    Returns:
      A new float32 functional model with the same input and outputs, for any number of pictures.
      A normalisation with anything but a linear convolution of its own before it stays. `network`
      is untouched.
    """
    folded = _folded(network)
    return AnyBatch(folded.input, folded.output, name=folded.name)


def _folded(network):
    pairs = _foldable_pairs(network)
    biased = {id(convolution) for convolution, _ in pairs}
    folded_away = {id(normalization) for _, normalization in pairs}
    dropped = set()

    def clone(layer):
        if _is_nested(layer):
            return _folded(layer)
        config = layer.get_config()
        if "dtype" in config:
            config["dtype"] = "float32"
        if id(layer) in biased:
            config["use_bias"] = True
        copy = type(layer).from_config(config)
        if id(layer) in folded_away:
            dropped.add(id(copy))
        return copy

    def call(layer, *args, **kwargs):
        if id(layer) in dropped:
            return args[0]
        if isinstance(layer, keras.layers.Flatten) and tuple(args[0].shape[1:3]) == (1, 1):
            # Flatten computes its shape at every call; four operations become one.
            return keras.ops.squeeze(args[0], axis=(1, 2))
        return layer(*args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=clone, call_function=call)
    weights = {pair[0].name: _folded_weights(*pair) for pair in pairs}
    for layer in folded.layers:
        if layer.weights and not _is_nested(layer):
            original = network.get_layer(layer.name)
            layer.set_weights(weights.get(layer.name) or original.get_weights())
    return folded


def _is_nested(layer):
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential)


def _foldable_pairs(network):
    """(convolution, normalisation) where only the normalisation sees the convolution's output."""
    pairs = []
    for layer in network.layers:
        if type(layer) is not keras.layers.BatchNormalization or len(layer._inbound_nodes) != 1:
            continue
        before = layer.input._keras_history.operation
        if (
            type(before) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
            and before.activation is keras.activations.linear
            and before.data_format == "channels_last"
            and layer.axis in (-1, 3)
            and len(before._inbound_nodes) == len(before._outbound_nodes) == 1
            and not any(layer.input is output for output in network.outputs)
        ):
            pairs.append((before, layer))
    return pairs


def _folded_weights(convolution, normalization):
    """Kernel and bias of the folded convolution, computed in float64."""
    kernel, *bias = (value.astype(np.float64) for value in convolution.get_weights())
    bias = bias[0] if bias else 0.0
    mean = np.asarray(normalization.moving_mean, np.float64)
    variance = np.asarray(normalization.moving_variance, np.float64)
    gamma = np.asarray(normalization.gamma, np.float64) if normalization.scale else 1.0
    beta = np.asarray(normalization.beta, np.float64) if normalization.center else 0.0
    factor = gamma / np.sqrt(variance + normalization.epsilon)
    # A depthwise kernel is (height, width, channels, multiplier), its output channels * multiplier.
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    per_output = factor.reshape(kernel.shape[2:]) if depthwise else factor
    return [kernel * per_output, beta + (bias - mean) * factor]


def pose_function(network, size):
    """The function that the files of this package's CPU formats hold.

    Args:
      network: (B, H, W, 3) RGB 0..255 -> (B, 3) radians, or (B, 6) with expected errors.
      size: side of the pictures, pixels, S.

    Returns:
      tf.function: image (B, S, S, 3) uint8 RGB -> dict of yaw, pitch, roll, each (B,) degrees, and
      yaw_error and so on where there are expected errors.
    """
    image = tf.TensorSpec((None, size, size, 3), tf.uint8, name="image")

    @tf.function(input_signature=[image])
    def pose(image):
        radians = network(tf.cast(image, tf.float32), training=False)
        degrees = tf.unstack(radians * (180 / np.pi), axis=-1)
        return dict(zip(columns_of(network), degrees, strict=True))

    return pose


def frozen_graph(network, size):
    """A network as one graph with named ends.

    Args:
      network: as for `pose_function`; what `fold` made, to be fast.
      size: side of the pictures, pixels, S.

    Returns:
      tf.Graph with the placeholder image:0, (B, S, S, 3) uint8, the outputs yaw:0, pitch:0,
      roll:0 and perhaps yaw_error:0 and so on, (B,) float32 degrees, and all weights as constants.
    """
    # A concrete function holds its variables by weak references; `network` outlives the freezing.
    concrete = pose_function(network, size).get_concrete_function()
    # structured_outputs is lost by freezing; the flat order of a dict is that of its sorted keys.
    frozen = convert_variables_to_constants_v2(concrete)
    names = columns_of(network)
    ends = dict(zip(sorted(names), frozen.outputs, strict=True))
    definition = frozen.graph.as_graph_def()
    for node in definition.node:
        # Names a gradient that exists only in the process that wrote the file.
        node.attr.pop("_gradient_op_type", None)
    graph = tf.Graph()
    with graph.as_default():
        outputs = tf.graph_util.import_graph_def(
            definition, return_elements=[ends[name].name for name in names], name=""
        )
        for name, tensor in zip(names, outputs, strict=True):
            tf.identity(tensor, name=name)
    return graph
