"""A trained model -> the files that come with the package: rankpose_tf/weights/."""

import hashlib
import os
import pathlib
import shutil
import tempfile

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import comparison, tflite
from rankpose_tf.models import shipped
from rankpose_tf.models.saving import load_model

CALIBRATION_VIEWS = 300
_KINDS = tuple(shipped.SUFFIXES)


def ship(model, name, calibration_data):
    """Writes a shipped model's files and their checksums over those that are there.

    All are made before the first takes its place.

    Args:
      model: workdir of rankpose_tf.train, or a .keras file.
      name: of the model, one of `shipped.MODELS`.
      calibration_data: prepared folder of training views, for int8.

    Returns:
      Paths of the files, checksums among them.

    Raises:
      RankPoseError: for another name, or a model or data that can't be used.
    """
    if name not in shipped.MODELS:
        raise RankPoseError(
            f"ship: expected one of {', '.join(shipped.MODELS)}, received {name!r}; a new model "
            "is named in rankpose_tf/models/shipped.py first"
        )
    if not calibration_data:
        raise RankPoseError("calibration_data: int8 needs --calibration_data=PREPARED")
    network, description = load_model(model, errors=True)
    views = comparison.some_views(calibration_data, description, CALIBRATION_VIEWS)
    with tempfile.TemporaryDirectory(prefix=".ship-", dir=shipped.FOLDER) as stage:
        made = {kind: pathlib.Path(stage, shipped.file(name, kind).name) for kind in _KINDS}
        path = pathlib.Path(model)
        shutil.copyfile(path / "best.keras" if path.is_dir() else path, made["keras"])
        tflite.write(network, description, "fp32", made["fp32"])
        tflite.write(network, description, "int8", made["int8"], views)
        return [place for kind in _KINDS for place in _move(made[kind], shipped.file(name, kind))]


def _move(path, place):
    """Puts a finished file and its checksum in their places."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    os.chmod(path, 0o644)
    os.replace(path, place)
    checksum = shipped.checksum_file(place)
    files.write_text(checksum, f"{digest}  {place.name}\n")
    return place, checksum
