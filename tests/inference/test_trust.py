"""A model file of unknown origin: what it claims is held against what a network needs."""

import json
import zipfile

import keras
import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import tflite
from rankpose_tf.models import saving, trust


def rewritten(source, target, name, change):
    """A copy of an archive with one member changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
    return target


def claiming(option, number):
    def change(content):
        config = json.loads(content)
        layer = next(one for one in config["config"]["layers"] if option in one["config"])
        layer["config"][option] = number
        return json.dumps(config).encode()

    return change


@pytest.mark.parametrize(
    ("option", "number"),
    [("filters", 10**9), ("kernel_size", [3, 10**6]), ("size", 10**7), ("strides", [-9000, 1])],
)
def test_a_huge_layer_is_refused_before_it_is_built(
    small_model, tmp_path, monkeypatch, option, number
):
    path = rewritten(
        small_model / "best.keras", tmp_path / "huge.keras", "config.json", claiming(option, number)
    )
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(RankPoseError, match=f"claims a layer with {option} "):
        rankpose_tf.load(path)


def test_an_archive_that_unpacks_to_more_is_refused(small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "_LARGEST_BYTES", 1000)
    with pytest.raises(RankPoseError, match="unpacks to [0-9,]* bytes"):
        rankpose_tf.load(small_model / "best.keras")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 200_000, b"\xff"])
def test_a_damaged_config_is_told(small_model, tmp_path, content):
    path = rewritten(
        small_model / "best.keras", tmp_path / "m.keras", "config.json", lambda _: content
    )
    with pytest.raises(RankPoseError, match="m.keras' is damaged"):
        rankpose_tf.load(path)


def test_a_network_that_was_built_and_can_not_be_run_is_told(small_model, tmp_path):
    def rename(content):
        return content.replace(b"gather_normalization", b"gather_no{}rmalization")

    path = rewritten(small_model / "best.keras", tmp_path / "m.keras", "config.json", rename)
    with pytest.raises(RankPoseError, match="m.keras' can't be run .*; load another copy of it$"):
        rankpose_tf.load(path)


@pytest.mark.parametrize(
    "name", ["../climbs", "assets/../../climbs", "/tmp/climbs", "assets/link", "config.json/"]
)
def test_members_that_no_model_has_are_not_unpacked(small_model, tmp_path, monkeypatch, name):
    path = rewritten(small_model / "best.keras", tmp_path / "m.keras", "", None)
    member = zipfile.ZipInfo(name)
    if name.endswith("link"):
        member.create_system, member.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, str(tmp_path))
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(RankPoseError, match="holds '.*', which no model of this package has"):
        rankpose_tf.load(path)


@pytest.fixture(scope="module")
def nowhere(one_block_model, tmp_path_factory):
    """The small model, with one NaN in its first layer, and its description."""
    path = tmp_path_factory.mktemp("nan") / "nan.keras"
    network = keras.models.load_model(one_block_model / "best.keras", compile=False)
    weight = network.trainable_weights[0]
    value = weight.numpy()
    value.flat[0] = np.nan
    weight.assign(value)
    description = saving.read_description(one_block_model)
    saving.save_model(network, path, description)
    return path, network, description, weight.path


def test_keras_weights_that_are_not_finite_are_refused(nowhere):
    path, _, _, name = nowhere
    with pytest.raises(RankPoseError, match=f"weights that are not finite, in {name}"):
        rankpose_tf.load(path)


def test_tflite_weights_that_are_not_finite_are_refused(nowhere, tmp_path):
    _, network, description, _ = nowhere
    tflite.write(network, description, "fp32", tmp_path / "nan.tflite")
    with pytest.raises(RankPoseError, match="has weights that are not finite; export it again"):
        rankpose_tf.load(tmp_path / "nan.tflite")


def test_a_lambda_runs_nothing(small_model, tmp_path):
    marker = tmp_path / "ran"
    inputs = keras.Input((4,))
    outputs = keras.layers.Lambda(lambda x, marker=str(marker): (open(marker, "w"), x)[1])(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "lambda.keras")
    marker.unlink(missing_ok=True)
    with zipfile.ZipFile(tmp_path / "lambda.keras", "a") as archive:
        archive.writestr("rankpose.json", json.dumps(saving.read_description(small_model)))
    with pytest.raises(RankPoseError, match="could not be read"):
        rankpose_tf.load(tmp_path / "lambda.keras")
    assert not marker.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"module": "os", "class_name": "system", "registered_name": "os>system"},
        {"module": "subprocess", "class_name": "Popen", "registered_name": None},
        {"module": "keras.layers", "class_name": "NoLayer", "registered_name": None},
        {"module": None, "class_name": "Strange", "registered_name": "elsewhere>Strange"},
    ],
)
def test_a_class_that_is_no_layer_of_ours_is_neither_made_nor_called(
    small_model, tmp_path, changed, monkeypatch
):
    called = []
    monkeypatch.setattr("os.system", called.append)
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: called.append(a))
    path = tmp_path / "other.keras"
    with (
        zipfile.ZipFile(small_model / "best.keras") as before,
        zipfile.ZipFile(path, "w") as after,
    ):
        for name in before.namelist():
            content = before.read(name)
            if name == "config.json":
                model = json.loads(content)
                layer = next(
                    entry for entry in model["config"]["layers"] if entry["class_name"] == "Conv2D"
                )
                layer.update(changed)
                content = json.dumps(model)
            after.writestr(name, content)
    with pytest.raises(RankPoseError, match="could not be read"):
        rankpose_tf.load(path)
    assert called == []
