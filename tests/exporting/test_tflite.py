"""TFLite files: parity with Keras, operators, signatures, sizes, what they say of themselves."""

import json
import math
import zipfile

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import tflite, tflite_metadata
from rankpose_tf.inference import litert
from rankpose_tf.models import layers, saving

SIZE = 32


@pytest.fixture(scope="module")
def network(every_format):
    return saving.load_model(every_format)


@pytest.fixture(scope="module")
def heads(rendered_crops):
    return rendered_crops


@pytest.fixture(scope="module")
def written(every_format):
    return every_format


@pytest.fixture(scope="module")
def expected(network, heads):
    return np.degrees(network[0].predict_on_batch(heads[:20].astype(np.float32)))


def interpreter(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path), num_threads=1)


@pytest.mark.parametrize(
    ("variant", "degrees"), [("fp32", 1e-3), ("fp16", 0.05), ("int8_dynamic", 1.5), ("int8", 2.5)]
)
def test_each_precision_is_as_near_to_keras_as_it_can_be(
    written, heads, expected, variant, degrees
):
    found = litert.predictor(written / f"{variant}.tflite", 1)(heads[:20])
    assert np.abs(found - expected).max() < degrees
    # A file whose answers were those of zeros or of other pictures would pass a loose bound.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_operators_are_builtin_and_none_is_flex_or_select(written, variant):
    names = tflite.operators(written / f"{variant}.tflite")
    assert "CONV_2D" in names and "DEPTHWISE_CONV_2D" in names
    assert set(names) <= tflite_metadata.builtin_operators()
    assert not [name for name in names if name.startswith(("Flex", "SELECT")) or name == "CUSTOM"]


def test_batch_normalisation_is_folded_into_the_convolutions(written):
    names = tflite_metadata.operators((written / "fp32.tflite").read_bytes())
    # What is left to multiply and add: pixels, degrees, 1 + x, and the residual block.
    assert names.count("MUL") <= 2 * 3
    assert names.count("ADD") <= 2 * (1 + 2)


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_signatures_have_names_types_and_shapes(written, variant):
    opened = interpreter(written / f"{variant}.tflite")
    assert set(opened.get_signature_list()) == {"predict", "predict_batch"}
    for name, batch in (("predict", 1), ("predict_batch", -1)):
        runner = opened.get_signature_runner(name)
        (image,) = runner.get_input_details().values()
        assert image["dtype"] == np.uint8
        assert list(image["shape_signature"]) == [batch, SIZE, SIZE, 3]
        outputs = runner.get_output_details()
        assert set(outputs) == {"yaw", "pitch", "roll"}
        assert {output["dtype"] for output in outputs.values()} == {np.float32}


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_outputs_lie_in_the_order_of_the_angles_for_who_counts_them(written, heads, variant):
    """The converter alone gives yaw, roll, pitch: a runtime that counts would swap two angles."""
    from ai_edge_litert.compiled_model import CompiledModel

    path = written / f"{variant}.tflite"
    compiled = CompiledModel.from_file(str(path))
    assert compiled.get_signature_list()["predict"]["outputs"] == ["yaw", "pitch", "roll"]
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    inputs[0].write(heads[0].ravel())
    compiled.run_by_index(0, inputs, outputs)
    counted = [output.read(1, np.float32)[0] for output in outputs]
    # Two runtimes, whose kernels for 8 bits need not round alike.
    bound = 1e-3 if variant == "fp32" else 0.5
    np.testing.assert_allclose(counted, litert.predictor(path, 1)(heads[:1])[0], atol=bound)


@pytest.mark.parametrize("variant", tflite.VARIANTS)
def test_a_batch_is_answered_as_its_pictures_are_one_by_one(written, heads, variant):
    path = written / f"{variant}.tflite"
    alone = litert.predictor(path, 1)(heads[:5])
    together = interpreter(path).get_signature_runner("predict_batch")(image=heads[:5])
    found = np.stack([together[name] for name in ("yaw", "pitch", "roll")], axis=1)
    # The dynamic one chooses a scale for the whole batch.
    np.testing.assert_allclose(found, alone, atol=1.5 if variant == "int8_dynamic" else 1e-3)


def test_both_signatures_share_the_weights(written, network):
    weights = sum(4 * int(np.prod(weight.shape)) for weight in network[0].weights)
    assert 0.95 * weights < (written / "fp32.tflite").stat().st_size < 1.05 * weights


