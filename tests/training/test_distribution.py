"""Several devices: what each worker reads and is told, and what Keras still lacks."""

import json
import types
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, prepared_folder, records
from rankpose_tf.data.pair_maker import PairMaker
from rankpose_tf.training import distribution, stages
from rankpose_tf.training.flags_cfg import differences
from rankpose_tf.training.recipe import Recipe

WORKERS = ["host1:2222", "host2:2222"]


def config(index=1, kind="worker", **more):
    cluster = {"cluster": {"worker": WORKERS, **more}}
    return json.dumps({**cluster, "task": {"type": kind, "index": index}})


def test_a_worker_learns_its_index_of_the_environment(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config())
    assert distribution._of_environment() == (1, 2)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", config(index=2), config(kind="chief"), config(ps=["host3:2222"])]
)
def test_what_tells_no_worker_its_place_is_refused_with_an_example(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RankPoseError, match='^strategy: .*"index": 0'):
        distribution.Devices("multiworker")


def test_one_device_is_left_as_it_is():
    devices = distribution.Devices()
    assert (devices.replicas, devices.worker, devices.workers) == (1, 0, 1)
    assert devices.is_chief and not devices.several
    assert devices.training(lambda start_step: start_step, 7) == 7
    assert devices.validation("views") == "views"


@pytest.mark.parametrize(
    ("batch_size", "shards", "said"),
    [(9, 4, "batch_size: expected a multiple of 2"), (8, 1, "strategy: 2 workers need as many")],
)
def test_what_can_not_be_divided_is_refused(batch_size, shards, said):
    devices = distribution.Devices()
    devices.replicas = devices.workers = 2
    with pytest.raises(RankPoseError, match=said):
        devices.check(Recipe(batch_size=batch_size), shards)


def test_the_strategy_may_change_within_a_run():
    assert not differences(Recipe(), Recipe(strategy="mirrored"))


def test_workers_need_data_that_all_of_them_see():
    with pytest.raises(RankPoseError, match="^data: several workers"):
        Recipe(data="synthetic", strategy="multiworker")


def identities(prepared, workers, worker, chosen=0):
    """Indices of the identities of two rounds of pairs that a worker reads."""
    recipe = Recipe(
        data=str(prepared), batch_size=2, input_size=32, validation_identities=4, tower="compact",
        training_identities=chosen, seed=3,
    )  # fmt: skip
    parts = stages.split(recipe, prepared)
    stream = stages.stages(recipe, prepared, parts, 2, (worker, workers))[0].stream
    count = stream.keywords["round_length"]
    batches = stream(augmentation=None).take(2 * count).as_numpy_iterator()
    owner = {}
    for shard in prepared_folder.list_shards(prepared):
        for record in tf.data.TFRecordDataset(shard):
            record = records.parse_identity(record)
            for pose in record["poses"].numpy():
                owner[pose.tobytes()] = record["identity"].numpy()
    return count, [owner[pose.astype(np.float32).tobytes()] for _, p in batches for pose in p[:, 0]]


@pytest.mark.parametrize("chosen", [0, 9])
def test_workers_share_the_identities_and_none_is_read_twice(prepared, chosen):
    rounds = [identities(prepared, 2, worker, chosen) for worker in range(2)]
    for count, read in rounds:
        # Each once a round.
        assert len(set(read)) == count and len(read) == 2 * count
    (first, of_first), (second, of_second) = rounds
    assert not set(of_first) & set(of_second)
    assert first + second == (chosen or 20)


def test_no_two_workers_change_their_pictures_alike(prepared):
    """Pair k of one worker is drawn otherwise than pair k of the other."""
    chosen = identity_split.choose_identities(prepared, -1, True, 4)
    options = {"input_size": 32, "crop_scale": 1.4, "augmentation": {"noise_probability": 1.0}}
    one, again, other = (PairMaker(5, w, **options).views(12, chosen) for w in (0, 0, 1))
    np.testing.assert_array_equal(one[2], again[2])
    assert not np.array_equal(one[2], other[2])


def test_normalisation_is_over_all_replicas():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.BatchNormalization()])
    distribution._synchronize(model)
    assert inner.layers[0].synchronized and model.layers[1].synchronized


# The next two fail once Keras mends what training/keras_workers.py stands in for.


@pytest.fixture
def strategy():
    strategy = mock.create_autospec(tf.distribute.MultiWorkerMirroredStrategy, instance=True)
    strategy.extended = mock.Mock()
    strategy.extended._in_multi_worker_mode.return_value = True
    return strategy


def test_keras_still_averages_scalar_logs_along_an_axis(strategy):
    trainer.reduce_per_replica({"loss": tf.constant(1.0)}, strategy, "auto")
    strategy.reduce.assert_called_once_with("MEAN", mock.ANY, axis=0)


def test_keras_still_averages_a_nested_first_batch(strategy):
    value = mock.create_autospec(tf.distribute.DistributedValues, instance=True)
    batch = ((value, value), value)
    model = types.SimpleNamespace(
        _distribute_strategy=strategy,
        distribute_strategy=mock.MagicMock(),
        _symbolic_build=mock.Mock(),
    )
    iterator = [(0, 1, iter([batch]))]
    trainer.TensorFlowTrainer._maybe_symbolic_build(model, iterator=iterator)
    model.distribute_strategy.reduce.assert_called_once_with("MEAN", batch, axis=None)
