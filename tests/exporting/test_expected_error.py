"""A model with an expected error in every format: the pose as without, the error beside it."""

import json

import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.expected_error import ANGLES, ERRORS
from rankpose_tf.exporting import comparison
from rankpose_tf.inference import litert, runtimes
from rankpose_tf.models import saving

# Format -> runtime, and what its numbers may differ by, degrees.
FORMATS = {
    "savedmodel": ("savedmodel", 1e-2),
    "folded": ("folded", 1e-2),
    "fp32.tflite": ("tflite", 1e-2),
    "int8.tflite": ("tflite", 5.0),
    "rankpose.onnx": ("onnx", 1e-2),
    "rankpose.xml": ("openvino", 1e-2),
}


@pytest.fixture(scope="module")
def files(doubting_formats):
    """Folder with the model in every format."""
    return doubting_formats


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_pose_and_error(name, files, rendered_crops):
    network, _ = saving.load_model(files, errors=True)
    expected = comparison.in_degrees(network)(rendered_crops[:8])
    runtime, tolerance = FORMATS[name]
    answers = runtimes.PREDICTORS[runtime](str(files / name))(rendered_crops[:8])
    assert answers.shape == expected.shape == (8, 6)
    np.testing.assert_allclose(answers, expected, atol=tolerance)


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_tflite_poses_are_those_without_the_head(variant, files, every_format, rendered_crops):
    plain = litert.predictor(every_format / f"{variant}.tflite")(rendered_crops[:8])
    answers = litert.predictor(files / f"{variant}.tflite")(rendered_crops[:8])
    np.testing.assert_array_equal(answers[:, :3], plain)


def test_tflite_lists_the_errors_behind_the_angles(files):
    described = litert.description(files / "fp32.tflite")
    assert described["labels"] == [*ANGLES, *ERRORS]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(files / "fp32.tflite"))
    names = [output["name"] for output in interpreter.get_output_details()]
    assert names == [*ANGLES, *ERRORS]


def test_load_gives_poses_with_errors_whatever_the_format(files, rendered_crops):
    for path in (files / "best.keras", files / "fp32.tflite", files / "savedmodel"):
        poses = rankpose_tf.load(path).predict(rendered_crops[:3])
        assert poses.error.as_array().shape == (3, 3)
        assert isinstance(poses[0].error.pitch, float)


def test_a_model_without_the_head_goes_on_without_errors(every_format, rendered_crops):
    assert rankpose_tf.load(every_format / "best.keras").predict(rendered_crops[0]).error is None


def test_a_comparison_tells_poses_and_errors_apart(files, rendered_crops):
    network, _ = saving.load_model(files, errors=True)
    predictors = {"tflite": runtimes.PREDICTORS["tflite"](str(files / "fp32.tflite"))}
    row = comparison.differences(network, predictors, rendered_crops[:8])["tflite"]
    assert row["max_error_difference_degrees"] < 1e-2 and row["max_difference_degrees"] < 1e-2
    json.dumps(row)
