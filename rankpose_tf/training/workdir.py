"""The folder of a training run: whose it is, and the checkpoint that it goes on from."""

import contextlib
import pathlib

import keras

from rankpose_tf.core import damage, files, locks
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder
from rankpose_tf.training.flags_cfg import binds, differences, from_flagfile, to_flagfile

# Options that name a file or folder -> the line of flags.cfg that tells its content.
_CONTENTS = {
    "data": "# fingerprint of the data: ",
    "init": "# checksum of the model it starts from: ",
}


@contextlib.contextmanager
def claimed(workdir, recipe, contents=None):
    """Makes `workdir` this run's own as long as it lasts, or checks that it already is.

    Args:
      workdir: folder; made if absent.
      recipe: `Recipe`, written to flags.cfg as a flagfile.
      contents: dict of "data" and "init" -> fingerprint of what is there, which tells two of them
        apart wherever they lie; without it the recipe alone says what they are.

    Yields:
      The folder as a path.

    Raises:
      RankPoseError: if the folder holds something else, a run of another recipe or of other data,
        or one that is going on now.
    """
    workdir = pathlib.Path(workdir)
    record = workdir / "flags.cfg"
    files.new_folder("workdir", workdir, resumed=record.is_file(), own="training run")
    workdir.mkdir(parents=True, exist_ok=True)
    with locks.folder("workdir", workdir, "training in"):
        if record.is_file() and binds(workdir):
            _check_same(workdir, _text(record), recipe, contents or {})
            _require_checkpoint(workdir)
        else:
            lines = [f"{_CONTENTS[name]}{value}\n" for name, value in (contents or {}).items()]
            files.write_text(record, "".join(lines) + to_flagfile(recipe))
        yield workdir


def _require_checkpoint(workdir):
    """Refuses to begin a finished run anew: its model and its figures would be replaced."""
    if (workdir / "result.json").is_file() and not (workdir / "last.keras").is_file():
        raise RankPoseError(
            f"workdir: {str(workdir)!r} holds a finished run without last.keras, its checkpoint; "
            "copy it back, or pass another --workdir to train anew"
        )


def require_same_data(workdir, data):
    """Refuses other data than a run trained on, where its flags.cfg tells.

    Args:
      workdir: of a run; of a .keras file alone nothing is known.
      data: prepared folder.

    Raises:
      RankPoseError: for other data.
    """
    record, mark = pathlib.Path(workdir, "flags.cfg"), _CONTENTS["data"]
    lines = _text(record).splitlines() if record.is_file() else []
    known = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    if known and prepared_folder.fingerprint(data) not in known:
        raise RankPoseError(
            f"data: the run {str(workdir)!r} trained on other data than {str(data)!r}, so which of "
            "these it never saw is not known; pass the folder that it trained on, or a copy"
        )


def _text(record):
    """Content of flags.cfg, which is ours, however it is damaged."""
    advice = "pass another --workdir, or mend it by the recipe in the run's result.json"
    with damage.told("workdir", record, advice), open(record, encoding="utf-8") as stream:
        return "".join(damage.lines(stream))


def _check_same(workdir, recorded, recipe, contents):
    """Refuses to go on with a run that was begun with another recipe or other data.

    Raises:
      RankPoseError: with the options that differ, both values of each, and what to do.
    """
    try:
        with damage.told("flags.cfg", workdir, "it is not as it was written"):
            begun = from_flagfile(recorded)
    except RankPoseError as error:
        raise RankPoseError(
            f"workdir: {str(workdir)!r} can't be gone on with ({error}); pass another "
            "--workdir, or use the version of rankpose_tf that began it"
        ) from error
    differing = differences(begun, recipe)
    lines = recorded.splitlines()
    for name, value in contents.items():
        if any(line.startswith(_CONTENTS[name]) for line in lines):
            differing.pop(name, None)
            if _CONTENTS[name] + value not in lines:
                was = f"another content of {getattr(begun, name)}"
                differing[name] = (was, getattr(recipe, name))
    if not differing:
        return
    if differing.keys() == {"epochs"} and recipe.epochs > begun.epochs:
        raise RankPoseError(
            f"workdir: {str(workdir)!r} is a run of {begun.epochs} epochs, received "
            f"--epochs={recipe.epochs}; the learning rate falls to 0 over the epochs that a run is "
            "begun with, so to train longer start anew in another --workdir"
        )
    shown = [f"--{name}={now} (begun with {was})" for name, (was, now) in differing.items()]
    raise RankPoseError(
        f"workdir: {str(workdir)!r} holds a run of another recipe, received {', '.join(shown)}; "
        "pass what its flags.cfg has to go on with it, or another --workdir"
    )


def resume(workdir):
    """The compiled model of last.keras, or None for a run that has no checkpoint yet.

    Raises:
      RankPoseError: if the checkpoint is damaged.
    """
    path = workdir / "last.keras"
    if not path.is_file():
        return None
    advice = "remove it to start an unfinished run anew, or pass another --workdir"
    # Keras reports damage by many types, from KeyError to OSError.
    with damage.told("workdir", path, advice, "could not be read", others=(Exception,)):
        return keras.models.load_model(path)
