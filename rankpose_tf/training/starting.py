"""The trained model that a run starts from, where --init names one.

Its weights are copied into a tower that is built anew, so that precision, optimizer and schedule
are the run's own. What the tower looks like is the model's to say: an option that says otherwise is
refused.
"""

import hashlib
import os
import pathlib

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving, shipped, towers

# Options that a model's weights settle.
ARCHITECTURE = ("tower", "input_size", "transform", "separate_features", "compact_width")
# Options that are the model's where nothing else is asked for.
_TAKEN_OVER = ("crop_scale",)


def file(init):
    """The .keras file that an --init names.

    Args:
      init: "shipped", the name of a shipped model, a workdir or a .keras file.

    Raises:
      RankPoseError: if there is none.
    """
    path = shipped.model_path("" if init == "shipped" else init)
    path = pathlib.Path(os.path.expanduser(path))
    path = path / "best.keras" if path.is_dir() else path
    if not path.is_file():
        raise RankPoseError(
            f"init: no file {path.name!r} in {str(path.parent)!r}; expected shipped, "
            f"{', '.join(shipped.MODELS)}, a workdir of rankpose_tf.train or a .keras file"
        )
    return path


def checksum(init):
    """SHA-256 of the file that an --init names, in hexadecimal."""
    return hashlib.sha256(file(init).read_bytes()).hexdigest()


def record(init):
    """Path and checksum of the start model, for result.json."""
    return {"path": str(file(init).resolve()), "sha256": checksum(init)}


def completed(options, given):
    """Options of a `Recipe` with what its start model settles.

    Args:
      options: dict of all options.
      given: names of those that were asked for.

    Raises:
      RankPoseError: if the file is no model of ours, or has another tower than was asked for.
    """
    if not options["init"]:
        return options
    about = _about(options["init"])
    _compare(about, options, [name for name in ARCHITECTURE if name in given])
    return {**options, **{name: about[name] for name in about.keys() - set(given)}}


def check(recipe):
    """Refuses a recipe whose tower is not the one of its start model.

    Raises:
      RankPoseError: says the first option that differs, and both values.
    """
    _compare(_about(recipe.init), vars(recipe), ARCHITECTURE)


def _compare(about, options, names):
    for name in names:
        if name in about and options[name] != about[name]:
            raise RankPoseError(
                f"{name}: expected {about[name]}, as the model --init={options['init']} has, "
                f"received {options[name]}; leave out --{name}, or start from another model"
            )


def _about(init):
    """What a model's description says of `ARCHITECTURE` and `_TAKEN_OVER`."""
    path = file(init)
    try:
        description = saving.read_description(path)
    except RankPoseError as error:
        raise RankPoseError(f"init: {str(error).removeprefix('model: ')}") from error
    known = {**description.get("recipe", {}), **description}
    return {name: known[name] for name in (*ARCHITECTURE, *_TAKEN_OVER) if name in known}


def copy_weights(init, tower):
    """Gives a tower the weights of a trained model of the same shape.

    Args:
      init: as for `file`.
      tower: from `towers.build_tower`.

    Raises:
      RankPoseError: if the file is damaged, or its layers are others.
    """
    network, _ = saving.load_model(file(init))
    trained = {layer.name: layer.get_weights() for layer in network.layers}
    for layer in tower.layers:
        weights = trained.get(layer.name, [])
        if [w.shape for w in weights] != [tuple(w.shape) for w in layer.weights]:
            raise RankPoseError(
                f"init: the layer {layer.name!r} of {str(file(init))!r} has other weights than the "
                "tower it describes; the file is damaged or was changed, pass it as "
                "rankpose_tf.train wrote it"
            )
        layer.set_weights(weights)


def freeze_normalization(model):
    """Makes every BatchNormalization of a model a constant: statistics, scale and shift."""
    for layer in towers.normalizations(model):
        layer.trainable = False
