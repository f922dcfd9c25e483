"""Models of this package that a program of one's own trained on with Keras."""

import os
from typing import Any

import keras

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving, shipped

# Of the training that the model came from; it has another by now.
_OUTDATED = ("epoch", "validation_mae_degrees", "training_set")


def save(model: Any, path: str | os.PathLike[str], like: str | os.PathLike[str]) -> None:
    """Saves a model after Keras' own `fit`, so that `rankpose_tf.load` and every command take it.

    Keras' `save` keeps the network alone. What is lacking, the crop above all, is that of the model
    it came from.

    Args:
      model: single-image Keras model, or the .keras file that Keras saved.
      path: new file, ending in .keras.
      like: what the model came from: name of a shipped model, workdir or .keras file.

    Raises:
      RankPoseError: for a model that is none of this package's, one of another output or size than
        `like`, or a file that can't be read or made.
    """
    file = files.new_file("path", path, suffixes=(".keras",))
    description = saving.read_description(shipped.model_path(like))
    name = model
    if isinstance(model, str | os.PathLike):
        model = _read(model)
    elif isinstance(model, keras.Model):
        name = model.name
    else:
        raise RankPoseError(f"model: expected a Keras model or a .keras file, received {model!r}")
    saving.check_description(name, model, description)
    # Without optimizer and loss, which may be of classes that no other program knows.
    network = keras.Model(model.input, model.output, name="tower")
    kept = {key: value for key, value in description.items() if key not in _OUTDATED}
    saving.save_model(network, file, kept)


def _read(path):
    advice = "pass a .keras file that Keras saved"
    # Keras reports damage by many types, from KeyError to OSError.
    with damage.told("model", path, advice, "could not be read", others=(Exception,)):
        return keras.models.load_model(path, compile=False)
