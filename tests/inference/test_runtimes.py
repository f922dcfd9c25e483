"""Every runtime gives the same poses, to any number of pictures."""

import copy
import pickle

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import synthetic
from rankpose_tf.inference import runtimes
from rankpose_tf.models.saving import load_model

DEGREES = 1e-3


@pytest.fixture(scope="module")
def paths(doubting_formats):
    """A model that tells its expected error, in every format, float32."""
    names = {
        "keras": "best.keras",
        "tflite": "fp32.tflite",
        "savedmodel": "savedmodel",
        "folded": "folded",
        "onnx": "rankpose.onnx",
        "openvino": "rankpose.xml",
    }
    return {runtime: doubting_formats / name for runtime, name in names.items()}


@pytest.fixture(scope="module")
def heads():
    """70 rendered heads of all poses, so many that formats split them."""
    poses = np.random.default_rng(3).uniform(-1.2, 1.2, (70, 3))
    return np.stack([synthetic.render(i, pose, 32)[0] for i, pose in enumerate(poses)])


@pytest.fixture(scope="module")
def expected(paths, heads):
    network, _ = load_model(paths["keras"], errors=True)
    return np.degrees(network.predict_on_batch(heads.astype(np.float32)))


@pytest.fixture(params=runtimes.PREDICTORS)
def runtime(request):
    for package in {"onnx": ("onnxruntime", "tf2onnx"), "openvino": ("openvino",)}.get(
        request.param, ()
    ):
        pytest.importorskip(package)
    return request.param


def test_poses_are_those_of_keras(paths, runtime, heads, expected):
    predict = runtimes.PREDICTORS[runtime](paths[runtime])
    np.testing.assert_allclose(predict(heads), expected, atol=DEGREES)
    np.testing.assert_allclose(predict(heads[:1]), expected[:1], atol=DEGREES)


def test_no_picture_gives_no_pose(paths, runtime, heads):
    assert runtimes.PREDICTORS[runtime](paths[runtime])(heads[:0]).shape == (0, 6)


def test_it_is_opened_again_where_it_is_unpickled(paths, runtime, heads, monkeypatch, tmp_path):
    predict = runtimes.PREDICTORS[runtime](paths[runtime])
    assert copy.deepcopy(predict) is predict
    content = pickle.dumps(predict)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(content)
    assert again is not predict
    np.testing.assert_allclose(again(heads[:3]), predict(heads[:3]), atol=DEGREES)


def test_a_relative_path_is_that_of_where_it_was_opened(paths, heads, monkeypatch, tmp_path):
    monkeypatch.chdir(paths["keras"].parent)
    content = pickle.dumps(runtimes.keras(paths["keras"].name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(content)(heads[:1]).shape == (1, 6)


def test_without_tensorflow_its_formats_say_so(paths, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    for runtime in ("keras", "savedmodel", "folded"):
        with pytest.raises(RankPoseError, match="needs TensorFlow.*or load a .tflite file"):
            runtimes.PREDICTORS[runtime](paths[runtime])
