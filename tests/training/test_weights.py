"""Averaged weights and the last epochs on photos: what is validated, written and gone on with."""

import shutil

import keras
import numpy as np
import pytest

from rankpose_tf.data import identity_split, pairs, prepared_folder
from rankpose_tf.models import saving
from rankpose_tf.training import callbacks
from tests.support.doors import run_door
from tests.support.small_training import train


def record_weights(monkeypatch):
    """List of the trainable weights after every step."""
    steps = []

    def recorded(self, batch, logs=None):
        steps.append([weight.numpy() for weight in self.model.trainable_variables])

    monkeypatch.setattr(keras.callbacks.TerminateOnNaN, "on_batch_end", recorded)
    return steps


def keep_checkpoints(monkeypatch, folder):
    """Copies the workdir into `folder`/STEP after every checkpoint: what a kill there would leave.

    Of a run that is killed, tests/training/test_loop.py; what follows is alike.
    """
    save = callbacks.SaveLast._save

    def kept(callback, *state):
        save(callback, *state)
        step = str(int(callback.model.optimizer.iterations))
        shutil.copytree(callback.path.parent, folder / step)

    monkeypatch.setattr(callbacks.SaveLast, "_save", kept)


AVERAGED = {"ema_decay": 0.8, "epochs": 3, "steps_per_epoch": 4, "checkpoint_steps": 3}


@pytest.fixture(scope="module")
def averaged(prepared, tmp_path_factory):
    """A run with averaged weights, and its weights after each of its 12 steps."""
    workdir = tmp_path_factory.mktemp("runs") / "averaged"
    workdir.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        steps = record_weights(monkeypatch)
        keep_checkpoints(monkeypatch, workdir.parent)
        train(prepared, workdir, **AVERAGED)
    return workdir, steps


def running_average(steps, decay):
    average = steps[0]
    for weights in steps[1:]:
        average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
    return average


def assert_close(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def test_the_best_model_holds_the_averaged_weights_and_the_checkpoint_the_trained_ones(averaged):
    workdir, steps = averaged
    assert len(steps) == 12
    tower, description = saving.load_model(workdir)
    expected = running_average(steps[: 4 * description["epoch"]], 0.8)
    assert_close(tower.trainable_variables, expected, rtol=1e-4, atol=1e-5)
    last = keras.models.load_model(workdir / "last.keras")
    assert_close(last.trainable_variables, steps[-1], rtol=1e-4, atol=1e-5)
    kernel = tower.get_layer("pose").kernel
    trained = steps[4 * description["epoch"] - 1][-1]
    assert kernel.shape == trained.shape and np.abs(kernel - trained).max() > 1e-3


def test_it_is_the_averaged_weights_that_are_validated(averaged, prepared):
    workdir, _ = averaged
    tower, description = saving.load_model(workdir)
    table = prepared_folder.read_identity_table(prepared)
    errors = [
        np.abs(tower(view) - pose[:, index])
        for views, pose in pairs.validation_pairs(
            prepared,
            input_size=32,
            batch_size=8,
            threshold=identity_split.held_out_threshold(table, 4),
        )
        for index, view in enumerate(views)
    ]
    expected = np.degrees(np.concatenate(errors).mean())
    np.testing.assert_allclose(description["validation_mae_degrees"], expected, rtol=1e-3)


def test_a_stopped_run_with_averaged_weights_goes_on_to_the_same_result(
    averaged, prepared, tmp_path
):
    # The checkpoint is inside the first epoch, whose rest is a fit of its own.
    shutil.copytree(averaged[0].parent / "3", tmp_path, dirs_exist_ok=True)
    assert not (tmp_path / "history.csv").exists()
    train(prepared, tmp_path, **AVERAGED)
    one, other = (keras.models.load_model(p / "last.keras") for p in (averaged[0], tmp_path))
    assert_close(one.get_weights(), other.get_weights(), rtol=1e-2, atol=1e-3)
    one, other = (m.optimizer.variables for m in (one, other))
    assert_close(one, other, rtol=1e-2, atol=1e-3)
    one, other = (saving.load_model(path)[0].get_weights() for path in (averaged[0], tmp_path))
    assert_close(one, other, rtol=1e-2, atol=1e-3)


PHOTOS = {"epochs": 3, "photo_epochs": 2, "steps_per_epoch": 4, "checkpoint_steps": 3}


@pytest.fixture(scope="module")
def on_photos(prepared, tmp_path_factory):
    """A run whose last two epochs are on photos alone, and its result."""
    workdir = tmp_path_factory.mktemp("runs") / "photos"
    workdir.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        keep_checkpoints(monkeypatch, workdir.parent)
        return workdir, train(prepared, workdir, **PHOTOS)


def test_the_best_epoch_is_one_on_photos_and_chosen_by_held_out_photos(on_photos):
    workdir, result = on_photos
    rows = callbacks.read_history(workdir / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    best = min(rows[1:], key=lambda row: row["val_mae"])
    assert result["best_epoch"] == best["epoch"] == saving.read_description(workdir)["epoch"]
    first_views = result["held_out"]["first_views"]
    np.testing.assert_allclose(first_views["mae"]["mean"], best["val_mae"], rtol=1e-3)
    # Photos have no order; the model's pairs have.
    assert best["val_ordered"] == 0 < result["held_out"]["ordered"] <= 1
    done = run_door("train", f"--flagfile={workdir / 'flags.cfg'}", f"--workdir={workdir}")
    assert done.stdout.startswith("MAE on held-out photos, degrees: yaw"), done.stderr


def test_photos_are_not_ranked_and_their_regression_costs_what_it_did(on_photos):
    rows = callbacks.read_history(on_photos[0] / "history.csv")
    for row, ranking in zip(rows, (0.5, 0.0, 0.0), strict=True):
        expected = 0.5 * row["regression"] + ranking * row["ranking"]
        np.testing.assert_allclose(row["loss"], expected, rtol=1e-4)
    rates = [row["learning_rate"] for row in rows]
    expected = [2e-3 * 0.5 * (1 + np.cos(np.pi * step / 12)) for step in (4, 8, 12)]
    np.testing.assert_allclose(rates, expected, atol=1e-8)


@pytest.mark.parametrize("checkpoint", [3, 2 * 4 + 3])
def test_a_run_stopped_before_or_among_photos_goes_on_to_the_same_result(
    on_photos, prepared, tmp_path, checkpoint
):
    shutil.copytree(on_photos[0].parent / str(checkpoint), tmp_path, dirs_exist_ok=True)
    train(prepared, tmp_path, **PHOTOS)
    one, other = (keras.models.load_model(p / "last.keras") for p in (on_photos[0], tmp_path))
    assert_close(one.get_weights(), other.get_weights(), rtol=1e-2, atol=1e-3)
    assert_close(one.optimizer.variables, other.optimizer.variables, rtol=1e-2, atol=1e-3)
    reached = saving.read_description(tmp_path)
    assert reached["epoch"] == saving.read_description(on_photos[0])["epoch"]
