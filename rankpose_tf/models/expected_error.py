"""The head that says by how much a pose may be off, on the features of a model that is trained.

Two hidden layers, then, for each angle, E = (pi / 2) sigmoid(z): between 0 and 90 degrees, and of
operations that every format has. It reads the features and changes nothing before them, so the
pose is the same number to the last bit with it and without.
"""

import keras
import numpy as np

LIMIT = np.pi / 2
_HIDDEN = ("error_hidden_1", "error_hidden_2")


@keras.saving.register_keras_serializable(package="rankpose_tf")
def up_to_a_right_angle(z):
    """(pi / 2) sigmoid(z): any shape -> radians within 0..pi/2."""
    return LIMIT * keras.ops.sigmoid(z)


def logit(error):
    """What `up_to_a_right_angle` makes the error of; the error (...) radians, kept off its ends."""
    share = np.clip(np.asarray(error, np.float64) / LIMIT, 1e-6, 1 - 1e-6)
    return np.log(share) - np.log1p(-share)


def new_head(features, hidden):
    """An untrained head.

    Args:
      features: D, how many features it reads.
      hidden: units of each of its two hidden layers.

    Returns:
      Functional model: (B, D) -> (B, 3) radians.
    """
    inputs = keras.Input((features,), name="features")
    maps = inputs
    for name in _HIDDEN:
        maps = keras.layers.Dense(hidden, "relu", name=name, dtype="float32")(maps)
    error = keras.layers.Dense(3, up_to_a_right_angle, name="error", dtype="float32")(maps)
    return keras.Model(inputs, error, name="expected_error")


def with_head(network, head):
    """A model with one output more.

    Args:
      network: single-image model of `towers.build_tower`.
      head: of `new_head`.

    Returns:
      Functional model: (B, H, W, 3) -> dict of pose and error, each (B, 3) radians; its layers
      are those of both.
    """
    maps = network.get_layer("features").output
    for layer in head.layers[1:]:
        maps = layer(maps)
    outputs = {"pose": network.get_layer("pose").output, "error": maps}
    return keras.Model(network.input, outputs, name=network.name)


def of_features(network, features):
    """The expected error (B, 3), radians, of features (B, D), by the head of a model."""
    for name in (*_HIDDEN, "error"):
        features = network.get_layer(name)(features)
    return features


def has_head(network):
    """Whether a model has the output `error`."""
    return any(layer.name == "error" for layer in network.layers)


def outputs(network, errors):
    """What of a model is used, as one tensor.

    Args:
      network: single-image model.
      errors: whether the expected errors are wanted, where the model has them.

    Returns:
      Symbolic (B, 3), pose, or (B, 6), expected error behind it, radians.
    """
    pose = network.get_layer("pose").output
    if not (errors and has_head(network)):
        return pose
    return keras.ops.concatenate([pose, network.get_layer("error").output], axis=-1)
