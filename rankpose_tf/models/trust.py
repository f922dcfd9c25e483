"""What a .keras file of unknown origin may not claim or hold.

Keras' safe mode runs no code that is in a file. It builds whatever layers the file claims, however
large, and takes weights that are not finite, which a ReLU hides: such a network answers ordinary
numbers.
"""

import json
import zipfile

import numpy as np

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError

# ResNet50, the largest tower, has 2,048 units in a layer and 95 MB.
_LARGEST_EXTENT = 8192
_LARGEST_BYTES = 1_000_000_000
_LARGEST_CONFIG = 10_000_000
# Keras unpacks every member into a temporary folder.
_MEMBERS = frozenset(("config.json", "metadata.json", "model.weights.h5", "rankpose.json"))
# Options of layers that say how large the network gets.
_EXTENTS = frozenset(
    "filters units size kernel_size strides pool_size padding depth_multiplier dilation_rate "
    "target_shape batch_shape input_shape output_dim input_dim n".split()
)


def require_bounded(path):
    """Refuses a .keras file that claims a network of a size that no face needs, or holds more.

    Args:
      path: of the file.

    Raises:
      RankPoseError: if it does, or is no archive of Keras.
    """
    with damage.told("model", path, "load another copy of it"):
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
            if strange := sorted(members.keys() - _MEMBERS):
                raise RankPoseError(
                    f"model: {str(path)!r} holds {strange[0]!r}, which no model of this package "
                    "has; it was not loaded"
                )
            if sum(members.values()) > _LARGEST_BYTES or members["config.json"] > _LARGEST_CONFIG:
                raise RankPoseError(
                    f"model: {str(path)!r} unpacks to {sum(members.values()):,} bytes, and a head "
                    f"pose network to {_LARGEST_BYTES:,} at most; it was not loaded"
                )
            extents = list(_extents(json.loads(archive.read("config.json"))))
    for name, number in extents:
        if abs(number) > _LARGEST_EXTENT:
            raise RankPoseError(
                f"model: {str(path)!r} claims a layer with {name} {number:,}, and no head pose "
                f"network has more than {_LARGEST_EXTENT:,}; it was not loaded"
            )


def _extents(config, name=""):
    """Yields (option, number) of all options that say a size, from a decoded config.json."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from _extents(value, key)
    elif isinstance(config, list):
        for value in config:
            yield from _extents(value, name)
    elif name in _EXTENTS and isinstance(config, int | float):
        yield name, config


def require_finite(path, network):
    """Refuses a network with a weight that is no finite number.

    Args:
      path: of its file, for the message.
      network: Keras model.

    Raises:
      RankPoseError: if it has one.
    """
    for weight in network.weights:
        if not np.isfinite(np.asarray(weight)).all():
            raise RankPoseError(
                f"model: {str(path)!r} has weights that are not finite, in {weight.path}; its "
                "training failed or the file is damaged: load another checkpoint"
            )
