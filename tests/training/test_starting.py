"""Runs that start from a trained model: what they take over, refuse, record and go on with."""

import hashlib
import json
import shutil

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving, shipped
from rankpose_tf.training import building, loop, starting
from rankpose_tf.training.recipe import Recipe
from tests.support.doors import run_door
from tests.support.small_training import PLAIN, begin, train

SHAPE = {"tower": "compact", "input_size": 32, "separate_features": True, "compact_width": 2.0}
SHORT = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "validation_identities": 4, **PLAIN}


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """Workdir of a run from random weights, at another crop scale than the default."""
    workdir = tmp_path_factory.mktemp("runs") / "trained"
    recipe = Recipe(data=str(prepared), crop_scale=1.3, **SHAPE, **SHORT)
    loop.train(recipe, workdir=workdir)
    return workdir


def door(data, workdir, *more):
    given = [f"--{name}={value}" for name, value in SHORT.items()]
    return run_door("train", f"--data={data}", f"--workdir={workdir}", *given, *more)


@pytest.fixture(scope="module")
def started(trained, prepared, tmp_path_factory):
    """Workdir of a run that started from `trained`, and what the command printed."""
    workdir = tmp_path_factory.mktemp("runs") / "started"
    done = door(prepared, workdir, f"--init={trained}")
    assert done.returncode == 0, done.stderr
    return workdir, done.stdout


def tower_of(siamese):
    return siamese.get_layer("tower")


def test_a_run_starts_with_the_weights_of_its_model_and_a_fresh_optimizer(trained):
    siamese = building.new_model(Recipe(init=str(trained), **SHAPE), 5)
    for ours, theirs in zip(
        tower_of(siamese).get_weights(), saving.load_model(trained)[0].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert int(siamese.optimizer.iterations) == 0
    assert float(siamese.optimizer.learning_rate) == pytest.approx(1e-3)


def test_the_tower_and_crop_are_the_models_and_the_start_is_recorded(trained, started):
    workdir, output = started
    result = json.loads((workdir / "result.json").read_text())
    assert SHAPE.items() <= result["recipe"].items() and result["recipe"]["crop_scale"] == 1.3
    file = trained / "best.keras"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    start = result["start"]
    assert start["path"] == str(file) and start["sha256"] == digest
    assert start["held_out"]["images"] == result["held_out"]["images"] == 4 * 4
    flags = (workdir / "flags.cfg").read_text()
    assert digest in flags and f"--init={trained}\n" in flags
    # A model is passed on, the folders of the machine that trained it are not.
    description = saving.read_description(workdir)
    assert str(trained) not in json.dumps(description)
    first, last = (line.split(": ")[0] for line in output.strip().splitlines()[-3:-1])
    assert "before" in first and "held-out" in last


def test_the_same_command_goes_on_and_another_start_is_refused(
    trained, started, prepared, tmp_path
):
    workdir, _ = started
    before = (workdir / "best.keras").read_bytes()
    copied = tmp_path / "copied.keras"
    shutil.copyfile(trained / "best.keras", copied)
    assert door(prepared, workdir, f"--init={copied}").returncode == 0
    done = door(prepared, workdir, f"--init={workdir}")
    assert done.returncode == 1 and "--init=" in done.stderr and "another content" in done.stderr
    assert (workdir / "best.keras").read_bytes() == before


@pytest.mark.parametrize(
    ("flag", "received"),
    [("tower", "resnet50"), ("input_size", 48), ("transform", "cosine"), ("compact_width", 1.0)],
)
def test_a_contradiction_is_one_sentence_and_no_workdir(
    trained, prepared, tmp_path, flag, received
):
    done = door(prepared, tmp_path / "run", f"--init={trained}", f"--{flag}={received}")
    assert done.returncode == 1 and not (tmp_path / "run").exists()
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(f"error: {flag}: expected ") and f"received {received}" in line
    assert f"leave out --{flag}" in line


def test_a_recipe_in_python_is_held_to_the_model_too(trained, prepared, tmp_path):
    recipe = Recipe(data=str(prepared), init=str(trained), **{**SHAPE, "separate_features": False})
    with pytest.raises(RankPoseError, match="separate_features: expected True"):
        loop.train(recipe, workdir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_folder_of_an_unknown_user_is_no_file():
    with pytest.raises(RankPoseError, match="init: no file 'a.keras' in '~nobody-of-this-name'"):
        starting.file("~nobody-of-this-name/a.keras")


def test_a_file_that_is_no_model_is_named(trained, prepared, tmp_path):
    foreign = tmp_path / "foreign.keras"
    foreign.write_bytes(b"nothing")
    for init, told in ((tmp_path / "absent", "init: no file"), (foreign, "init: ")):
        done = door(prepared, tmp_path / "run", f"--init={init}")
        assert done.returncode == 1 and f"error: {told}" in done.stderr
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "wide", "tower_weights": "none"}, "tower_weights: expected auto with --init"),
        ({"tower": "compact", "freeze_normalization": True}, "freeze_normalization: random"),
    ],
)
def test_what_does_not_go_together_is_named(options, message):
    with pytest.raises(RankPoseError, match=message):
        Recipe(**options)


def normalization(tower):
    layers = [x for x in tower.layers if isinstance(x, keras.layers.BatchNormalization)]
    return [weight for layer in layers for weight in layer.get_weights()]


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_normalization_keeps_what_it_had_over_a_resume(trained, prepared, tmp_path, frozen):
    options = {**SHAPE, **SHORT, "epochs": 3, "learning_rate": 0.01, "init": str(trained)}
    # As if the run had been stopped after its first epoch.
    begin(prepared, tmp_path, step=2, freeze_normalization=frozen, **options)
    train(prepared, tmp_path, freeze_normalization=frozen, **options)
    start, reached = (saving.load_model(folder)[0] for folder in (trained, tmp_path))
    kept = [
        np.array_equal(a, b)
        for a, b in zip(normalization(start), normalization(reached), strict=True)
    ]
    assert all(kept) if frozen else not any(kept)
    assert not np.array_equal(start.get_layer("pose").kernel, reached.get_layer("pose").kernel)


def test_shipped_is_the_models_name_or_the_one_that_is_loaded_by_default():
    assert starting.file("shipped") == shipped.file(shipped.DEFAULT, "keras")
    assert starting.file("compact") == shipped.file("compact", "keras")
    options = {"init": "compact", "tower": "resnet50", "compact_width": 9.0, "beta": 0.25}
    completed = starting.completed(options, ["beta"])
    assert completed["tower"] == "compact" and completed["input_size"] == 80
    assert completed["compact_width"] == 1.0 and completed["separate_features"]
    assert completed["beta"] == 0.25 and completed["crop_scale"] == 1.4
