"""The options of a training: checked, written as a flagfile, read back, compared."""

import dataclasses
import pathlib
import subprocess
import sys

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.training.flags_cfg import differences, from_flagfile, to_flagfile
from rankpose_tf.training.recipe import Recipe, groups
from tests.support.doors import given_flags, run_door

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.5}, "beta: expected a number from 0 to 1, received 1.5"),
        ({"beta": float("nan")}, "beta: expected a number from 0 to 1, received nan"),
        ({"epochs": 2.5}, "epochs: expected a whole number from 1 on, received 2.5"),
        ({"epochs": True}, "epochs: expected a whole number"),
        ({"regression": "cubed"}, "regression: expected one of squared, huber, received 'cubed'"),
        ({"photo_epochs": 3, "epochs": 2}, "photo_epochs: expected at most 2.* received 3"),
        ({"photo_epochs": 1, "beta": 0.0}, "photo_epochs: .* 0 where beta is 0, received 1"),
        ({"compact_width": 0.5}, "compact_width.*pass --tower=compact"),
        ({"tower": "compact", "tower_weights": "imagenet"}, "tower_weights: the compact tower"),
        ({"crop_scale_min": 1.7}, "crop_scale_max: expected at least crop_scale_min, 1.7, .* 1.6"),
        ({"crop_scale": 2.0}, "crop_scale_max: expected at least crop_scale, 2.0, received 1.6"),
        ({"pairs": "any", "first_view_probability": 0.5}, "first_view_probability: expected 0"),
    ],
)
def test_what_can_not_be_trained_with_is_named_at_once(options, message):
    with pytest.raises(RankPoseError, match=message):
        Recipe(**options)


def test_a_recipe_is_read_back_from_its_flagfile_as_it_was():
    recipe = Recipe(data="a folder", beta=1 / 3, filter_angles=False, pairs="any", epochs=7)
    assert from_flagfile(to_flagfile(recipe)) == recipe
    assert differences(Recipe(), Recipe(beta=0.25)) == {"beta": (0.5, 0.25)}


def test_every_option_is_in_one_group_and_has_a_meaning():
    named = [name for names in groups().values() for name in names]
    assert sorted(named) == sorted(field.name for field in dataclasses.fields(Recipe))
    assert all(field.metadata["help"] for field in dataclasses.fields(Recipe))


def test_options_that_an_earlier_version_lacked_are_at_their_defaults():
    earlier = [line for line in to_flagfile(Recipe(beta=0.25)).splitlines() if "dark" not in line]
    assert from_flagfile("\n".join(sorted(earlier))) == Recipe(beta=0.25)


def test_an_option_of_another_version_is_named():
    with pytest.raises(RankPoseError, match="flags.cfg has gimbal, no option"):
        from_flagfile("--gimbal=1\n")


def test_every_flagfile_is_a_recipe():
    names = {field.name for field in dataclasses.fields(Recipe)}
    for path in sorted((ROOT / "flags").glob("*.cfg")):
        lines = path.read_text().splitlines()
        if not any(line.startswith("--epochs") for line in lines):
            continue
        given = given_flags("train", f"--flagfile={path}")
        Recipe(**{name: value for name, (value, _) in given.items() if name in names})


def test_help_needs_no_tensorflow_and_shows_the_needed_first():
    program = (
        "import sys, runpy; sys.argv = ['train', '--help']\n"
        "try: runpy.run_module('rankpose_tf.train', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    places = [done.stdout.index(f"--{name}=") for name in ("data", "workdir", "seed", "beta")]
    assert places == sorted(places)


def test_another_backend_of_keras_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    done = run_door("train", f"--data={tmp_path}", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 1 and "KERAS_BACKEND: expected tensorflow" in done.stderr
    assert not (tmp_path / "run").exists()


def test_missing_flags_are_named_together():
    done = run_door("train")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: data, workdir: pass --data=FOLDER --workdir=FOLDER"


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = run_door("train", "--data=~/absent", "--workdir=~/run")
    assert done.returncode == 1 and str(tmp_path / "absent") in done.stderr
    assert list(tmp_path.iterdir()) == []
