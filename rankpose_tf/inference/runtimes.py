"""What runs a model's file: one function a format, each with the same poses.

    predict = runtimes.PREDICTORS["tflite"](path, threads)
    degrees = predict(pictures)     (N, S, S, 3) uint8 RGB -> (N, 3); yaw, pitch, roll

A model with expected errors gives (N, 6), the errors of yaw, pitch and roll behind them.
Their packages are imported when a file is opened. What is returned may be called from several
threads, and pickled: a .tflite file is carried along, every other is opened again by its path.
"""

import os
import pathlib

import numpy as np

from rankpose_tf.core import extras
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns
from rankpose_tf.inference import litert, sharing

# In the folder of a SavedModel: the description of its model.
SAVEDMODEL_DESCRIPTION = "assets.extra/rankpose.json"
# Pictures whose maps are in memory at a time.
_BATCH = 32
# The process in which a network of TensorFlow's was opened, once there is one.
_tensorflow_process = []


def keras(path, threads=None):
    """A trained model as it is, in one graph.

    Args:
      path: a workdir of rankpose_tf.train, or a .keras file.
      threads: of TensorFlow, which belong to the process; None leaves them.

    Returns:
      `sharing.Predictor`.

    Raises:
      RankPoseError: as `saving.load_model`, and for threads that can't be set any more.
    """
    return sharing.Predictor(_open_keras, os.path.abspath(path), threads)


def _open_keras(path, threads):
    tf = _tensorflow(threads)
    from rankpose_tf.models.saving import load_model

    model, description = load_model(path, errors=True)
    side = description["input_size"]

    # Not keras.predict, whose call costs several times a compact network.
    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])
    def network(crops):
        return model(tf.cast(crops, tf.float32), training=False) * (180.0 / np.pi)

    return sharing.of_this_process(lambda crops: network(crops).numpy())


def savedmodel(path, threads=None):
    """What the signature `image` of a SavedModel says; pictures of any one size.

    Args:
      path: the version's folder.
      threads: as for `keras`.

    Returns:
      `sharing.Predictor`.
    """
    return sharing.Predictor(_open_savedmodel, os.path.abspath(path), threads)


def _open_savedmodel(path, threads):
    tf = _tensorflow(threads)
    # The function holds the loaded object too: its variables would die with it.
    loaded = tf.saved_model.load(path)
    names = columns(loaded.signatures["image"].structured_outputs)

    def predict(pictures):
        answers = loaded.signatures["image"](image=tf.constant(pictures))
        return np.stack([answers[name].numpy() for name in names], axis=1)

    return sharing.of_this_process(predict)


def folded(path, threads=None):
    """A folded SavedModel, in a session.

    Args:
      path: its folder.
      threads: as for `keras`.

    Returns:
      `sharing.Predictor`.
    """
    return sharing.Predictor(_open_folded, os.path.abspath(path), threads)


def _open_folded(path, threads):
    tf = _tensorflow(threads)
    from tensorflow.core.protobuf import config_pb2, saved_model_pb2

    options = tf.compat.v1.ConfigProto(
        # The first session of a process makes its threads, and would take every core.
        intra_op_parallelism_threads=tf.config.threading.get_intra_op_parallelism_threads(),
        inter_op_parallelism_threads=-1,
    )
    options.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
    content = saved_model_pb2.SavedModel.FromString(
        pathlib.Path(path, "saved_model.pb").read_bytes()
    )
    (meta_graph,) = content.meta_graphs
    signature = meta_graph.signature_def["serving_default"]
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
    session = tf.compat.v1.Session(graph=graph, config=options)
    ends = config_pb2.CallableOptions(
        feed=[signature.inputs["image"].name],
        fetch=[signature.outputs[name].name for name in columns(signature.outputs)],
    )
    # Session.run and Session.make_callable look their arguments up again at every call.
    return sharing.of_this_process(batched(session._make_callable_from_options(ends)))


def onnx(path, threads=None):
    """An ONNX file, in ONNX Runtime on the CPU.

    Args:
      path: of the file.
      threads: within an operation; None is ONNX Runtime's own choice.

    Returns:
      `sharing.Predictor`.

    Raises:
      RankPoseError: if onnxruntime is not installed.
    """
    return sharing.Predictor(_open_onnx, os.path.abspath(path), threads)


def _open_onnx(path, threads):
    onnxruntime = extras.load("onnxruntime", "onnx", "formats")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = columns(output.name for output in session.get_outputs())
    return batched(lambda images: session.run(list(names), {"image": images}))


def openvino(path, threads=None):
    """An OpenVINO model, compiled for the CPU.

    Args:
      path: the .xml.
      threads: of the whole inference; None is OpenVINO's own choice.

    Returns:
      `sharing.Predictor`.

    Raises:
      RankPoseError: if openvino is not installed.
    """
    return sharing.Predictor(_open_openvino, os.path.abspath(path), threads)


def _open_openvino(path, threads):
    core = extras.load("openvino", "openvino", "formats").Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        # Of CPUs with bfloat16, which it would use unasked.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(path, "CPU", settings)
    pool = sharing.Pool(compiled.create_infer_request)
    names = columns(output.get_any_name() for output in compiled.outputs)

    def run(images):
        with pool.one() as request:
            answers = request.infer({"image": images})
            return [answers[name] for name in names]

    return batched(run)


PREDICTORS = {
    "tflite": litert.predictor,
    "keras": keras,
    "savedmodel": savedmodel,
    "folded": folded,
    "onnx": onnx,
    "openvino": openvino,
}


def batched(run):
    """A function of pictures that never holds more than 32 pictures' maps at a time.

    Args:
      run: (B, S, S, 3) uint8 -> yaw, pitch, roll, and perhaps their errors, each (B,) degrees.

    Returns:
      Function: (N, S, S, 3) uint8 -> (N, 3) or (N, 6) degrees, in the same order.
    """

    def predict(images):
        starts = range(0, max(1, len(images)), _BATCH)
        return np.concatenate([np.stack(run(images[i : i + _BATCH]), axis=1) for i in starts])

    return predict


def _tensorflow(threads):
    """The module, with its threads set, in the process that may use it."""
    sharing.require_process(_tensorflow_process[-1:])
    try:
        import tensorflow as tf
    except ImportError as error:
        raise RankPoseError(
            f"model: this format needs TensorFlow, which can't be imported ({error}); pip install "
            "tensorflow keras, or load a .tflite file"
        ) from error
    _tensorflow_process[:] = [os.getpid()]
    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError as error:
            raise RankPoseError(
                f"threads: received {threads}, but TensorFlow already runs in this process with "
                "another number; load before anything else uses it, or leave threads away"
            ) from error
    return tf
