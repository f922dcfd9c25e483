"""ONNX, opset 17, from the folded network: for ONNX Runtime and what else reads the format.

The converter is tf2onnx. It can't carry metadata, and it sorts the outputs by name; both are
mended here.
"""

import json

import rankpose_tf
from rankpose_tf.core import extras, files
from rankpose_tf.core.expected_error import ANGLES, columns_of
from rankpose_tf.models import folding

OPSET = 17


def metadata(description, labels=ANGLES):
    """What a user of a bare file must know.

    Args:
      description: of the model, see `saving.load_model`.
      labels: names of the outputs.

    Returns:
      Dict of strings.
    """
    size = description["input_size"]
    return {
        "labels": ",".join(labels),
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
      network: single-image model, (B, H, W, 3) RGB 0..255 -> (B, 3) or (B, 6) radians.
      description: what `load_model` returned with it; its input_size is S.
      path: where to, ending in .onnx. Input there: image (B, S, S, 3) uint8 RGB; outputs: yaw,
        pitch, roll, each (B,) float32 degrees, and their expected errors, yaw_error and so on,
        where the network has them; metadata_props as in `metadata`.

    Raises:
      RankPoseError: if tf2onnx or onnx is not installed.
    """
    onnx, tf2onnx = (extras.load(name, "onnx", "formats") for name in ("onnx", "tf2onnx"))
    pose = folding.pose_function(folding.fold(network), description["input_size"])
    model, _ = tf2onnx.convert.from_function(
        pose, input_signature=pose.input_signature, opset=OPSET
    )
    ends = {output.name: output for output in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(ends[name] for name in columns_of(network))
    onnx.helper.set_model_props(model, metadata(description, columns_of(network)))
    onnx.checker.check_model(model, full_check=True)
    with files.replaced(path) as beside:
        onnx.save(model, str(beside))
