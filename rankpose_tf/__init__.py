"""RankPose: head pose from one picture (Keras).

    import rankpose_tf
    estimator = rankpose_tf.load()
    pose = estimator.predict("face.jpg")

TensorFlow is imported by `load` if the model needs it, never by the import of this package. Where
keras is imported, before or after it, `keras.models.load_model` reads our .keras files.
"""

from typing import TYPE_CHECKING

from rankpose_tf.core import keras_layers

if TYPE_CHECKING:  # What `__getattr__` gives, for type checkers and editors.
    from rankpose_tf.core.pose import Pose
    from rankpose_tf.inference.estimator import PoseEstimator
    from rankpose_tf.inference.loading import load
    from rankpose_tf.models.keras_models import save
    from rankpose_tf.prediction.live import track

__version__ = "0.1.0"
__all__ = ["Pose", "PoseEstimator", "load", "save", "track"]

keras_layers.register_when_imported()

_HOMES = {
    "Pose": "rankpose_tf.core.pose",
    "PoseEstimator": "rankpose_tf.inference.estimator",
    "load": "rankpose_tf.inference.loading",
    "save": "rankpose_tf.models.keras_models",
    "track": "rankpose_tf.prediction.live",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
