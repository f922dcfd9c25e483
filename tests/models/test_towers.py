"""Towers, the Siamese model, and the model file."""

import json
import zipfile

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving, towers

DESCRIPTION = {"tower": "compact", "input_size": 32, "transform": "arccos", "crop_scale": 1.4}


@pytest.fixture(scope="module")
def tower():
    keras.utils.set_random_seed(0)
    return towers.build_tower("compact", 32, "arccos", "none")


def pictures(count, side=32):
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def test_compact_tower_has_under_one_and_a_half_million_parameters():
    for size in (64, 112):
        assert towers.build_tower("compact", size, "arccos", "none").count_params() < 1_500_000


def test_tower_takes_pictures_of_any_size_and_bounds_its_output(tower):
    for shape in ((2, 32, 32, 3), (1, 57, 91, 3)):
        poses = tower(np.full(shape, 128.0, np.float32)).numpy()
        assert poses.shape == (shape[0], 3)
        assert np.abs(poses).max() <= np.pi / 2


def test_resnet50_tower_normalises_as_imagenet_weights_want():
    tower = towers.build_tower("resnet50", 64, "arccos", "none")
    images = pictures(1, 64)
    caffe = keras.applications.resnet50.preprocess_input(images.copy())
    features = tower.get_layer("resnet50")(caffe)
    np.testing.assert_allclose(tower(images), tower.get_layer("pose")(features), atol=1e-5)
    assert tower.get_layer("pose").kernel.shape == (2048, 3)


def test_siamese_gives_both_views_what_the_shared_tower_gives_each(tower):
    siamese = towers.build_siamese(tower, 32)
    first, second = pictures(4)[:2], pictures(4)[2:]
    expected = np.stack([tower(first), tower(second)], axis=1)
    np.testing.assert_allclose(siamese([first, second]), expected, atol=1e-6)


def test_single_image_model_is_the_siamese_models_own_tower(tower):
    siamese = towers.build_siamese(tower, 32)
    single = towers.single_image_model(siamese)
    assert single is tower
    assert all(a is b for a, b in zip(single.weights, siamese.weights, strict=True))


def test_each_view_updates_the_moving_statistics_once_a_step():
    keras.utils.set_random_seed(1)
    tower = towers.build_tower("compact", 32, "arccos", "none")
    siamese = towers.build_siamese(tower, 32)
    norm = tower.get_layer("stem_normalization")
    first, second = pictures(4)[:2], 0.25 * pictures(4)[2:]

    def batch_mean(view):
        stem = keras.Model(tower.input, tower.get_layer("stem").output)
        return np.mean(stem(view), axis=(0, 1, 2))

    expected = np.zeros(24)
    for view in (first, second):
        expected = norm.momentum * expected + (1 - norm.momentum) * batch_mean(view)
    siamese([first, second], training=True)
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-3, atol=1e-5)


def test_saved_model_comes_back_with_its_description(tower, tmp_path):
    saving.save_model(tower, tmp_path / "best.keras", DESCRIPTION)
    for path in (tmp_path, tmp_path / "best.keras"):
        loaded, description = saving.load_model(path)
        np.testing.assert_array_equal(loaded(pictures(2)), tower(pictures(2)))
        assert description == {"format_version": saving.FORMAT_VERSION, **DESCRIPTION}
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]


def test_file_of_another_version_is_refused(tower, tmp_path):
    saving.save_model(tower, tmp_path / "a.keras", {**DESCRIPTION, "rankpose_tf": "9.9"})
    with (
        zipfile.ZipFile(tmp_path / "a.keras") as old,
        zipfile.ZipFile(tmp_path / "b.keras", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "rankpose.json":
                content = json.dumps({**json.loads(content), "format_version": 99})
            new.writestr(name, content)
    with pytest.raises(RankPoseError, match=r"has format 99.*reads format 1.*9\.9"):
        saving.load_model(tmp_path / "b.keras")


def test_foreign_damaged_and_missing_files_are_refused(tower, tmp_path):
    foreign = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(foreign)
    saving.save_model(tower, tmp_path / "cut.keras", DESCRIPTION)
    whole = (tmp_path / "cut.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RankPoseError, match="foreign.keras' was saved by Keras"):
        saving.load_model(tmp_path / "foreign.keras")
    with pytest.raises(RankPoseError, match="damaged .*expected a model that rankpose_tf"):
        saving.load_model(tmp_path / "cut.keras")
    with pytest.raises(RankPoseError, match="no file 'absent.keras'"):
        saving.load_model(tmp_path / "absent.keras")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg", 224, "arccos", "none"), "tower: expected one of resnet50, compact"),
        (("compact", 16, "arccos", "none"), "input_size: expected at least 32"),
        (("compact", 64, "arccos", "imagenet"), "pass --tower_weights=none"),
        (("resnet50", 64, "arccos", "absent.h5"), "no file 'absent.h5'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(RankPoseError, match=message):
        towers.build_tower(*arguments)


def test_imagenet_weights_without_a_network_say_what_to_do(monkeypatch):
    def unreachable(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "ResNet50", unreachable)
    with pytest.raises(RankPoseError, match="--tower_weights=FILE.*--tower_weights=none"):
        towers.build_tower("resnet50", 64, "arccos", "imagenet")


def test_weights_by_default_are_imagenet_for_resnet50_and_none_for_compact(monkeypatch):
    asked = []

    def recorded(*args, weights, **kwargs):
        asked.append(weights)
        raise OSError("stopped before a download")

    monkeypatch.setattr(keras.applications, "ResNet50", recorded)
    with pytest.raises(RankPoseError):
        towers.build_tower("resnet50", 64)
    assert asked == ["imagenet"]
    assert towers.build_tower("compact", 64).count_params() > 0
