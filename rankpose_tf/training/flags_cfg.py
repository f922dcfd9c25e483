"""A recipe as the text of a run's flags.cfg, read back, and held against another."""

import dataclasses
import pathlib

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.training.recipe import OF_A_SESSION, Recipe, groups


def binds(workdir):
    """Whether the flags.cfg of a run's folder may not change: what it made is there.

    A run that never came to a checkpoint, stopped by a wrong flag say, binds no one.
    """
    made = ("last.keras", "best.keras", "result.json")
    return any(pathlib.Path(workdir, name).is_file() for name in made)


def to_flagfile(recipe):
    """A recipe as text that `rankpose_tf.train --flagfile` takes, every option on a line."""
    lines = []
    for group, names in groups().items():
        lines.append(f"# {group}")
        lines += [f"--{name}={getattr(recipe, name)}" for name in names]
    return "\n".join(lines) + "\n"


def from_flagfile(text):
    """The recipe of a flagfile, such as `to_flagfile` writes.

    An option that an earlier version did not have is at its default: a default keeps what was.

    Raises:
      RankPoseError: if it has an option that this version has not, or another value than it may.
    """
    lines = [line for line in text.splitlines() if line.startswith("--")]
    values = dict(line.removeprefix("--").partition("=")[::2] for line in lines)
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    unknown = sorted(values.keys() - fields)
    if unknown:
        raise RankPoseError(f"flags.cfg has {', '.join(unknown)}, no option of this version")
    return Recipe(**{name: _from_text(fields[name], value) for name, value in values.items()})


def _from_text(field, text):
    """A value from its text; the text where it can't be, which `Recipe` then refuses."""
    if field.type is bool:
        # A name alone says yes, as on a command line.
        return {"True": True, "False": False, "": True}.get(text, text)
    try:
        return field.type(text)
    except ValueError:
        return text


def differences(begun, asked):
    """Dict of option -> (value in the one recipe, value in the other), where they differ.

    Those of `OF_A_SESSION` are left out.
    """
    pairs = ((name, (getattr(begun, name), value)) for name, value in vars(asked).items())
    differing = {name: both for name, both in pairs if both[0] != both[1]}
    return {name: both for name, both in differing.items() if name not in OF_A_SESSION}
