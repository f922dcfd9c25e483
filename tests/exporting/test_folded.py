"""Tests of rankpose_tf.exporting.folded."""

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.exporting import folded
from rankpose_tf.inference import runtimes
from rankpose_tf.models.folding import fold, frozen_graph
from rankpose_tf.models.towers import build_tower
from tests.support import session_loader
from tests.support.networks import DESCRIPTION, SIZE, degrees, pictures, randomised


@pytest.fixture(scope="module")
def network():
    return randomised(build_tower("compact", SIZE))


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folded") / "model"
    folded.write(network, DESCRIPTION, folder)
    return folder


@pytest.mark.parametrize("batch", [1, 5])
def test_the_cpp_loader_gives_the_poses_of_keras(network, folder, batch):
    images = pictures(batch)
    with session_loader.Session(folder) as session:
        found = session.run("serving_default", {"image": images})
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(ANGLES, (batch,))
    expected = degrees(network, images)
    for column, angle in enumerate(ANGLES):
        np.testing.assert_allclose(found[angle], expected[:, column], atol=1e-3)


def test_python_loads_the_signature(network, folder):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    images = pictures(3)
    found = signature(image=tf.constant(images))
    expected = dict(zip(ANGLES, degrees(network, images).T, strict=True))
    assert sorted(found) == sorted(expected)
    for angle, value in expected.items():
        np.testing.assert_allclose(found[angle], value, atol=1e-3)


def test_the_predictor_splits_many_pictures_and_keeps_their_order(network, folder):
    predict = runtimes.folded(folder)
    images = pictures(70)
    np.testing.assert_allclose(predict(images), degrees(network, images), atol=1e-3)
    assert predict(images[:0]).shape == (0, 3)


def test_one_file_with_each_weight_once_and_no_variables(network, folder):
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    assert file.name == "saved_model.pb"
    weights = sum(value.nbytes for value in fold(network).get_weights())
    graph = frozen_graph(fold(network), SIZE).as_graph_def()
    assert not any("Variable" in node.op for node in graph.node)
    # The graph itself is about 30 kB, whatever the network weighs.
    assert file.stat().st_size < weights + 50_000


def test_an_existing_folder_is_not_overwritten(network, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(RankPoseError, match="exists"):
        folded.write(network, DESCRIPTION, tmp_path / "model")
    assert not any((tmp_path / "model").iterdir())


def test_nothing_is_left_of_a_folder_that_failed(tmp_path):
    with pytest.raises(OSError, match="disk"), folded.new_folder(tmp_path / "model") as beside:
        (beside / "half").write_text("half")
        raise OSError("disk is full")
    assert not any(tmp_path.iterdir())
