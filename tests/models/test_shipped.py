"""The models in the package: there, whole, and as good as their committed figures."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, synthetic
from rankpose_tf.evaluation import metrics
from rankpose_tf.models import shipped
from rankpose_tf.models.saving import read_description
from rankpose_tf.preparation.prepare import prepare

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results"
# The first of the dev set in the order of its shards, a hash of their names, and the shipped
# models' mean MAE on them, degrees; on all 979 it is that of docs/results/NAME/evaluation.json.
IMAGES = 200
MAE = {"compact": 3.227, "wide": 3.241}
SIX_MEGABYTES = 6_000_000


@pytest.fixture(scope="module", params=shipped.MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def estimator(name):
    return rankpose_tf.load(name)


def test_it_is_small_enough_and_says_what_it_is(name):
    files = [shipped.path(name, kind) for kind in shipped.SUFFIXES]
    assert max(path.stat().st_size for path in files) <= SIX_MEGABYTES
    about = read_description(shipped.path(name))
    result = json.loads((RESULTS / name / "result.json").read_text())
    # Runs of before recipes were recorded whole have their fields beside the others.
    about, result = (found.get("recipe", found) for found in (about, result))
    for key in ("tower", "input_size", "transform", "separate_features", "crop_scale", "seed"):
        assert about[key] == result[key]


KINDS = {
    "keras": {"runtime": "keras"},
    "fp32": {},
    "int8": {"precision": "int8"},
}


@pytest.mark.parametrize("kind", shipped.SUFFIXES)
def test_a_changed_file_is_refused(tmp_path, monkeypatch, name, kind):
    shutil.copytree(shipped.FOLDER, tmp_path / "weights")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    path = shipped.file(name, kind)
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(RankPoseError, match="checksum is another.*install rankpose_tf again"):
        rankpose_tf.load(name, **KINDS[kind])


@pytest.mark.parametrize("kind", shipped.SUFFIXES)
def test_an_installation_without_it_says_so(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(RankPoseError, match="lacks its trained model.*pass the path of a model"):
        rankpose_tf.load(**KINDS[kind])


def test_the_folder_holds_the_named_models_and_nothing_else():
    files = [shipped.file(name, kind) for name in shipped.MODELS for kind in shipped.SUFFIXES]
    expected = {*files, *map(shipped.checksum_file, files)}
    assert set(shipped.FOLDER.iterdir()) == expected


def test_its_error_on_real_faces_is_the_committed_one(name, estimator, shared_data, tmp_path):
    prepare(shared_data / "aflw2000_dev.zip", tmp_path / "dev", shards=4, workers=1)
    side = estimator.input_size
    batch = next(iter(pairs.views(tmp_path / "dev", side, estimator.crop_scale, IMAGES)))
    crops = tf.cast(tf.round(batch["image"]), tf.uint8).numpy()
    true, found = np.degrees(batch["pose"]), estimator.predict_crops(crops).as_array()
    assert len(found) == IMAGES
    assert abs(metrics.summarise(true, found)["mae"]["mean"] - MAE[name]) < 0.05


@pytest.mark.parametrize(("angle", "index"), [("yaw", 0), ("pitch", 1), ("roll", 2)])
def test_rendered_heads_turn_the_way_their_labels_say(estimator, angle, index):
    """Its domain is real faces; of a rendered one it still has to see the direction."""
    crops = {}
    for sign in (-1, 1):
        pose = np.zeros(3)
        pose[index] = sign * np.radians(30)
        heads = [synthetic.render(seed, pose, 160) for seed in range(20)]
        crops[sign] = [estimator.crop(head, box) for head, box in heads]
    means = {
        sign: np.mean(getattr(estimator.predict_crops(np.stack(crops[sign])), angle))
        for sign in crops
    }
    assert means[1] - means[-1] > 15
