"""Whatever is in the files of a run of ours, whoever goes on with it gets them, or one sentence.

Fifty damaged copies of each here; `python -m pytest -m reliability` tries 2,000.
"""

import json
import types

import pytest
import tensorflow as tf

from rankpose_tf.data import identity_split, prepared_folder
from rankpose_tf.preparation import tasks
from rankpose_tf.studies import ablation_runs
from rankpose_tf.training import callbacks, workdir
from rankpose_tf.training.flags_cfg import to_flagfile
from rankpose_tf.training.recipe import Recipe
from tests.support.mutations import MANY, ends, mutated

RECIPE = Recipe(data="somewhere", tower="compact")
HISTORY = (
    "epoch,step,seconds,images_per_second,learning_rate,loss,val_mae\n"
    "1,25,3.5,120.5,0.001,0.7,9.5\n2,50,3.25,121,0.0005,nan,8.25\n"
)
RESULT = {
    "recipe": {"tower": "compact"},
    "training_set": "AFW",
    "best": {"val_mae": 8.25, "val_ordered": 0.9},
    "best_epoch": 2,
    "seconds": 6.75,
    "steps": 50,
}
EVALUATION = {
    "protocol": "AFLW2000-3D",
    "set": "AFLW2000-3D",
    "crop": {"boxes": "pt3d_68", "scale": 1.4},
    "images": 10,
    "mae": {"yaw": 1.0, "pitch": 2.0, "roll": 3.0, "mean": 2.0},
}
STATISTICS = {
    "shard": {"file": "a", "identities": 1, "views": 2, "bytes": 3, "checksum": "f" * 64},
    "rows": [
        {"identity": "a", "group": "a", "shard": 0, "views": 2, "views_within_limit": 2},
    ],
    "skipped": [["b.jpg", "missing label"]],
    "histogram": [[0] * (len(tasks.HISTOGRAM_EDGES) - 1)] * 3,
}


def go_on(record):
    (record.parent / "last.keras").touch()
    with workdir.claimed(record.parent, RECIPE):
        pass


CONTENTS = {
    "flags.cfg": (to_flagfile(RECIPE).encode(), go_on),
    "history.csv": (HISTORY.encode(), callbacks.read_history),
    "result.json": (json.dumps(RESULT).encode(), ablation_runs.read_result),
    "evaluation.json": (json.dumps(EVALUATION).encode(), ablation_runs.read_evaluation),
    "00000.json": (
        json.dumps(STATISTICS).encode(),
        lambda path: tasks.read_statistics(
            types.SimpleNamespace(statistics=path, identities=[], views=2)
        ),
    ),
}


def try_all(name, folder, count):
    content, read = CONTENTS[name]
    (folder / name).write_bytes(content)
    read(folder / name)
    return ends(read, folder / name, mutated(content, count))


@pytest.mark.parametrize("name", CONTENTS)
def test_a_result_or_a_sentence(name, tmp_path):
    counts = try_all(name, tmp_path, 50)
    assert counts["one sentence"] > 5


@pytest.mark.reliability
@pytest.mark.parametrize("name", CONTENTS)
def test_a_result_or_a_sentence_2000_times(name, tmp_path):
    print(name, try_all(name, tmp_path, MANY))


@pytest.fixture
def one_shard(prepared, tmp_path):
    """A prepared folder of one shard with three identities, whose dataset.json has no checksum."""
    whole = tf.data.TFRecordDataset(prepared_folder.list_shards(prepared)).take(3)
    description = json.loads((prepared / "dataset.json").read_text())
    description["shards"] = [{"file": "shard-00000-of-00001.tfrecord"}]
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    path = tmp_path / "shard-00000-of-00001.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in whole.as_numpy_iterator():
            writer.write(record)
    return path


def read_shard(path):
    for record in identity_split.usable_records(path.parent):
        assert len(record["images"]) == len(record["poses"])


def reframed(path, count):
    """The shard with damaged records in frames that are right, as an attacker makes them."""
    first, *others = tf.data.TFRecordDataset([str(path)]).as_numpy_iterator()
    for content in mutated(first, count):
        beside = path.with_suffix(".beside")
        with tf.io.TFRecordWriter(str(beside)) as writer:
            for record in (content, *others):
                writer.write(record)
        yield beside.read_bytes()


def test_a_damaged_shard_is_a_result_or_a_sentence(one_shard):
    whole = one_shard.read_bytes()
    counts = ends(read_shard, one_shard, list(mutated(whole, 8)))
    assert counts["one sentence"] > 3
    one_shard.write_bytes(whole)
    ends(read_shard, one_shard, list(reframed(one_shard, 8)))


@pytest.mark.reliability
@pytest.mark.timeout(1800)
def test_a_damaged_shard_is_a_result_or_a_sentence_2000_times(one_shard):
    print("shard", ends(read_shard, one_shard, mutated(one_shard.read_bytes(), MANY)))


@pytest.mark.reliability
@pytest.mark.timeout(1800)
def test_a_damaged_record_is_a_result_or_a_sentence_2000_times(one_shard):
    print("record of a shard", ends(read_shard, one_shard, list(reframed(one_shard, MANY))))
