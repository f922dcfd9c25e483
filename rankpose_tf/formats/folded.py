"""Folded."""

import keras
import numpy as np


def fold(network):
    pairs = _foldable_pairs(network)
    convolutions = {id(convolution) for convolution, _ in pairs}
    normalizations = {id(normalization) for _, normalization in pairs}
    dropped = set()

    def clone(layer):
        if _is_nested(layer):
            return fold(layer)
        config = layer.get_config()
        if "dtype" in config:
            config["dtype"] = "float32"
        if id(layer) in convolutions:
            config["use_bias"] = True
        copy = type(layer).from_config(config)
        if id(layer) in normalizations:
            dropped.add(id(copy))
        return copy

    def call(layer, *args, **kwargs):
        if id(layer) in dropped:
            return args[0]
        if isinstance(layer, keras.layers.Flatten) and tuple(args[0].shape[1:3]) == (1, 1):
            return keras.ops.squeeze(args[0], axis=(1, 2))
        return layer(*args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=clone, call_function=call)
    weights = {c.name: _folded_weights(c, n) for c, n in pairs}
    for layer in folded.layers:
        if not _is_nested(layer):
            original = network.get_layer(layer.name)
            layer.set_weights(weights.get(layer.name, original.get_weights()))
    return folded


def _is_nested(layer):
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential)


def _foldable_pairs(network):
    pairs = []
    for layer in network.layers:
        if type(layer) is keras.layers.BatchNormalization and len(layer._inbound_nodes) == 1:
            maps = layer.input
            before = maps._keras_history.operation
            if (
                type(before) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
                and before.activation is keras.activations.linear
                and before.data_format == "channels_last"
                and layer.axis in (-1, 3)
                and len(before._outbound_nodes) == len(before._inbound_nodes) == 1
                and not any(maps is output for output in network.outputs)
            ):
                pairs.append((before, layer))
    return pairs


def _folded_weights(convolution, normalization):
    kernel, *bias = (w.astype(np.float64) for w in convolution.get_weights())
    bias = bias[0] if bias else 0.0
    n = normalization
    mean, variance = (np.asarray(w, np.float64) for w in (n.moving_mean, n.moving_variance))
    gamma = np.asarray(n.gamma, np.float64) if n.scale else 1.0
    beta = np.asarray(n.beta, np.float64) if n.center else 0.0
    factor = gamma / np.sqrt(variance + n.epsilon)
    shape = kernel.shape[2:] if isinstance(convolution, keras.layers.DepthwiseConv2D) else (-1,)
    return [kernel * factor.reshape(shape), beta + (bias - mean) * factor]
