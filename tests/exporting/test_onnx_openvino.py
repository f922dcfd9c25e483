"""Tests of rankpose_tf.exporting.onnx and rankpose_tf.exporting.openvino."""

import importlib
import json

import keras
import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.exporting import onnx as onnx_format
from rankpose_tf.exporting import openvino as openvino_format
from rankpose_tf.inference import runtimes
from rankpose_tf.models.folding import fold
from rankpose_tf.models.towers import build_tower
from tests.support.networks import DESCRIPTION, SIZE, degrees, pictures, randomised

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def network():
    return randomised(build_tower("compact", SIZE))


@pytest.fixture(scope="module")
def onnx_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "rankpose.onnx"
    onnx_format.write(network, DESCRIPTION, path)
    return path


@pytest.fixture(scope="module")
def openvino_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("openvino") / "rankpose.xml"
    openvino_format.write(network, DESCRIPTION, path)
    return path


def test_onnx_is_valid_and_of_an_opset_that_runtimes_know(onnx_file):
    model = onnx.load(onnx_file)
    onnx.checker.check_model(model, full_check=True)
    (opset,) = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    assert opset >= 17
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)


def test_onnx_names_and_shapes(onnx_file):
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [SIZE, SIZE, 3])
    assert not isinstance(image.shape[0], int)
    assert [output.name for output in session.get_outputs()] == list(ANGLES)
    assert {output.type for output in session.get_outputs()} == {"tensor(float)"}


def test_onnx_says_what_it_is(onnx_file):
    found = {entry.key: entry.value for entry in onnx.load(onnx_file).metadata_props}
    assert found["labels"] == "yaw,pitch,roll"
    assert found["units"] == "degrees"
    assert float(found["crop_scale"]) == DESCRIPTION["crop_scale"]
    assert found["version"] == rankpose_tf.__version__
    assert found["licence"] == "Apache-2.0"
    assert json.loads(found["description"]) == DESCRIPTION


def test_openvino_names_shapes_and_what_it_is(openvino_file):
    model = openvino.Core().read_model(openvino_file)
    (image,) = model.inputs
    assert image.any_name == "image"
    assert image.element_type == openvino.Type.u8
    assert image.partial_shape == openvino.PartialShape([-1, SIZE, SIZE, 3])
    for output, angle in zip(model.outputs, ANGLES, strict=True):
        assert angle in output.names
    for key, value in onnx_format.metadata(DESCRIPTION).items():
        assert model.get_rt_info(["rankpose", key]).astype(str) == value


def test_openvino_weights_are_float32(network, openvino_file):
    weights = sum(value.nbytes for value in fold(network).get_weights())
    assert openvino_file.with_suffix(".bin").stat().st_size >= weights


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("threads", [1, 2])
def test_poses_are_those_of_keras(network, onnx_file, openvino_file, count, threads):
    images = pictures(count)
    expected = degrees(network, images)
    for runtime, path in ((runtimes.onnx, onnx_file), (runtimes.openvino, openvino_file)):
        found = runtime(path, threads)(images)
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("sign", [-1, 1])
def test_poses_at_the_border_of_arccos(network, tmp_path, sign):
    """At +-90 degrees the arc is vertical, and its divisor zero."""
    images = pictures(1)
    features = fold(network)
    head = features.get_layer("pose")
    vector = _features(features, images)[0]
    head.set_weights([sign * np.stack([vector] * 3, axis=1)])
    onnx_format.write(features, DESCRIPTION, tmp_path / "border.onnx")
    openvino_format.write(features, DESCRIPTION, tmp_path / "border.xml")
    expected = degrees(features, images)
    # Cosines are summed in float32, and arccos turns a rounding of e into sqrt(2 e) radians.
    bound = np.degrees(np.sqrt(2 * 1e-6))
    np.testing.assert_allclose(expected, -sign * 90, atol=bound)
    for runtime, name in ((runtimes.onnx, "border.onnx"), (runtimes.openvino, "border.xml")):
        found = runtime(tmp_path / name, 1)(images)
        np.testing.assert_allclose(found, -sign * 90, atol=bound)


def _features(network, images):
    model = keras.Model(network.input, network.get_layer("features").output)
    return model(images.astype(np.float32)).numpy()


@pytest.mark.parametrize(
    ("form", "suffix", "package", "extra"),
    [
        (onnx_format, ".onnx", "tf2onnx", "onnx"),
        (onnx_format, ".onnx", "onnx", "onnx"),
        (openvino_format, ".xml", "openvino", "openvino"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, tmp_path, network, form, suffix, package, extra):
    _remove(monkeypatch, package)
    with pytest.raises(RankPoseError, match=rf"{package}.*rankpose_tf\[{extra}\]"):
        form.write(network, DESCRIPTION, tmp_path / f"model{suffix}")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("runtime", "package", "extra"),
    [(runtimes.onnx, "onnxruntime", "onnx"), (runtimes.openvino, "openvino", "openvino")],
)
def test_a_missing_runtime_is_named(monkeypatch, runtime, package, extra):
    _remove(monkeypatch, package)
    with pytest.raises(RankPoseError, match=rf"{package}.*rankpose_tf\[{extra}\]"):
        runtime("model", 1)


def _remove(monkeypatch, package):
    present = importlib.import_module

    def absent(name, *args):
        if name == package:
            raise ImportError(f"No module named {name!r}")
        return present(name, *args)

    monkeypatch.setattr(importlib, "import_module", absent)


def test_nothing_is_left_of_a_conversion_that_failed(monkeypatch, tmp_path, network):
    def full(model, path, *args):
        with open(path, "w") as stream:
            stream.write("half")
        raise OSError("no space left")

    monkeypatch.setattr(onnx, "save", full)
    monkeypatch.setattr(openvino, "serialize", full)
    for form, name in ((onnx_format, "model.onnx"), (openvino_format, "model.xml")):
        with pytest.raises(OSError, match="space"):
            form.write(network, DESCRIPTION, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_openvino_wants_an_xml(tmp_path, network):
    with pytest.raises(RankPoseError, match=r"path: .*\.xml.*model\.bin"):
        openvino_format.write(network, DESCRIPTION, tmp_path / "model.bin")
