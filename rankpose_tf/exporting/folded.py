"""A folded, inference-only SavedModel: float32, weights frozen, batch normalisation folded away.

What it is: the graph of `folding.frozen_graph`. TensorFlow's own optimiser, run when a session
opens the file, merges every convolution with its bias and ReLU6 and computes the output layer's
unit-length kernel once. There are no variables: nothing can be trained or restored.

How it is called for speed: through a session (C++, the C API, or `runtimes.folded`) whose
ConfigProto has inter_op_parallelism_threads -1, so that the graph runs in the caller's thread, and
experimental.executor_type SINGLE_THREADED_EXECUTOR. Other ways give the same numbers later: the
Python signature, `tf.saved_model.load(folder).signatures["serving_default"]`, adds about as much
time as the compact tower itself needs. With intra_op_parallelism_threads 2 the compact tower took
about twice as long for one picture as with 1, on two busy cores; it was not measured on idle ones.
"""

import contextlib
import os
import pathlib

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from rankpose_tf.core import files, leftovers
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns_of
from rankpose_tf.models.folding import fold, frozen_graph

SIGNATURE = "serving_default"


def write(network, description, folder):
    """Writes the folded SavedModel, whole or not at all.

    Args:
      network: single-image model, (B, H, W, 3) RGB 0..255 -> (B, 3) or (B, 6) radians.
      description: what `load_model` returned with it; its input_size is S.
      folder: where to; must not exist, its parent must. The signature "serving_default" there:
        image (B, S, S, 3) uint8 RGB -> yaw, pitch, roll, each (B,) float32 degrees, and their
        expected errors, yaw_error and so on, where the network has them.

    Raises:
      RankPoseError: if the folder is there already.
    """
    graph = frozen_graph(fold(network), description["input_size"])
    content = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta_graph = content.meta_graphs.add(graph_def=graph.as_graph_def())
    meta_graph.meta_info_def.tags.append(tf.saved_model.SERVING)
    meta_graph.meta_info_def.tensorflow_version = tf.__version__
    signature = meta_graph.signature_def[SIGNATURE]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["image"].CopyFrom(_tensor_info(graph, "image"))
    for name in columns_of(network):
        signature.outputs[name].CopyFrom(_tensor_info(graph, name))
    with new_folder(folder) as beside:
        (beside / "saved_model.pb").write_bytes(content.SerializeToString(deterministic=True))


def _tensor_info(graph, name):
    tensor = graph.get_tensor_by_name(f"{name}:0")
    return meta_graph_pb2.TensorInfo(
        name=tensor.name,
        dtype=tensor.dtype.as_datatype_enum,
        tensor_shape=tensor.shape.as_proto(),
    )


@contextlib.contextmanager
def new_folder(folder):
    """Yields an empty folder to write to; it gets the name `folder` only if the block succeeds.

    Args:
      folder: the final path; must not exist.

    Raises:
      RankPoseError: if it does.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise RankPoseError(
            f"folder: {str(folder)!r} exists, and nothing is overwritten; pass a new one"
        )
    with leftovers.beside(folder, folder=True) as beside:
        yield beside
        # It is private to its owner until here.
        os.chmod(beside, 0o777 & ~files.mask())
        os.rename(beside, folder)
