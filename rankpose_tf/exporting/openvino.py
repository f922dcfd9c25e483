"""OpenVINO's IR, float32, from the folded SavedModel: an .xml with the graph, a .bin with weights.

The model is read by OpenVINO's own TensorFlow frontend through `Core.read_model`, which, unlike
`openvino.convert_model`, sends no telemetry.
"""

import pathlib
import tempfile

from rankpose_tf.core import extras, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns_of
from rankpose_tf.exporting import folded
from rankpose_tf.exporting.onnx import metadata


def write(network, description, path):
    """Writes an OpenVINO model, whole or not at all.

    Args:
      network: single-image model, (B, H, W, 3) RGB 0..255 -> (B, 3) or (B, 6) radians.
      description: what `load_model` returned with it; its input_size is S.
      path: where to, ending in .xml; the weights go beside it, ending in .bin. Input there: image
        (B, S, S, 3) uint8 RGB; outputs: yaw, pitch, roll, each (B,) float32 degrees, and their
        expected errors where the network has them; rt_info "rankpose" as in `onnx.metadata`.

    Raises:
      RankPoseError: if the path ends otherwise, or openvino is not installed.
    """
    path = pathlib.Path(path)
    if path.suffix != ".xml":
        raise RankPoseError(f"path: expected a name ending in .xml, received {path.name!r}")
    openvino = extras.load("openvino", "openvino", "formats")
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "folded"
        folded.write(network, description, source)
        model = openvino.Core().read_model(source)
        # Read from a signature, the outputs come in the order of a hash table.
        results = [model.output(name).get_node() for name in columns_of(network)]
        model = openvino.Model(results, model.get_parameters(), "rankpose")
        for key, value in metadata(description, columns_of(network)).items():
            model.set_rt_info(value, ["rankpose", key])
        # The weights get their place first: an .xml is never without its .bin.
        with (
            files.replaced(path) as graph,
            files.replaced(path.with_suffix(".bin")) as weights,
        ):
            openvino.serialize(model, str(graph), str(weights))
