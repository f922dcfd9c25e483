"""An epoch that is interrupted has the means and the time of the whole of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.training import begun_epoch, callbacks

STEPS = 6


class Stopped(Exception):
    """A run is killed."""


class StopAfter(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            raise Stopped


def new_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(workdir, model, first=0, epochs=2, stop=None):
    """Trains from the step `first` on, with the checkpoints of a run; rows of history.csv."""
    x = np.random.default_rng(0).normal(size=(2 * STEPS, 4, 3)).astype(np.float32)
    begun = begun_epoch.read(workdir / "last.keras")
    history = callbacks.History(workdir, 1, first // STEPS, begun)
    hooks = [history, callbacks.SaveLast(workdir, 2, begun), StopAfter(stop)]
    step = first
    while step < epochs * STEPS:
        epoch, done = divmod(step, STEPS)
        left = x[step:]
        batches = tf.data.Dataset.from_tensor_slices((left, left.sum(axis=-1, keepdims=True)))
        model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, steps_per_epoch=STEPS - done,
                  callbacks=hooks, verbose=0)  # fmt: skip
        step = (epoch + 1) * STEPS
    return history.rows


@pytest.mark.parametrize("stop", [6, 9])
def test_the_means_are_those_of_an_unbroken_run(tmp_path, stop):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    expected = fit(whole, new_model())
    with pytest.raises(Stopped):
        fit(broken, new_model(), stop=stop)
    model = keras.models.load_model(broken / "last.keras")
    # After the last step of an epoch its end is still to come, so it is no place to go on from.
    assert int(model.optimizer.iterations) == {6: 4, 9: 8}[stop]
    rows = fit(broken, model, first=int(model.optimizer.iterations))
    assert [row["step"] for row in rows] == [STEPS, 2 * STEPS]
    lines = (broken / "history.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "6"], ["2", "12"]]
    for row, other in zip(rows, expected, strict=True):
        for name in ("loss", "mae"):
            np.testing.assert_allclose(row[name], other[name], rtol=1e-6)


def test_the_time_of_the_earlier_part_counts(tmp_path, monkeypatch):
    model = new_model()
    with pytest.raises(Stopped):
        fit(tmp_path, model, stop=3)
    begun = begun_epoch.read(tmp_path / "last.keras")
    assert begun.step == 2 and 0 < begun.seconds < 300
    monkeypatch.setattr(begun_epoch, "read", lambda path: begun._replace(seconds=1000.0))
    model = keras.models.load_model(tmp_path / "last.keras")
    first, second = fit(tmp_path, model, first=2)
    assert first["seconds"] > 1000 > second["seconds"]


def test_what_a_device_has_counted_is_added_once_where_there_are_several():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = new_model()
    x = np.ones((4, 3), np.float32)
    model.fit(x, x[:, :1], verbose=0)
    before = begun_epoch.of(model)
    begun_epoch.add(model, before)
    assert begun_epoch.of(model).metrics == [2 * value for value in before.metrics]
    assert any(before.metrics)


def test_a_worker_that_writes_nothing_reads_when_the_chief_does(tmp_path, monkeypatch):
    """Metrics are summed over the workers when they are read: a read alone never ends."""
    read = {}
    of = begun_epoch.of
    x = np.ones((4 * STEPS, 3), np.float32)
    for hook in (callbacks.SaveLast(tmp_path, 2), callbacks.ReadAlong(2)):
        steps = read.setdefault(type(hook), [])

        def noted(model, *seconds, steps=steps):
            steps.append(int(model.optimizer.iterations))
            return of(model, *seconds)

        monkeypatch.setattr(begun_epoch, "of", noted)
        new_model().fit(x, x[:, :1], batch_size=4, callbacks=[hook], verbose=0)
    assert list(read.values()) == [[2, 4], [2, 4]]
