"""A training run: what it writes, that it resumes exactly, and how it refuses."""

import csv
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, records, synthetic
from rankpose_tf.models import saving, towers
from rankpose_tf.training import callbacks, loop
from rankpose_tf.training.recipe import Recipe, from_flagfile, to_flagfile
from tests.conftest import write_prepared
from tests.support.doors import run_line

SMALL = {
    "tower": "compact",
    "input_size": 32,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "validation_identities": 4,
}


def train(data, workdir, checkpoint_steps=0, **options):
    """A small run; what is not given is of `SMALL`."""
    recipe = Recipe(data=str(data), **{**SMALL, **options})
    return loop.train(recipe, workdir=workdir, checkpoint_steps=checkpoint_steps)


def command(data, workdir, *more):
    small = [f"--{name}={value}" for name, value in SMALL.items()]
    return [
        sys.executable, "-m", "rankpose_tf.train", f"--data={data}", f"--workdir={workdir}",
        *small, "--pairs_per_identity=8", "--epochs=3", "--checkpoint_steps=3", *more,
    ]


@pytest.fixture(scope="module")
def finished(prepared, tmp_path_factory):
    """An unbroken run of three epochs of 20 steps, by the command line."""
    workdir = tmp_path_factory.mktemp("runs") / "unbroken"
    done = subprocess.run(command(prepared, workdir), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return workdir, done.stdout


def history(workdir):
    with open(workdir / "history.csv", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_run_ends_with_its_error_and_the_path_of_the_model(finished):
    workdir, output = finished
    figures, path = output.strip().splitlines()[-2:]
    assert figures.startswith("MAE on held-out identities, degrees: yaw")
    assert pathlib.Path(path) == workdir / "best.keras"
    tower, description = saving.load_model(path)
    assert tower(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 3)
    assert description["tower"] == "compact" and description["crop_scale"] == 1.4


def test_a_run_leaves_flags_history_result_and_no_temporary_file(finished):
    workdir, _ = finished
    names = {path.name for path in workdir.iterdir()}
    expected = {"best.keras", "last.keras", "flags.cfg", "history.csv", "result.json", "logs"}
    assert names == expected
    rows = history(workdir)
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    result = json.loads((workdir / "result.json").read_text())
    best = min(rows, key=lambda row: float(row["val_mae"]))
    assert result["best_epoch"] == int(best["epoch"])
    assert result["steps"] == 60 and result["training_identities"] == 20


def test_flags_result_and_model_hold_the_recipe_as_it_ran(finished, prepared):
    workdir, _ = finished
    expected = Recipe(data=str(prepared), pairs_per_identity=8, epochs=3, **SMALL)
    assert from_flagfile((workdir / "flags.cfg").read_text()) == expected
    result = json.loads((workdir / "result.json").read_text())
    assert result["recipe"] == dataclasses.asdict(expected)
    description = saving.read_description(workdir)
    # A model is passed on, the folders of the machine that trained it are not.
    assert description["recipe"] == {k: v for k, v in result["recipe"].items() if k != "data"}
    assert str(prepared) not in json.dumps(description)


def test_the_result_says_where_the_best_model_errs_on_held_out_identities(finished, prepared):
    result = json.loads((finished[0] / "result.json").read_text())
    held_out, best = result["held_out"], result["best"]
    for angle in ("yaw", "pitch", "roll"):
        np.testing.assert_allclose(held_out["mae"][angle], best[f"val_mae_{angle}"], rtol=1e-3)
    bins = [part for part in held_out["by_yaw"] if part["images"]]
    assert len(bins) > 2 and sum(part["images"] for part in bins) == held_out["images"] == 4 * 4
    mean = sum(part["images"] * part["mae"]["mean"] for part in bins) / held_out["images"]
    np.testing.assert_allclose(mean, held_out["mae"]["mean"], rtol=1e-6)
    # Rendered heads have one view whose name ends in _0, as the sources of 300W-LP have.
    assert held_out["first_views"]["images"] == 4


def test_the_schedule_is_one_cosine_from_the_first_rate_to_zero(finished):
    rates = [float(row["learning_rate"]) for row in history(finished[0])]
    expected = [2e-3 * 0.5 * (1 + np.cos(np.pi * step / 60)) for step in (20, 40, 60)]
    np.testing.assert_allclose(rates, expected, atol=1e-8)


def test_tensorboard_holds_scalars_a_grid_of_pairs_and_feature_norms(finished):
    tags = set()
    for path in (finished[0] / "logs").rglob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {"training_pairs", "feature_norm", "epoch_mae_yaw", "epoch_ranking"} <= tags


def test_a_killed_run_goes_on_to_the_result_of_an_unbroken_one(finished, prepared, tmp_path):
    workdir = tmp_path / "killed"
    run = subprocess.Popen(
        command(prepared, workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (workdir / "last.keras").is_file():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    step = int(keras.models.load_model(workdir / "last.keras").optimizer.iterations)
    assert 0 < step < 60
    done = run_line(command(prepared, workdir))
    assert done.returncode == 0, done.stderr
    one, other = (
        keras.models.load_model(folder / "last.keras") for folder in (finished[0], workdir)
    )
    assert int(other.optimizer.iterations) == 60
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
    expected, reached = (
        float(history(folder)[-1]["val_mae"]) for folder in (finished[0], workdir)
    )
    np.testing.assert_allclose(reached, expected, rtol=1e-2)


def test_the_same_command_on_a_finished_run_changes_nothing(finished, prepared):
    workdir, _ = finished
    before = (workdir / "best.keras").read_bytes()
    done = run_line(command(prepared, workdir))
    assert done.returncode == 0, done.stderr
    assert "MAE on held-out identities" in done.stdout
    assert (workdir / "best.keras").read_bytes() == before
    assert len(history(workdir)) == 3


def test_a_workdir_of_a_run_with_other_flags_is_refused_and_left_alone(finished, prepared):
    workdir, _ = finished
    before = (workdir / "flags.cfg").read_text()
    done = run_line(command(prepared, workdir, "--beta=0.9"))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: workdir:") and "--beta=0.9 (begun with 0.5)" in last
    assert (workdir / "flags.cfg").read_text() == before


def test_a_data_folder_that_is_none_is_told_before_a_workdir_is_made(tmp_path):
    archive = tmp_path / "faces.zip"
    archive.write_bytes(b"PK")
    for data, told in ((tmp_path / "absent", "there is no folder"), (archive, "--source=")):
        done = run_line(command(data, tmp_path / "run"))
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("error: data:") and told in last
        assert not (tmp_path / "run").exists()


def test_a_missing_data_folder_is_named(tmp_path):
    with pytest.raises(RankPoseError, match="data: there is no folder"):
        train(tmp_path / "absent", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(prepared, tmp_path):
    options = {"steps_per_epoch": 3, "epochs": 2, "transform": "linear"}
    train(prepared, tmp_path, **options)
    poisoned = keras.models.load_model(tmp_path / "last.keras")
    pose = poisoned.get_layer("tower").get_layer("pose")
    pose.kernel.assign(tf.fill(pose.kernel.shape, np.nan))
    # As if the run had been stopped after its first epoch.
    poisoned.optimizer.iterations.assign(3)
    poisoned.save(tmp_path / "last.keras")
    before = (tmp_path / "last.keras").read_bytes()
    with pytest.raises(RankPoseError, match="no longer finite at step 4; .*Lower --learning_rate"):
        train(prepared, tmp_path, **options)
    assert (tmp_path / "last.keras").read_bytes() == before


def test_the_compact_towers_shape_and_separate_features_reach_it(prepared, tmp_path, monkeypatch):
    asked = []

    def recorded(*args, **shape):
        asked.append(shape)
        raise Stopped

    monkeypatch.setattr(towers, "build_tower", recorded)
    with pytest.raises(Stopped):
        train(prepared, tmp_path, compact_width=0.5, separate_features=True)
    assert asked == [{"separate_features": True, "compact_width": 0.5}]


@pytest.mark.parametrize("choice", [{"pairs": "any"}, {"first_view_probability": 0.75}])
def test_few_training_identities_and_the_choice_of_pairs_reach_the_data_and_the_result(
    prepared, tmp_path, monkeypatch, choice
):
    asked = []
    made = pairs.training_pairs

    def recorded(*arguments, **options):
        asked.append(options)
        return made(*arguments, **options)

    monkeypatch.setattr(pairs, "training_pairs", recorded)
    options = {"training_identities": 6, "steps_per_epoch": 2, "epochs": 1, **choice}
    result = train(prepared, tmp_path, **options)
    assert result["training_identities"] == 6 and choice.items() <= result["recipe"].items()
    assert result["held_out"]["images"] == 4 * 4
    for options in asked:
        assert choice.items() <= options.items()
        assert len(options["chosen"]) == options["round_length"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training_identities": 21}, "training_identities: expected at most 20, .*received 21"),
        ({"training_identities": 1, "pairs": "any"}, "pairs: 'any' needs two"),
    ],
)
def test_what_can_not_be_trained_with_is_named(prepared, tmp_path, options, message):
    with pytest.raises(RankPoseError, match=message):
        train(prepared, tmp_path, **options)


def test_the_losss_options_reach_the_compiled_model_and_its_checkpoint(prepared, tmp_path):
    terms = {"regression": "huber", "loss_unit": "degrees"}
    options = {**terms, "steps_per_epoch": 1, "epochs": 1, "validation_identities": 0}
    row = train(prepared, tmp_path, **options)["best"]
    assert row["loss"] == pytest.approx(0.5 * row["regression"] + 0.5 * row["ranking"], rel=1e-4)
    loss = keras.models.load_model(tmp_path / "last.keras").loss
    assert terms.items() <= loss.get_config().items()


def test_a_damaged_checkpoint_is_named(prepared, tmp_path):
    recipe = Recipe(data=str(prepared), epochs=1, **SMALL)
    (tmp_path / "flags.cfg").write_text(to_flagfile(recipe))
    (tmp_path / "last.keras").write_bytes(b"half a file")
    with pytest.raises(RankPoseError, match="checkpoint .*last.keras.* could not be read"):
        train(prepared, tmp_path, epochs=1)


@pytest.mark.parametrize(
    "options",
    [
        {"mixed_precision": "bfloat16"},
        {"mixed_precision": "float16", "ema_decay": 0.9},
        {"jit_compile": True, "ema_decay": 0.9},
    ],
)
def test_mixed_precision_and_xla_train(prepared, tmp_path, options):
    try:
        result = train(prepared, tmp_path, epochs=1, steps_per_epoch=2, **options)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert result["steps"] == 2 and np.isfinite(result["best"]["loss"])


def test_without_held_out_identities_the_last_epoch_is_kept(prepared, tmp_path):
    result = train(prepared, tmp_path, epochs=2, steps_per_epoch=2, validation_identities=0)
    assert result["best_epoch"] == 2 and "val_mae" not in result["best"]
    assert "held_out" not in result
    assert saving.read_description(tmp_path)["epoch"] == 2


def test_pictures_of_their_own_are_trained_and_validated_one_by_one(tmp_path):
    heads = list(synthetic.identities(16, views=1, seed=1, size=48))
    (tmp_path / "data").mkdir()
    write_prepared(tmp_path / "data", [heads], records, minimum_views=1)
    options = {"epochs": 1, "steps_per_epoch": 2, "pairs": "any"}
    result = train(tmp_path / "data", tmp_path / "run", **options)
    assert result["training_identities"] == 12 and result["held_out"]["images"] == 4
    reached = result["held_out"]["mae"]["mean"]
    np.testing.assert_allclose(reached, result["best"]["val_mae"], rtol=1e-3)


class Stopped(Exception):
    """A run is killed."""


def record_weights(monkeypatch, stop_at=None):
    """List of the trainable weights after every step; the run stops after step `stop_at`."""
    steps = []

    def recorded(self, batch, logs=None):
        steps.append([weight.numpy() for weight in self.model.trainable_variables])
        if int(self.model.optimizer.iterations) == stop_at:
            raise Stopped

    monkeypatch.setattr(keras.callbacks.TerminateOnNaN, "on_batch_end", recorded)
    return steps


AVERAGED = {"ema_decay": 0.8, "epochs": 3, "steps_per_epoch": 4, "checkpoint_steps": 3}


@pytest.fixture(scope="module")
def averaged(prepared, tmp_path_factory):
    """A run with averaged weights, and its weights after each of its 12 steps."""
    workdir = tmp_path_factory.mktemp("runs") / "averaged"
    workdir.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        steps = record_weights(monkeypatch)
        train(prepared, workdir, **AVERAGED)
    return workdir, steps


def running_average(steps, decay):
    average = steps[0]
    for weights in steps[1:]:
        average = [
            decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)
        ]
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
    table = records.read_identity_table(prepared)
    errors = [
        np.abs(tower(view) - pose[:, index])
        for views, pose in pairs.validation_pairs(
            prepared, input_size=32, batch_size=8, threshold=pairs.held_out_threshold(table, 4)
        )
        for index, view in enumerate(views)
    ]
    expected = np.degrees(np.concatenate(errors).mean())
    np.testing.assert_allclose(description["validation_mae_degrees"], expected, rtol=1e-3)


def test_a_stopped_run_with_averaged_weights_goes_on_to_the_same_result(
    averaged, prepared, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        record_weights(patch, stop_at=4)
        train(prepared, tmp_path, **AVERAGED)
    # The checkpoint is inside the first epoch, whose rest is a fit of its own.
    assert int(keras.models.load_model(tmp_path / "last.keras").optimizer.iterations) == 3
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
    return workdir, train(prepared, workdir, **PHOTOS)


def test_the_best_epoch_is_one_on_photos_and_chosen_by_held_out_photos(on_photos):
    workdir, result = on_photos
    rows = callbacks.read_history(workdir / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    best = min(rows[1:], key=lambda row: row["val_mae"])
    assert result["best_epoch"] == best["epoch"] == saving.read_description(workdir)["epoch"]
    first_views = result["held_out"]["first_views"]
    np.testing.assert_allclose(first_views["mae"]["mean"], best["val_mae"], rtol=1e-3)


def test_photos_are_not_ranked_and_their_regression_costs_what_it_did(on_photos):
    rows = callbacks.read_history(on_photos[0] / "history.csv")
    for row, ranking in zip(rows, (0.5, 0.0, 0.0), strict=True):
        expected = 0.5 * row["regression"] + ranking * row["ranking"]
        np.testing.assert_allclose(row["loss"], expected, rtol=1e-4)
    rates = [row["learning_rate"] for row in rows]
    expected = [2e-3 * 0.5 * (1 + np.cos(np.pi * step / 12)) for step in (4, 8, 12)]
    np.testing.assert_allclose(rates, expected, atol=1e-8)


@pytest.mark.parametrize("stop_at", [2 * 2, 2 * 4 + 3])
def test_a_run_stopped_before_or_among_photos_goes_on_to_the_same_result(
    on_photos, prepared, tmp_path, monkeypatch, stop_at
):
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        record_weights(patch, stop_at=stop_at)
        train(prepared, tmp_path, **PHOTOS)
    train(prepared, tmp_path, **PHOTOS)
    one, other = (keras.models.load_model(p / "last.keras") for p in (on_photos[0], tmp_path))
    assert_close(one.get_weights(), other.get_weights(), rtol=1e-2, atol=1e-3)
    assert_close(one.optimizer.variables, other.optimizer.variables, rtol=1e-2, atol=1e-3)
    reached = saving.read_description(tmp_path)
    assert reached["epoch"] == saving.read_description(on_photos[0])["epoch"]


def test_history_reads_what_it_wrote(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    rows = callbacks.read_history(tmp_path / "history.csv")
    assert rows == [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25}]


def test_a_wrong_flag_value_ends_with_a_sentence_and_no_workdir(prepared, tmp_path):
    for flag in ("--transform=tanh", "--beta=2", "--lerning_rate=1"):
        done = run_line(command(prepared, tmp_path / "run", flag))
        assert done.returncode != 0
        assert "Traceback" not in done.stderr and flag[2:6] in done.stderr
        assert not (tmp_path / "run").exists()
