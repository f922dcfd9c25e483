"""Untrained networks of 32 px whose answers depend on their input, and what to ask them."""

import keras
import numpy as np

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