def test_smaller_precisions_are_smaller(written):
    sizes = {v: (written / f"{v}.tflite").stat().st_size for v in tflite.VARIANTS}
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    # The tower of 32 pixels has fewer weights to save on than that of 64, which comes to 0.285.
    assert sizes["int8"] < 0.31 * sizes["fp32"]


def test_full_int8_computes_its_convolutions_in_8_bits_and_its_output_layer_in_float(written):
    from tensorflow.lite.python import schema_py_generated as schema

    content = (written / "int8.tflite").read_bytes()
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0)).subgraphs[0]
    names = tflite_metadata.operators(content)[: len(graph.operators)]
    kinds = {
        name: {
            graph.tensors[tensor].type
            for used, other in zip(graph.operators, names, strict=True)
            if other == name
            for tensor in used.outputs
        }
        for name in names
    }
    for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
        assert kinds[name] == {schema.TensorType.INT8}
    for name in ("L2_NORMALIZATION", "FULLY_CONNECTED", "ATAN2"):
        assert kinds[name] == {schema.TensorType.FLOAT32}


def test_full_int8_takes_bytes_as_they_are(written):
    """x / 127.5 - 1 is the input's own quantisation: no operation of its own, no shade lost."""
    names = tflite.operators(written / "int8.tflite")
    assert names[:2] == ["QUANTIZE", "CONV_2D"] and "CAST" not in names
    image = interpreter(written / "int8.tflite").get_input_details()[0]
    scale, zero_point = image["quantization"]
    assert scale == pytest.approx(1 / 127.5, rel=1e-6)
    assert abs(zero_point - 127.5) == 0.5


@pytest.mark.parametrize("count", [0, 199])
def test_full_int8_needs_enough_views(network, heads, tmp_path, count):
    with pytest.raises(RankPoseError, match=f"calibration: .*at least 200.*received {count}"):
        tflite.write(*network, "int8", tmp_path / "a.tflite", heads[:count])
    assert not list(tmp_path.iterdir())


def test_full_int8_takes_any_iterable_and_refuses_other_views(network, heads, tmp_path):
    tflite.write(*network, "int8", tmp_path / "a.tflite", iter(heads))
    assert (tmp_path / "a.tflite").is_file()
    for views in (heads[:, :-1], heads.astype(np.float32)):
        with pytest.raises(RankPoseError, match=r"calibration: expected views of \(32, 32, 3\) u"):
            tflite.write(*network, "int8", tmp_path / "b.tflite", views)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tflite"]


def test_an_unknown_precision_is_named(network, tmp_path):
    with pytest.raises(RankPoseError, match="variant: expected one of fp32.*'int4'"):
        tflite.write(*network, "int4", tmp_path / "a.tflite")


def test_a_file_says_what_it_is(written, network):
    path = written / "int8.tflite"
    about = litert.description(path)
    assert about["labels"] == ["yaw", "pitch", "roll"]
    assert about["unit"] == "degrees"
    assert about["input_size"] == SIZE
    assert about["crop_scale"] == network[1]["crop_scale"]
    assert about["variant"] == "int8"
    assert {"version", "licence", "signs", "crop", "input"} <= set(about)
    assert network[1]["training_set"] in about["licence"]
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("rankpose.json")) == about


def field(table, slot):
    """Position of a field of a flatbuffer's table."""
    return table.Offset(4 + 2 * slot)


def texts(table, *slots):
    return [table.String(field(table, slot) + table.Pos).decode() for slot in slots]


def members(table, slot):
    import flatbuffers

    position = field(table, slot)
    start = table.Vector(position)
    return [
        flatbuffers.table.Table(table.Bytes, table.Indirect(start + 4 * index))
        for index in range(table.VectorLen(position))
    ]


