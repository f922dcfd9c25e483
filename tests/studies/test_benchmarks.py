"""The benchmarks of training's input, step and data give figures of what they say they time."""

import itertools
import json

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records
from rankpose_tf.studies import input_speed, machine, opencv_loader, prepare_speed, step_speed
from tests.support.doors import run_door

SPREAD = {"median": 2.0, "least": 1.0, "most": 3.0}


def test_every_augmentation_of_a_recipe_is_in_the_loader_that_ours_is_compared_with():
    for setting in input_speed.SETTINGS:
        often = {
            name.removesuffix("_probability")
            for name, value in input_speed.recipe_of(setting).augmentation.items()
            if name.endswith("_probability") and value
        }
        assert often <= {*opencv_loader._CHANGES, "scale", "crop", "rotation", "flip"}


def test_the_settings_are_the_papers_and_the_compact_towers():
    paper, compact = map(input_speed.recipe_of, input_speed.SETTINGS)
    assert (paper.input_size, paper.tower) == (224, "resnet50")
    assert (compact.input_size, compact.separate_features) == (80, True)


def test_all_three_loaders_give_batches_of_made_up_pictures(monkeypatch):
    monkeypatch.setattr(input_speed, "_PICTURES", 8)
    serialized = input_speed._made_up(64)
    assert len(serialized) == 4 and len(records.read_views(serialized[0])[0]) == 2
    recipe = input_speed.recipe_of("compact, 80 px")
    (one, other), poses = next(input_speed._pipeline(serialized, recipe))
    assert one.shape == other.shape == (32, 80, 80, 3) and poses.shape == (32, 2, 3)
    opencv = opencv_loader.batches(serialized, 80, 32, 1.4, recipe.augmentation)
    views = next(opencv)
    assert views.shape == (64, 80, 80, 3) and views.std() > 10
    assert next(input_speed._decoding(serialized)).shape == (64, 3)


def test_the_ratios_are_of_medians_of_rounds_that_take_turns(monkeypatch):
    monkeypatch.setattr(input_speed, "_ROUNDS", 3)
    rates = iter([30.0, 100.0, 20.0, 60.0, 50.0, 10.0, 90.0, 200.0, 40.0])
    monkeypatch.setattr(input_speed, "_rate", lambda batches, seconds: next(rates))
    for name in ("_pipeline", "_decoding"):
        monkeypatch.setattr(input_speed, name, lambda *given: None)
    row = input_speed._rates([], input_speed.recipe_of("paper, 224 px"), 1.0)
    assert row["pipeline"] == {"median": 60.0, "least": 30.0, "most": 90.0}
    assert row["ratio_to_decode"] == 60.0 / 100.0 and row["ratio_to_opencv"] == 60.0 / 20.0
    figures = {"machine": machine.describe(), "settings": {"paper, 224 px": row}}
    assert input_speed.table(figures).splitlines()[-1].split()[-2:] == ["0.60", "3.00"]


def test_a_folder_for_each_setting_is_needed():
    with pytest.raises(RankPoseError, match="data: expected 2 prepared folders, .*received 1"):
        input_speed.measure(["one"])


def test_steps_are_of_as_many_pictures_and_share_weights():
    views, poses = step_speed._batch(step_speed.SIAMESE, 8, 3)
    pictures, labels = step_speed._batch(step_speed.PLAIN, 8, 3)
    np.testing.assert_array_equal(pictures, np.concatenate(views))
    np.testing.assert_array_equal(labels, np.concatenate([poses[:, 0], poses[:, 1]]))


def test_one_call_and_two_give_the_same_poses_outside_of_training():
    two = step_speed._model(step_speed.SIAMESE, "compact", 32)
    one = step_speed._model(step_speed.ONE_CALL, "compact", 32)
    one.set_weights(two.get_weights())
    views, _ = step_speed._batch(step_speed.SIAMESE, 32, 2)
    np.testing.assert_allclose(one(views), two(views), atol=1e-5)


def test_the_tables_of_step_and_prepare_show_their_figures():
    kinds = {
        kind: {**SPREAD, "ratio": 1.25}
        for kind in (step_speed.PLAIN, step_speed.SIAMESE, step_speed.ONE_CALL)
    }
    text = step_speed.table(
        {
            "machine": machine.describe(),
            "towers": {
                "compact": {
                    "ways": {"oneDNN off": kinds},
                    "normalization": {"mean": 0.1, "deviation": 0.02},
                }
            },
            "sizes": [{"input_size": 64, "pairs": 16, "threads": 1, "pictures": 100.4}],
        }
    )
    assert "2 (1.25)" in text and "0.100 deviations, deviations 2.0%" in text
    assert text.splitlines()[-1].split() == ["64", "16", "1", "100"]
    prepared = {"seconds": 2.0, "views_per_second": 5.0, "megabytes": 700.0}
    read = {"batches": 300, "megabytes_begun": 600.0, "megabytes": 650.0}
    given = {"machine": machine.describe(), "views": 10, "prepare": prepared, "input": read}
    assert "650 (600 after a tenth)" in prepare_speed.table(given)


def test_what_a_process_holds_is_told_in_megabytes():
    with prepare_speed._Memory() as memory:
        block = np.ones(40_000_000)
        for _ in itertools.takewhile(lambda _: memory.megabytes < 320, range(10**9)):
            block += 1
    assert memory.megabytes >= 320


def test_a_tower_that_is_not_timed_is_named():
    done = run_door("benchmark", "step", "--towers=vgg")
    assert done.returncode == 1 and done.stderr.startswith("error: towers: expected some of comp")


def test_figures_go_into_a_folder_under_their_name_and_are_not_written_over(tmp_path, monkeypatch):
    monkeypatch.setattr(input_speed, "measure", lambda *given: {"machine": {}, "settings": {}})
    monkeypatch.setattr(input_speed, "table", lambda figures: "table")
    done = run_door("benchmark", "input", f"--out={tmp_path / 'new'}")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "new" / "input.json").read_text())
    assert written["settings"] == {} and written["command"].startswith("rankpose benchmark input")
    again = run_door("benchmark", "input", f"--out={tmp_path / 'new'}")
    assert again.returncode == 1 and "exists already" in again.stderr
