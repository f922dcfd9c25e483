"""The options of a recipe reach the training: data, losses, precision, what is held out."""

import contextlib
import math

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, synthetic
from rankpose_tf.models import saving, towers
from rankpose_tf.training import callbacks
from rankpose_tf.training.flags_cfg import to_flagfile
from rankpose_tf.training.recipe import Recipe
from tests.conftest import write_prepared
from tests.support.small_training import PLAIN, SMALL, begin, train


class Stopped(Exception):
    """The tower has been asked for."""


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(prepared, tmp_path):
    options = {"steps_per_epoch": 3, "epochs": 2, "transform": "linear", "validation_identities": 0}
    # As if the run had been stopped after its first epoch.
    begin(prepared, tmp_path, step=3, poison=np.nan, **options)
    before = (tmp_path / "last.keras").read_bytes()
    with pytest.raises(RankPoseError, match="no longer finite at step 4; .*Lower --learning_rate"):
        train(prepared, tmp_path, **options)
    assert (tmp_path / "last.keras").read_bytes() == before


def test_a_step_that_breaks_the_weights_at_an_epoch_s_end_leaves_no_file_of_them(
    prepared, tmp_path
):
    options = {"epochs": 2, "steps_per_epoch": 1, "learning_rate": 1e38}
    with pytest.raises(RankPoseError, match="no longer finite at step 1; "):
        train(prepared, tmp_path / "run", **options)
    assert not list(tmp_path.rglob("*.keras")) and not list(tmp_path.rglob("history.csv"))


def test_the_best_of_two_alike_is_the_first_and_no_number_is_never_best(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(callbacks, "single_image_model", lambda model: model)
    monkeypatch.setattr(callbacks, "averaged_weights", contextlib.nullcontext)
    monkeypatch.setattr(callbacks, "save_model", lambda *of: saved.append(of[-1]["epoch"]))
    best = callbacks.SaveBest(tmp_path, {}, [])
    for epoch, value in enumerate([3.0, 2.5, 2.5, math.nan, 9.0]):
        best.on_epoch_end(epoch, {"val_mae": value})
    assert saved == [1, 2]


def test_the_compact_towers_shape_and_separate_features_reach_it(prepared, tmp_path, monkeypatch):
    asked = []

    def recorded(*args, **shape):
        asked.append(shape)
        raise Stopped

    monkeypatch.setattr(towers, "build_tower", recorded)
    with pytest.raises(Stopped):
        train(prepared, tmp_path, compact_width=0.5, separate_features=True)
    assert asked == [{"separate_features": True, "compact_width": 0.5}]


def test_few_training_identities_and_the_choice_of_pairs_reach_the_data_and_the_result(
    prepared, tmp_path, monkeypatch
):
    asked, traced = [], []
    made, train_step = pairs.training_pairs, keras.Model.train_step

    def recorded(*arguments, **options):
        asked.append(options)
        return made(*arguments, **options)

    def traced_step(self, data):
        traced.append(data)
        return train_step(self, data)

    monkeypatch.setattr(pairs, "training_pairs", recorded)
    monkeypatch.setattr(keras.Model, "train_step", traced_step)
    choice = {"training_identities": 6, "pairs": "any"}
    result = train(prepared, tmp_path, steps_per_epoch=2, epochs=1, **choice)
    assert result["training_identities"] == 6 and choice.items() <= result["recipe"].items()
    assert result["held_out"]["images"] == 4 * 4
    # Each once: what a training begins with is made of nothing but graphs.
    assert len(asked) == len(traced) == 1
    (options,) = asked
    assert options["pairs"] == "any" and len(options["chosen"]) == options["round_length"] == 6


def test_the_share_of_first_views_reaches_the_data(prepared, tmp_path, monkeypatch):
    asked = []

    def recorded(*arguments, **options):
        asked.append(options)
        raise Stopped

    monkeypatch.setattr(pairs, "training_pairs", recorded)
    with pytest.raises(Stopped):
        train(prepared, tmp_path, first_view_probability=0.75)
    assert [options["first_view_probability"] for options in asked] == [0.75]


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
    recipe = Recipe(data=str(prepared), epochs=1, **SMALL, **PLAIN)
    (tmp_path / "flags.cfg").write_text(to_flagfile(recipe))
    (tmp_path / "last.keras").write_bytes(b"half a file")
    with pytest.raises(RankPoseError, match="workdir: .*last.keras. could not be read .*"):
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
    write_prepared(tmp_path / "data", [heads], minimum_views=1)
    options = {"epochs": 1, "steps_per_epoch": 2, "pairs": "any"}
    result = train(tmp_path / "data", tmp_path / "run", **options)
    assert result["training_identities"] == 12 and result["held_out"]["images"] == 4
    reached = result["held_out"]["mae"]["mean"]
    np.testing.assert_allclose(reached, result["best"]["val_mae"], rtol=1e-3)
