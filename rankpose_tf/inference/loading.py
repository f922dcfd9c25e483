"""From the file of a model to an estimator: shipped, .keras, workdir, SavedModel or .tflite.

TensorFlow is imported when a Keras model or a SavedModel is loaded, and not at all for a .tflite
file, which is also what a shipped model is loaded from.
"""

import numbers
import os
import pathlib

import numpy as np

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import litert, runtimes, savedmodel_operations
from rankpose_tf.inference.estimator import PoseEstimator
from rankpose_tf.models import shipped

RUNTIMES = ("litert", "keras")
PRECISIONS = ("fp32", "int8")
_ANOTHER = "load another copy of it"
# Of a network's pictures, pixels.
_LARGEST_SIDE = 4096


def load(
    model: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    *,
    precision: str | None = None,
    runtime: str | None = None,
) -> PoseEstimator:
    """Loads a model, whatever its format, and runs it once.

    Args:
      model: name of a shipped model, "wide" or "compact"; workdir of rankpose_tf.train; .keras
        file; folder of a SavedModel, or the folder of its versions, of which the newest is taken;
        .tflite file.
        None is the shipped model "wide". A folder of a shipped model's name is "./wide".
      threads: how many the network may use; None leaves it to the format (LiteRT: two for a
        picture alone, one for those of a batch). TensorFlow's belong to the process: they can't
        be changed once it has run.
      precision: of a shipped model: "fp32", or "int8", which is a third of the size, differs from
        fp32 by 0.2 degrees on average, and is faster on CPUs with VNNI only (docs/export.md). None
        is fp32. Any other model has the precision of its file.
      runtime: of a shipped model: "litert", or "keras", which imports TensorFlow and gives the
        same poses within 0.001 degrees. None is litert. Any other model has that of its format.

    Returns:
      `PoseEstimator`.

    Raises:
      RankPoseError: for a model that is absent, of another kind or damaged, a package that is not
        installed, a precision or runtime that the model does not have, or threads that can't be
        set.
    """
    whole = isinstance(threads, numbers.Integral) and not isinstance(threads, bool)
    if threads is not None and not (whole and threads >= 1):
        raise RankPoseError(f"threads: expected a whole number from 1, received {threads!r}")
    threads = None if threads is None else int(threads)
    if not (model is None or isinstance(model, str | os.PathLike)) or model == "":
        raise RankPoseError(f"model: expected a name or a path, received {model!r}")
    _check("precision", precision, PRECISIONS)
    _check("runtime", runtime, RUNTIMES)
    name = shipped.DEFAULT if model is None else model
    if name in shipped.MODELS:
        network, description = _load_shipped(name, threads, precision or "fp32", runtime)
    else:
        path = pathlib.Path(os.path.expanduser(name))
        network, description = _load_path(path, threads, precision, runtime)
    _check_description(model, description)
    estimator = PoseEstimator(network, description)
    side = estimator.input_size
    # A network may be of no use though its file could be read: with layers that do not fit, say.
    with damage.told("model", name, _ANOTHER, "can't be run", others=(Exception,)):
        estimator.predict_crops(np.zeros((1, side, side, 3), np.uint8))
    return estimator


def _check_description(model, description):
    """Refuses a description that a crop can't be made by; a file may say anything of itself."""
    if not isinstance(description, dict):
        raise RankPoseError(f"model: {str(model)!r} is damaged, its description is no dictionary")
    missing = {"input_size", "crop_scale"} - description.keys()
    if missing:
        raise RankPoseError(
            f"model: {str(model)!r} does not say its {' and '.join(sorted(missing))}; export it "
            "again with this version of rankpose_tf"
        )
    size, scale = description["input_size"], description["crop_scale"]
    if not (type(size) is int and 1 <= size <= _LARGEST_SIDE):
        raise RankPoseError(f"model: {str(model)!r} is damaged, its input_size is {size!r}")
    if not (isinstance(scale, numbers.Real) and 0.1 <= scale <= 100):
        raise RankPoseError(f"model: {str(model)!r} is damaged, its crop_scale is {scale!r}")


