"""LiteRT: what runs a .tflite file, and what the file says of itself. No TensorFlow."""

import io
import json
import pathlib
import zipfile

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns
from rankpose_tf.inference import sharing

# In the zip archive at the end of a .tflite file.
DESCRIPTION = "rankpose.json"


def predictor(path, threads=None):
    """What the signature `predict` of a .tflite file says, on LiteRT; pictures one by one.

    Args:
      path: of the file, or its content as bytes.
      threads: of an interpreter; None is LiteRT's own choice, one.

    Returns:
      `sharing.Predictor`; calls from several threads run side by side, and in a forked process the
      file is opened anew.

    Raises:
      RankPoseError: if ai-edge-litert is not installed, or the file is damaged.
    """
    content = path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()
    try:
        return sharing.Predictor(_open, content, threads)
    except (ValueError, RuntimeError) as error:
        if isinstance(error, RankPoseError):
            raise
        raise RankPoseError(f"model: {_name(path)} is damaged ({error})") from error


def _open(content, threads):
    pool = sharing.Pool(lambda: interpreter(content, threads).get_signature_runner("predict"))
    # A damaged file is told now.
    with pool.one() as run:
        names = columns(run.get_output_details())

    def predict(pictures):
        degrees = np.empty((len(pictures), len(names)), np.float32)
        with pool.one() as run:
            for row, picture in zip(degrees, pictures, strict=True):
                answers = run(image=picture[np.newaxis])
                row[:] = [answers[name][0] for name in names]
        return degrees

    return predict


def description(path):
    """What the description in a .tflite file says.

    Args:
      path: of the file, or its content as bytes.

    Raises:
      RankPoseError: if the file is absent or none that this package wrote.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(path) if isinstance(path, bytes) else path) as archive:
            return json.loads(archive.read(DESCRIPTION))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise RankPoseError(
            f"model: {_name(path)} is not a .tflite file of rankpose_tf.export, or it is damaged "
            f"({error})"
        ) from error


def _name(path):
    return "the content" if isinstance(path, bytes) else repr(str(path))


def interpreter(content, threads):
    """An interpreter; it serves one call at a time.

    Args:
      content: bytes of a .tflite file.
      threads: of the interpreter; None is its own choice.

    Raises:
      RankPoseError: if ai-edge-litert is not installed.
      ValueError, RuntimeError: if the content is damaged.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise RankPoseError(
            "model: running a .tflite file needs the package ai-edge-litert, which can't be "
            f"imported ({error}); pip install ai-edge-litert"
        ) from error
    return Interpreter(model_content=content, num_threads=threads)
