"""ONNX, opset 17, from the folded network: for ONNX Runtime and what else reads the format.

The converter is tf2onnx. It can't carry metadata, and it sorts the outputs by name; both are
mended here.
"""

import importlib
import json

import rankpose_tf
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import folded
from rankpose_tf.models import folding

OPSET = 17


def metadata(description):
    """What a user of a bare file must know.

    Args:
      description: of the model, see `saving.load_model`.

    Returns:
      Dict of strings.
    """
    size = description["input_size"]
    return {
        "labels": ",".join(folded.ANGLES),
        "units": "degrees",
        "input": f"image: (B, {size}, {size}, 3) uint8, RGB",
        "normalisation": "inside the model",
        "crop_scale": str(description["crop_scale"]),
        "version": rankpose_tf.__version__,
        "licence": "Apache-2.0",
        "description": json.dumps(description),
    }


def write(network, description, path):
    """Writes an ONNX file, whole or not at all.

    Args:
      network: single-image model, (B, H, W, 3) RGB 0..255 -> (B, 3) radians.
      description: what `load_model` returned with it; its input_size is S.
      path: where to, ending in .onnx. Input there: image (B, S, S, 3) uint8 RGB; outputs: yaw,
        pitch, roll, each (B,) float32 degrees; metadata_props as in `metadata`.

    Raises:
      RankPoseError: if tf2onnx or onnx is not installed.
    """
    onnx, tf2onnx = _package("onnx"), _package("tf2onnx")
    pose = folding.pose_function(folding.fold(network), description["input_size"])
    model, _ = tf2onnx.convert.from_function(
        pose, input_signature=pose.input_signature, opset=OPSET
    )
    ends = {output.name: output for output in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(ends[angle] for angle in folded.ANGLES)
    onnx.helper.set_model_props(model, metadata(description))
    onnx.checker.check_model(model, full_check=True)
    with files.replaced(path) as beside:
        onnx.save(model, str(beside))


def predictor(path, threads):
    """Opens an ONNX file in ONNX Runtime on the CPU.

    Args:
      path: file that `write` made.
      threads: threads within an operation, at least 1.

    Returns:
      Function: (N, S, S, 3) uint8 RGB -> (N, 3) degrees; yaw, pitch, roll.

    Raises:
      RankPoseError: if onnxruntime is not installed.
    """
    onnxruntime = _package("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return folded.batched(lambda images: session.run(list(folded.ANGLES), {"image": images}))


def _package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RankPoseError(
            f"formats: onnx needs the package {name}, which can't be imported ({error}); install "
            'it with pip install "rankpose_tf[onnx]"'
        ) from error