def test_the_metadata_buffer_is_that_of_the_official_schema(written, network):
    """Read field by field, by the order of fields in metadata_schema.fbs."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    content = (written / "int8.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    data = bytes(bytearray(model.buffers[entry.buffer].data))
    assert data[4:8] == b"M001"
    root = flatbuffers.table.Table(data, int.from_bytes(data[:4], "little"))
    about = litert.description(written / "int8.tflite")
    assert texts(root, 0, 2, 5, 7) == ["RankPose", about["version"], about["licence"], "1.0.0"]
    assert [texts(file, 0) for file in members(root, 6)] == [["rankpose.json"]]
    graphs = members(root, 3)
    assert len(graphs) == len(model.subgraphs) == 2
    for graph in graphs:
        (image,), angles = members(graph, 2), members(graph, 3)
        assert texts(image, 0) == ["image"]
        assert [texts(angle, 0)[0] for angle in angles] == about["labels"]
        for angle in angles:
            name, told = texts(angle, 0, 1)
            assert told == f"degrees; {about['signs'][name]}"


def test_a_foreign_file_is_refused(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"not a model")
    with pytest.raises(RankPoseError, match="expected a .tflite file of rankpose export"):
        litert.description(tmp_path / "a.tflite")
    with pytest.raises(RankPoseError, match="there is no file"):
        litert.description(tmp_path / "absent.tflite")


def test_a_flex_operator_is_found_and_refused():
    """tf.acos has no builtin operator: the file that Select operators allow must not pass."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def arccos(x):
        return tf.acos(x)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([arccos.get_concrete_function()])
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    try:
        content = converter.convert()
    except Exception:  # Not convertible at all is as good an answer.
        return
    with pytest.raises(RankPoseError, match="Acos"):
        tflite._require_builtin_operators(content)


@pytest.mark.parametrize("transform", layers.TRANSFORMS)
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_each_transform_converts_and_keeps_its_range(tmp_path, heads, transform, variant):
    """The output layer alone, on features that reach its borders: +-90 degrees and none."""
    image = keras.Input((None, None, 3), name="image")
    features = keras.layers.Resizing(1, 1, name="mean")(image)
    features = keras.layers.Rescaling(1 / 127.5, -1.0)(keras.layers.Flatten()(features))
    features = keras.layers.Activation("linear", name="features")(features)
    head = layers.NormalizedDense(3, transform, name="pose")
    network = keras.Model(image, head(features))
    head.kernel.assign(np.eye(3))
    description = {"input_size": 8, "crop_scale": 1.4}
    corners = np.zeros((7, 8, 8, 3), np.uint8)
    for index, colour in enumerate(
        [
            (255, 127, 128),
            (127, 0, 128),
            (128, 128, 255),
            (0, 0, 0),
            (255, 255, 255),
            (9, 200, 77),
            (190, 60, 100),
        ]
    ):
        corners[index] = colour
    path = tmp_path / "head.tflite"
    views = np.repeat(corners, 30, axis=0)
    tflite.write(network, description, variant, path, views)
    expected = np.degrees(network.predict_on_batch(corners.astype(np.float32)))
    found = litert.predictor(path, 1)(corners)
    assert math.degrees(math.pi / 2) + 1e-3 >= np.abs(found).max() or transform == "linear"
    # In full int8 the colours are rounded to 8 bits once more.
    np.testing.assert_allclose(found, expected, atol=1e-3 if variant == "fp32" else 1.5)


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_separate_features_convert(tmp_path, variant):
    """Two features an angle: the mean colours of a picture's left and right half."""
    image = keras.Input((None, None, 3), name="image")
    features = keras.layers.Flatten()(keras.layers.Resizing(1, 2, name="mean")(image))
    features = keras.layers.Rescaling(1 / 127.5, -1.0)(features)
    features = keras.layers.Activation("linear", name="features")(features)
    head = layers.NormalizedDense(3, "arccos", separate=True, name="pose")
    network = keras.Model(image, head(features))
    generator = np.random.default_rng(0)
    head.kernel.assign(generator.normal(size=(6, 3)))
    # Dark or light, not grey: of a short vector, 8 bits of colour leave no direction.
    halves = generator.choice([0, 20, 60, 190, 230, 255], (7, 1, 2, 3))
    pictures = np.repeat(np.repeat(halves, 8, axis=1), 4, axis=2).astype(np.uint8)
    path = tmp_path / "head.tflite"
    description = {"input_size": 8, "crop_scale": 1.4}
    tflite.write(network, description, variant, path, np.repeat(pictures, 30, axis=0))
    expected = np.degrees(network.predict_on_batch(pictures.astype(np.float32)))
    assert np.ptp(expected, axis=0).min() > 60
    found = litert.predictor(path, 1)(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-3 if variant == "fp32" else 1.5)


def test_without_the_runtime_the_missing_package_is_named(written, monkeypatch):
    import sys

    for name in [n for n in sys.modules if n.startswith("ai_edge_litert")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(RankPoseError, match="needs the package.*pip install ai-edge-litert"):
        litert.predictor(written / "fp32.tflite", 1)