def _check(argument, value, known):
    if value is not None and value not in known:
        raise RankPoseError(f"{argument}: expected one of {', '.join(known)}, received {value!r}")


def _load_shipped(name, threads, precision, runtime):
    if runtime == "keras":
        if precision != "fp32":
            raise RankPoseError(
                f"precision: runtime 'keras' computes in fp32, received {precision!r}; leave "
                "runtime away for int8"
            )
        return _load_keras(shipped.path(name), threads)
    return _load_tflite(shipped.read(name, precision), threads)


def _load_path(path, threads, precision, runtime):
    try:
        own, path, load_format = _format_of(path)
    except OSError as error:
        raise RankPoseError(
            f"model: {str(path)!r} can't be looked at ({error.strerror}); pass the path of a model"
        ) from error
    if precision is not None or runtime not in (None, own):
        asked = f"precision {precision!r}" if precision is not None else f"runtime {runtime!r}"
        raise RankPoseError(
            f"model: {asked} chooses among the files of a shipped model, and {str(path)!r} is one "
            "file; export it with python -m rankpose_tf.export, and load the file it writes"
        )
    return load_format(path, threads)


def _format_of(path):
    """Runtime, path and loading function of the model at a path."""
    if path.suffix == ".tflite" and path.is_file():
        return "litert", path, _load_tflite
    if servable := newest_version(path):
        return "savedmodel", servable, _load_savedmodel
    if path.suffix == ".keras" or (path / "best.keras").is_file():
        return "keras", path, _load_keras
    raise RankPoseError(
        f"model: expected a workdir of rankpose_tf.train, a .keras file, the folder of a "
        f"SavedModel, a .tflite file or the name of a shipped model "
        f"({', '.join(shipped.MODELS)}), received {str(path)!r}, "
        + ("which is none of these" if path.exists() else "where there is nothing")
    )


def newest_version(path):
    """The SavedModel at a path.

    Args:
      path: of a SavedModel, or of a folder of numbered ones.

    Returns:
      `path`, its folder of the greatest number, or None where there is neither.
    """
    if (path / "saved_model.pb").is_file():
        return path
    versions = [p for p in path.iterdir() if p.name.isdecimal()] if path.is_dir() else []
    versions = [p for p in versions if (p / "saved_model.pb").is_file()]
    return max(versions, key=lambda version: int(version.name), default=None)


def _load_keras(path, threads):
    network = runtimes.keras(path, threads)
    from rankpose_tf.models.saving import read_description

    return network, read_description(path)


def _require_regular_files(folder):
    """Refuses pipes and devices, and links to them, which would be waited for, or never end."""
    # Its packages are not needed for a .tflite file.
    from rankpose_tf.core import files

    for name in files.walk(folder):
        if not (folder / name).is_file():
            raise RankPoseError(
                f"model: {str(folder / name)!r} is a link to nothing or no regular file; copy the "
                "folder again"
            )


def _load_savedmodel(folder, threads):
    what = "is no SavedModel of rankpose_tf.export, or it is damaged"
    # TensorFlow reports damage by many types.
    with damage.told("model", folder, "export it again", what, others=(Exception,)):
        _require_regular_files(folder)
        description = damage.json_object(
            "model", folder / runtimes.SAVEDMODEL_DESCRIPTION, "export it again"
        )
        savedmodel_operations.require_known(folder)
        return runtimes.savedmodel(folder, threads), description


def _load_tflite(file, threads):
    """Of a path, or of a file's content."""
    # First: LiteRT is never shown a file that is none of ours.
    description = litert.description(file)["model"]
    if not isinstance(file, bytes):  # A shipped file has been held against its checksum.
        litert.require_finite(file)
    return litert.predictor(file, threads), description
