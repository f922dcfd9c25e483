"""The file of a trained model: a .keras archive, with a description of the model inside."""

import json
import pathlib
import zipfile

import keras

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import expected_error, trust

# The registered layers have to be known before a file names them.
from rankpose_tf.models.layers import AnyBatch

FORMAT_VERSION = 1
_DESCRIPTION = "rankpose.json"


def save_model(model, path, description):
    """Saves a single-image model with what its users must know, whole or not at all.

    Args:
      model: the tower.
      path: where to, ending in .keras.
      description: JSON-able dict: tower, input_size, transform, crop_scale and what else helps.
    """
    with files.replaced(path) as beside:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            content = {"format_version": FORMAT_VERSION, **description}
            archive.writestr(_DESCRIPTION, json.dumps(content, indent=2))


def read_description(path):
    """What `save_model` wrote beside the weights.

    Raises:
      RankPoseError: if the file is absent, no model of this package, or of another format.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.is_file():
        raise RankPoseError(
            f"model: no file {path.name!r} in {str(path.parent)!r}; expected a workdir of "
            "rankpose_tf.train or a .keras file"
        )
    with damage.told("model", path, "expected a model that rankpose_tf.train wrote"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _DESCRIPTION in names or "config.json" not in names:
                description = dict(json.loads(archive.read(_DESCRIPTION)))
            else:
                description = None
    if description is None:
        raise RankPoseError(
            f"model: {str(path)!r} was saved by Keras, which leaves out what rankpose_tf has to "
            f"know beside the network; call rankpose_tf.save({str(path)!r}, NEW_FILE, like=MODEL) "
            "once, with the model that it was trained from (wide, compact, a workdir or a file)"
        )
    if description.get("format_version") != FORMAT_VERSION:
        raise RankPoseError(
            f"model: {str(path)!r} has format {description.get('format_version')}, this version of "
            f"rankpose_tf reads format {FORMAT_VERSION}; use the version that wrote it "
            f"({description.get('rankpose_tf', 'unknown')}) or train again"
        )
    return description


def load_model(path, errors=False):
    """Loads a trained single-image model.

    Args:
      path: a workdir of rankpose_tf.train (its best.keras is taken) or a .keras file.
      errors: give the expected errors too, of a model that has them (docs/expected_error.md).

    Returns:
      The model, (B, H, W, 3) RGB 0..255 -> (B, 3) radians, B = 0 included, and its description, a
      dict. With expected errors (B, 6): yaw, pitch, roll, then the error of each.

    Raises:
      RankPoseError: if the file is absent, foreign, damaged or of another format, claims a size
        that no network of this package has, or has weights that are not finite.
    """
    network, description = read_network(path), read_description(path)
    outputs = expected_error.outputs(network, errors)
    return AnyBatch(network.input, outputs, name=network.name), description


def read_network(path):
    """The network of a file as it was saved; arguments and errors as for `load_model`.

    Returns:
      Functional model: (B, H, W, 3) RGB 0..255 -> (B, 3) radians, or what
      `expected_error.with_head` says.
    """
    path = pathlib.Path(path)
    description = read_description(path)
    path = path / "best.keras" if path.is_dir() else path
    trust.require_bounded(path)
    what = "could not be read, it is damaged or was written by another Keras"
    # Keras reports damage by many types, from KeyError to OSError.
    with damage.told("model", path, "load another copy of it", what, others=(Exception,)):
        network = keras.models.load_model(path, compile=False)
    check_description(path, network, description)
    trust.require_finite(path, network)
    return network


def check_description(path, network, description):
    """Refuses a description of another model, which would crop, resize or export this one wrongly.

    Raises:
      RankPoseError: names the model by its `path`.
    """
    named = {layer.name: layer for layer in network.layers}
    if not {"pose", "resize"} <= named.keys():
        raise RankPoseError(
            f"model: {str(path)!r} is no single-image model; pass the best.keras of a workdir"
        )
    for key, built in (
        ("transform", named["pose"].transform),
        ("input_size", named["resize"].size),
    ):
        if description.get(key) != built:
            raise RankPoseError(
                f"model: {str(path)!r} is described with {key} {description.get(key)!r}, its "
                f"network has {built!r}; description and network are of two models, pass the "
                "file as rankpose_tf.train wrote it"
            )
