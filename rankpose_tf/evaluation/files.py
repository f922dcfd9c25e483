"""The files of an evaluation: evaluation.json and predictions.csv, whole, in a folder of their own.

predictions.csv has a row a picture: image, identity, then true, predicted and absolute error of
yaw, pitch and roll, and the mean error, in degrees; of a model that expects errors those of yaw,
pitch and roll, too. What protocol they were made under stands in
evaluation.json beside it.
"""

import contextlib
import csv
import itertools
import pathlib
import re

import numpy as np

from rankpose_tf.core import files, leftovers, staging
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.evaluation import metrics

_RESULT = "evaluation.json"


def checked_out(out, model, protocol_set):
    """The folder that is to be filled, if it can be.

    Args:
      out: absent or empty; None is the first of evaluation-SET, evaluation-SET-2, ... that the
        model's folder doesn't hold.
      model: workdir or file that is tested.
      protocol_set: name of the test set.

    Raises:
      RankPoseError: if something is there already, or no folder can be made there.
    """
    advice = "pass a new folder, or leave --out away for one beside the model"
    return files.new_folder("out", out or _free_folder(model, protocol_set), advice=advice)


def _free_folder(model, protocol_set):
    path = pathlib.Path(model)
    parent = path if path.is_dir() else path.parent
    base = "evaluation-" + re.sub(r"[^A-Za-z0-9._-]+", "-", protocol_set)
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(parent / name for name in names if _is_free(parent / name))


def _is_free(path):
    """Whether nothing is there, or nothing but what a killed run has left."""
    if not path.is_dir():
        return not path.exists()
    leftovers.sweep(path)
    return not any(path.iterdir())


@contextlib.contextmanager
def filled(out):
    """Yields a folder for the files of an evaluation, which get into `out` together.

    Raises:
      RankPoseError: if the folder can't be written to.
    """
    try:
        with staging.filled(out, last=_RESULT) as stage:
            yield stage
    except OSError as error:
        raise RankPoseError(
            f"out: can't write to {str(out)!r} ({error.strerror}); pass another folder with --out"
        ) from error


def write(stage, result, poses):
    """Writes predictions.csv and evaluation.json.

    Args:
      stage: folder of `filled`.
      result: content of evaluation.json.
      poses: dict of names and identities, lists of N; true, predicted and perhaps expected,
        (N, 3) degrees.
    """
    with files.replaced(stage / "predictions.csv") as beside:
        _write_predictions(beside, poses)
    files.write_json(stage / _RESULT, result)


def _write_predictions(path, poses):
    errors = metrics.absolute_errors(poses["true"], poses["predicted"])
    numbers = np.concatenate([poses["true"], poses["predicted"], errors], axis=1)
    columns = [f"{kind}_{a}" for kind in ("true", "predicted", "error") for a in ANGLES]
    columns.append("error_mean")
    if "expected" in poses:
        numbers = np.concatenate([numbers, poses["expected"]], axis=1)
        columns += [f"expected_{a}" for a in ANGLES]
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "identity", *columns])
        for name, identity, row in zip(poses["names"], poses["identities"], numbers, strict=True):
            writer.writerow([name, identity, *(f"{number:.4f}" for number in row)])
