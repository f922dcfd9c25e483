"""LiteRT: what runs a .tflite file, and what the file says of itself. No TensorFlow."""

import functools
import io
import json
import os
import pathlib
import zipfile

import numpy as np

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns
from rankpose_tf.inference import sharing

_EXPORT_AGAIN = "export the model again"
# In the zip archive at the end of a .tflite file.
DESCRIPTION = "rankpose.json"


def predictor(path, threads=None):
    """What the signature `predict` of a .tflite file says, on LiteRT; pictures one by one.

    Args:
      path: of the file, or its content as bytes.
      threads: of an interpreter; None is two for a picture alone, if there are two cores, and one
        for each of several: whoever has a batch needs the other core to read the next.

    Returns:
      `sharing.Predictor`; calls from several threads run side by side, and in a forked process the
      file is opened anew.

    Raises:
      RankPoseError: if ai-edge-litert is not installed, or the file is damaged.
    """
    content = path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()
    with damage.told("model", _path(path), _EXPORT_AGAIN, others=(RuntimeError,)):
        return sharing.Predictor(_open, content, threads)


def _open(content, threads):
    alone, batches = (
        sharing.Pool(functools.partial(_runner, content, count)) for count in _threads(threads)
    )
    # A damaged file is told now.
    with alone.one() as run:
        names = columns(run.get_output_details())

    def predict(pictures):
        degrees = np.empty((len(pictures), len(names)), np.float32)
        with (alone if len(pictures) == 1 else batches).one() as run:
            for row, picture in zip(degrees, pictures, strict=True):
                answers = run(image=picture[np.newaxis])
                row[:] = [answers[name][0] for name in names]
        return degrees

    return predict


def _threads(threads):
    """Threads for a picture alone, and for each of several."""
    return (threads, threads) if threads else (min(2, os.cpu_count() or 1), 1)


def _runner(content, threads):
    return interpreter(content, threads).get_signature_runner("predict")


def require_finite(path):
    """Refuses a .tflite file with a float32 weight that is no finite number.

    LiteRT takes it as it is, and a ReLU behind it hides that it is none.

    Args:
      path: of the file.

    Raises:
      RankPoseError: if it has one, or is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    # A damaged offset leads anywhere.
    with damage.told("model", path, _EXPORT_AGAIN, others=(Exception,)):
        model = schema.Model.GetRootAs(pathlib.Path(path).read_bytes(), 0)
        graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
        tensors = [g.Tensors(index) for g in graphs for index in range(g.TensorsLength())]
        floats = [t.Buffer() for t in tensors if t.Type() == schema.TensorType.FLOAT32]
        contents = [model.Buffers(index).DataAsNumpy() for index in set(floats)]
        # A buffer without content gives 0.
        weights = [np.asarray(c, np.uint8).view(np.float32) for c in contents if np.ndim(c)]
    if not all(np.isfinite(weight).all() for weight in weights):
        raise RankPoseError(
            f"model: {str(path)!r} has weights that are not finite; export it again from a model "
            "that has not failed in training"
        )


def description(path):
    """What the description in a .tflite file says.

    Args:
      path: of the file, or its content as bytes.

    Raises:
      RankPoseError: if the file is absent or none that this package wrote.
    """
    if not isinstance(path, bytes) and not pathlib.Path(path).is_file():
        raise RankPoseError(f"model: there is no file {str(path)!r}")
    advice = f"expected a .tflite file of rankpose export; {_EXPORT_AGAIN}"
    with damage.told("model", _path(path), advice):
        with zipfile.ZipFile(io.BytesIO(path) if isinstance(path, bytes) else path) as archive:
            content = dict(json.loads(archive.read(DESCRIPTION)))
        if "model" not in content:
            raise ValueError("it does not describe its model")
        return content


def _path(path):
    return "the content" if isinstance(path, bytes) else path


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
