"""A training run: what it writes, that it resumes exactly, and how it refuses."""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving
from rankpose_tf.training import callbacks, loop, stages
from rankpose_tf.training.flags_cfg import from_flagfile
from rankpose_tf.training.recipe import Recipe
from tests.support import killed_training
from tests.support.doors import run_line
from tests.support.small_training import SMALL, begin, history, train


def command(data, workdir, *more):
    small = [f"--{name}={value}" for name, value in SMALL.items()]
    return [
        sys.executable,
        "-m",
        "rankpose_tf.train",
        f"--data={data}",
        f"--workdir={workdir}",
        *small,
        "--pairs_per_identity=4",
        "--epochs=3",
        "--checkpoint_steps=4",
        *more,
    ]


@pytest.fixture(scope="module")
def finished(prepared, tmp_path_factory):
    """An unbroken run of three epochs of 10 steps, by the command line."""
    workdir = tmp_path_factory.mktemp("runs") / "unbroken"
    done = run_line(command(prepared, workdir))
    assert done.returncode == 0, done.stderr
    return workdir, done.stdout


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
    assert [int(row["step"]) for row in rows] == [10, 20, 30]
    result = json.loads((workdir / "result.json").read_text())
    best = min(rows, key=lambda row: float(row["val_mae"]))
    assert result["best_epoch"] == int(best["epoch"])
    assert result["steps"] == 30 and result["training_identities"] == 20


def test_flags_result_and_model_hold_the_recipe_as_it_ran(finished, prepared):
    workdir, _ = finished
    expected = Recipe(data=str(prepared), pairs_per_identity=4, epochs=3, **SMALL)
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
    np.testing.assert_allclose(held_out["ordered"], best["val_ordered"], atol=1e-6)


def test_the_schedule_is_one_cosine_from_the_first_rate_to_zero(finished):
    rates = [float(row["learning_rate"]) for row in history(finished[0])]
    expected = [2e-3 * 0.5 * (1 + np.cos(np.pi * step / 30)) for step in (10, 20, 30)]
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
    python, option, _, *flags = command(prepared, workdir)
    # Checkpoints are at steps 4, 8, 10, 14 and 18; the fifth is not finished.
    killed = subprocess.run(
        [python, option, killed_training.__name__, "4", *flags], capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert int(keras.models.load_model(workdir / "last.keras").optimizer.iterations) == 14
    done = run_line(command(prepared, workdir))
    assert done.returncode == 0, done.stderr
    one, other = (
        keras.models.load_model(folder / "last.keras") for folder in (finished[0], workdir)
    )
    assert int(other.optimizer.iterations) == 30
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
    expected, reached = (float(history(folder)[-1]["val_mae"]) for folder in (finished[0], workdir))
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


def test_history_reads_what_it_wrote(tmp_path):
    columns = "epoch,step,seconds,images_per_second,loss"
    (tmp_path / "history.csv").write_text(f"{columns}\n1,20,3,9,0.5\n2,40,4,8,0.25\n")
    rows = callbacks.read_history(tmp_path / "history.csv")
    assert [list(row.values()) for row in rows] == [[1, 20, 3, 9, 0.5], [2, 40, 4, 8, 0.25]]
    assert list(rows[0]) == columns.split(",")


def test_a_stage_begins_where_the_one_before_ends_whatever_float16_left_out(monkeypatch):
    """A step whose gradients overflow is none to the optimizer."""
    begun = []

    def fit(recipe, workdir, siamese, stage, step, *others):
        begun.append((stage.until, step))
        return siamese

    monkeypatch.setattr(loop, "_fit", fit)
    monkeypatch.setattr(callbacks, "steps_of", lambda siamese: 1)
    run = [stages.Stage(until, None, None, False) for until in (2, 3)]
    loop._fit_stages(None, None, None, run, 4, None, None)
    assert begun == [(2, 1), (3, 2 * 4)]


def test_a_finished_run_without_its_history_is_one_sentence(prepared, tmp_path):
    options = {"epochs": 1, "steps_per_epoch": 2}
    begin(prepared, tmp_path / "run", 2, **options)
    with pytest.raises(RankPoseError, match="workdir: the run in .* history.csv, .*, is gone"):
        train(prepared, tmp_path / "run", **options)


def test_a_wrong_flag_value_ends_with_a_sentence_and_no_workdir(prepared, tmp_path):
    for flag in ("--transform=tanh", "--beta=2", "--lerning_rate=1"):
        done = run_line(command(prepared, tmp_path / "run", flag))
        assert done.returncode != 0
        assert "Traceback" not in done.stderr and flag[2:6] in done.stderr
        assert not (tmp_path / "run").exists()
