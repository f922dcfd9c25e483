"""Trains RankPose. The defaults are the recipe of the paper (BMVC 2020, section 4.1).

rankpose train --data=PREPARED --workdir=RUN
rankpose train --flagfile=flags/smoke.cfg
"""

import dataclasses
import json
import os
import pathlib

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.training import recipe

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}
_RECIPE = {
    field.name: _DEFINE[field.type](field.name, field.default, recipe.help_text(field))
    for field in dataclasses.fields(recipe.Recipe)
}
# Where and how a run works; what is trained does not depend on it.
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "Folder of this run; the same command goes on with a stopped run."
)
_CHECKPOINT_STEPS = flags.DEFINE_integer(
    "checkpoint_steps", 0, "Write last.keras every so many steps too; 0: at epochs only.", 0
)
_NEEDED = {"data": "FOLDER", "workdir": "FOLDER"}


def _help_groups():
    groups = {title: [_RECIPE[name] for name in names] for title, names in recipe.groups().items()}
    groups[recipe.DATA].append(_CHECKPOINT_STEPS)
    return groups


def _check_backend():
    """Refuses another backend of Keras, before anything is written.

    Raises:
      RankPoseError: says where it is set.
    """
    home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    name, place = os.environ.get("KERAS_BACKEND", ""), "the environment"
    if not name and (home / "keras.json").is_file():
        place = str(home / "keras.json")
        try:
            name = json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend", "")
        except ValueError:
            return  # Keras passes over such a file too.
    if name not in ("", "tensorflow"):
        raise RankPoseError(
            f"KERAS_BACKEND: expected tensorflow, received {name!r} from {place}; set "
            "KERAS_BACKEND=tensorflow"
        )


def _render(asked, folder):
    """Prepares rendered heads in a folder."""
    from rankpose_tf.preparation.prepare import prepare

    heads = asked.synthetic_identities
    prepare(None, folder, kind="synthetic", shards=8, workers=1, synthetic_identities=heads)


def _asked():
    """The recipe of the command line, with what the model it starts from settles."""
    values = {name: flag.value for name, flag in _RECIPE.items()}
    if values["init"]:
        _check_backend()
        from rankpose_tf.training import starting

        given = [name for name, flag in _RECIPE.items() if flag.present]
        values = starting.completed(values, given)
    return recipe.Recipe(**values)


def main(argv):
    del argv
    asked = _asked()
    _check_backend()
    # TensorFlow comes with it: neither --help nor a wrong option waits for it.
    from rankpose_tf.training import loop

    workdir = pathlib.Path(_WORKDIR.value)
    result = loop.train(
        asked,
        workdir=workdir,
        render=lambda folder: _render(asked, folder),
        checkpoint_steps=_CHECKPOINT_STEPS.value,
    )
    if result is None:
        print("this worker is done; the first one has written the run")
        return
    print(f"{_figures(result)}\n{workdir / 'best.keras'}")


def _figures(result):
    """What is printed of result.json: held-out errors, and those of the model it starts from."""
    best = result["best"]
    if "val_mae" not in best:
        return "no held-out identities"
    keys = {"yaw": "val_mae_yaw", "pitch": "val_mae_pitch", "roll": "val_mae_roll",
            "mean": "val_mae"}  # fmt: skip
    reached = _line({name: best[key] for name, key in keys.items()})
    line = f"MAE on held-out identities, degrees: {reached}"
    before = result.get("start", {}).get("held_out")
    if before and result["recipe"]["photo_epochs"]:
        before = before["first_views"]
    if not before:
        return line
    lines = [f"the same before training, degrees: {_line(before['mae'])}", line]
    if best["val_mae"] >= before["mae"]["mean"]:
        lines.append("no epoch is better than the model that training started from: keep that one")
    return "\n".join(lines)


def _line(mae):
    return ", ".join(f"{name} {mae[name]:.2f}" for name in ("yaw", "pitch", "roll", "mean"))


if __name__ == "__main__":
    command.run(main, needed=_NEEDED, groups=_help_groups())
