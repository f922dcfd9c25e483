"""The trained models that come with the package.

`rankpose_tf/weights/` holds each as a .keras file, and the .tflite files that the package's own
export made of it, all with their checksums: `python -m rankpose_tf.export --ship=NAME` writes them
(docs/export.md). `flags/NAME.cfg` is how a model was trained, and `docs/results/` what the run
reported. The training pictures are for non-commercial research, and so are the models.
"""

import hashlib
import pathlib

from rankpose_tf.core.errors import RankPoseError

FOLDER = pathlib.Path(__file__).parents[1] / "weights"
# The names, which are the stems of their files. The first is taken where none is named.
MODELS = ("wide", "compact")
DEFAULT = MODELS[0]
# What a file is of -> how its name ends.
SUFFIXES = {"keras": ".keras", "fp32": "_fp32.tflite", "int8": "_int8.tflite"}


def file(name, kind):
    """Where a file lies, or would.

    Args:
      name: of a model.
      kind: one of SUFFIXES: keras, or the precision of the .tflite file.
    """
    return FOLDER / f"{name}{SUFFIXES[kind]}"


def checksum_file(path):
    """Where the checksum of a file lies."""
    return path.with_name(f"{path.name}.sha256")


def read(name=DEFAULT, kind="keras"):
    """Content of a file, whole and unchanged.

    Args:
      name: one of MODELS.
      kind: one of SUFFIXES.

    Raises:
      RankPoseError: if the file is absent or is not the one that was shipped.
    """
    path = file(name, kind)
    try:
        content = path.read_bytes()
        expected = checksum_file(path).read_text(encoding="ascii").split()[0]
    except (OSError, IndexError) as error:
        raise RankPoseError(
            f"model: this installation of rankpose_tf lacks its trained model ({error}); install "
            "it again, or pass the path of a model"
        ) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise RankPoseError(
            f"model: {str(path)!r} is damaged or was changed, its checksum is another; install "
            "rankpose_tf again, or pass the path of a model"
        )
    return content


def path(name=DEFAULT, kind="keras"):
    """Path of a file, whole and unchanged; arguments and errors as for `read`."""
    read(name, kind)
    return file(name, kind)


def model_path(model=None, default=DEFAULT):
    """What a command's --model means, as the path of a .keras file or workdir.

    Args:
      model: name of a shipped model, or a path, which is taken as it is; None or "" is `default`.
      default: name of a shipped model.

    Raises:
      RankPoseError: as for `read`.
    """
    name = model or default
    return path(name) if name in MODELS else pathlib.Path(name)
