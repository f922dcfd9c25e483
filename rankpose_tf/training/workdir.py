"""The folder of a training run: whose it is, and the checkpoint that it goes on from."""

import pathlib

import keras

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError


def claim_workdir(workdir, settings):
    """Makes `workdir` this run's own, or checks that it already is.

    Args:
      workdir: folder; made if absent.
      settings: dict of the flags as run, written to flags.cfg as a flagfile.

    Returns:
      The folder as a path.

    Raises:
      RankPoseError: if the folder holds something else, or a run with other flags.
    """
    workdir = pathlib.Path(workdir)
    record = workdir / "flags.cfg"
    lines = [f"--{name}={value}" for name, value in sorted(settings.items())]
    files.new_folder("workdir", workdir, resumed=record.is_file(), own="training run")
    if record.is_file() and (workdir / "last.keras").is_file():
        before = record.read_text(encoding="utf-8").splitlines()
        differing = sorted(set(before) ^ set(lines))
        if differing:
            raise RankPoseError(
                f"workdir: {str(workdir)!r} holds a run with other flags ({' '.join(differing)}); "
                "pass the same flags to go on with it, or another --workdir"
            )
    else:
        # A run that never reached a checkpoint, stopped by a wrong flag say, binds no one.
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_text(record, "\n".join(lines) + "\n")
    return workdir


def resume(workdir):
    """The compiled model of last.keras, or None for a run that has no checkpoint yet.

    Raises:
      RankPoseError: if the checkpoint is damaged.
    """
    path = workdir / "last.keras"
    if not path.is_file():
        return None
    try:
        return keras.models.load_model(path)
    except Exception as error:  # Keras reports damage by many types, from KeyError to OSError.
        raise RankPoseError(
            f"workdir: the checkpoint {str(path)!r} could not be read ({error}); remove it to "
            "start this run anew, or pass another --workdir"
        ) from error
