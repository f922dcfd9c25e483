"""From the file of a model to an estimator: .keras, workdir, SavedModel or .tflite.

TensorFlow is imported when a Keras model or a SavedModel is loaded, and not at all for a .tflite
file.
"""

import json
import pathlib
import threading

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference.estimator import PoseEstimator
from rankpose_tf.models import shipped


def load(model=None, threads=None):
    """Loads a model, whatever its format, and runs it once.

    Args:
      model: workdir of rankpose_tf.train; .keras file; folder of a SavedModel, or the folder of
        its versions, of which the newest is taken; .tflite file. None is the compact model that
        comes with the package.
      threads: how many the network may use; None leaves it to the format. TensorFlow's belong to
        the process: they can't be changed once it has run.

    Returns:
      `PoseEstimator`.

    Raises:
      RankPoseError: for a model that is absent, of another kind or damaged, a package that is not
        installed, or threads that can't be set.
    """
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise RankPoseError(f"threads: expected a whole number from 1, received {threads!r}")
    path = shipped.path() if model is None else pathlib.Path(model)
    if path.suffix == ".tflite" and path.is_file():
        network, description = _load_tflite(path, threads)
    elif servable := newest_version(path):
        network, description = _load_savedmodel(servable, threads)
    elif path.suffix == ".keras" or (path / "best.keras").is_file():
        network, description = _load_keras(path, threads)
    else:
        raise RankPoseError(
            f"model: expected a workdir of rankpose_tf.train, a .keras file, the folder of a "
            f"SavedModel or a .tflite file, received {str(path)!r}, "
            + ("which is none of these" if path.exists() else "where there is nothing")
        )
    missing = {"input_size", "crop_scale"} - description.keys()
    if missing:
        raise RankPoseError(
            f"model: {str(path)!r} does not say its {' and '.join(sorted(missing))}; export it "
            "again with this version of rankpose_tf"
        )
    estimator = PoseEstimator(network, description)
    side = estimator.input_size
    estimator.predict_crops(np.zeros((1, side, side, 3), np.uint8))
    return estimator


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
    _limit_tensorflow(threads)
    import tensorflow as tf

    from rankpose_tf.exporting import folded
    from rankpose_tf.models.saving import load_model

    keras_model, description = load_model(path)
    keras_model = folded.fold(keras_model)
    side = description["input_size"]

    # Not keras.predict, whose call costs several times a compact network.
    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])
    def network(crops):
        return keras_model(tf.cast(crops, tf.float32), training=False) * (180.0 / np.pi)

    return lambda crops: network(crops).numpy(), description


def _load_savedmodel(folder, threads):
    _limit_tensorflow(threads)
    from rankpose_tf.exporting import savedmodel

    try:
        description = json.loads((folder / savedmodel.DESCRIPTION).read_text(encoding="utf-8"))
        return savedmodel.predictor(folder), description
    except Exception as error:  # TensorFlow reports damage by many types.
        reason = " ".join(str(error).split())
        raise RankPoseError(
            f"model: {str(folder)!r} is no SavedModel of rankpose_tf.export, or it is damaged "
            f"({type(error).__name__}: {reason})"
        ) from error


def _load_tflite(path, threads):
    from rankpose_tf.exporting import tflite, tflite_metadata

    description = tflite_metadata.read(path)["model"]
    try:
        predict = tflite.predictor(path, threads)
    except (ValueError, RuntimeError) as error:
        if isinstance(error, RankPoseError):
            raise
        raise RankPoseError(f"model: {str(path)!r} is damaged ({error})") from error
    lock = threading.Lock()

    def network(crops):
        # An interpreter has one set of buffers.
        with lock:
            return predict(crops)

    return network, description


def _limit_tensorflow(threads):
    if threads is None:
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise RankPoseError(
            f"threads: received {threads}, but TensorFlow already runs in this process with "
            "another number; load before anything else uses it, or leave threads away"
        ) from error
