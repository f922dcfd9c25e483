"""What a model answers in every format, for batches of several sizes, in a process of its own.

    TF_ENABLE_ONEDNN_OPTS=1 python -m tests.support.format_answers WORKDIR FOLDER OUT.npz

TensorFlow reads that variable once, when it is imported; without it, its kernels depend on the CPU.
OUT.npz has an array NAME/COUNT/OUTPUT for each output of each batch, or the text NAME/COUNT/error.
"""

import pathlib
import sys

import numpy as np

COUNTS = (0, 1, 65)
ANGLES = ("yaw", "pitch", "roll")
SIGNATURES = ("serving_default", "image", "crop")
VARIANTS = ("fp32", "fp16", "int8_dynamic", "int8")
NAMES = (
    *("keras", "keras_folded", "folded"),
    *(f"{loader}_{name}" for name in SIGNATURES for loader in ("savedmodel", "server")),
    *(f"tflite_{variant}" for variant in VARIANTS),
    *("onnx", "openvino"),
)


def pictures(count, side=32):
    """(count, side, side, 3) uint8, the same rows whatever the count."""
    return np.random.default_rng(7).integers(0, 256, (count, side, side, 3), np.uint8)


def main(workdir, folder, out):
    answers = {}
    for name, answer in _functions(pathlib.Path(workdir), pathlib.Path(folder)).items():
        for count in COUNTS:
            try:
                outputs = answer(pictures(count))
            except Exception as error:  # Each runtime has types of its own; the test says which.
                outputs = {"error": f"{type(error).__name__}: {error}"}
            answers |= {f"{name}/{count}/{key}": value for key, value in outputs.items()}
    np.savez(out, **answers)


def _functions(workdir, folder):
    """Name -> function (N, S, S, 3) uint8 -> dict of arrays."""
    functions = _of_tensorflow(workdir, folder)
    functions |= {f"tflite_{name}": _tflite(folder / f"{name}.tflite") for name in VARIANTS}
    return functions | {
        "onnx": _onnx(folder / "rankpose.onnx"),
        "openvino": _openvino(folder / "rankpose.xml"),
    }


def _of_tensorflow(workdir, folder):
    import tensorflow as tf

    from rankpose_tf.models import folding, saving
    from tests.support import session_loader

    network, _ = saving.load_model(workdir)
    functions = {"keras": _keras(network), "keras_folded": _keras(folding.fold(network))}
    session = session_loader.Session(folder / "folded")
    functions["folded"] = lambda images: session.run("serving_default", {"image": images})
    servable = session_loader.Session(folder / "savedmodel")
    loaded = tf.saved_model.load(str(folder / "savedmodel"))

    def in_server(name):
        return lambda images: servable.run(name, _inputs(name, images))

    def in_python(name):
        def answer(images):
            inputs = _inputs(name, images)
            types = {"image_bytes": tf.string, "image": tf.uint8, "box": tf.float32}
            given = {key: tf.constant(value, types[key]) for key, value in inputs.items()}
            outputs = loaded.signatures[name](**given)
            return {key: value.numpy() for key, value in outputs.items()}

        return answer

    for name in SIGNATURES:
        functions |= {f"server_{name}": in_server(name), f"savedmodel_{name}": in_python(name)}
    return functions


def _keras(network):
    def answer(images):
        degrees = np.degrees(network(images.astype(np.float32), training=False).numpy())
        return dict(zip(ANGLES, degrees.T, strict=True))

    return answer


def _inputs(signature, images):
    """The pictures as a signature of the SavedModel wants them; a box takes the whole picture."""
    import cv2

    if signature == "image":
        return {"image": images}
    # PNG, which loses nothing; OpenCV's channels are BGR.
    contents = [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in images]
    inputs = {"image_bytes": np.array(contents, object)}
    if signature == "crop":
        # A square of 1.4 times the box, as wide as the picture.
        side, half = images.shape[1], images.shape[1] / 1.4 / 2
        edges = np.float32([side / 2 - half] * 2 + [side / 2 + half] * 2)
        inputs["box"] = np.tile(edges, (len(images), 1))
    return inputs


def _tflite(path):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner("predict_batch")
    return lambda images: runner(image=images)


def _onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: dict(zip(ANGLES, session.run(ANGLES, {"image": images}), strict=True))


def _openvino(path):
    import openvino

    # A CPU with bfloat16 would use it unasked.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def answer(images):
        outputs = request.infer({"image": images})
        return {angle: outputs[angle].copy() for angle in ANGLES}

    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
