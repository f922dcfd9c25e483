"""The files of an evaluation: evaluation.json and predictions.csv, whole, in a folder of their own.

predictions.csv has a row a picture: image, identity, then true, predicted and absolute error of
yaw, pitch and roll, and the mean error, in degrees. What protocol they were made under stands in
evaluation.json beside it.
"""

import csv
import itertools
import os
import pathlib
import re

import numpy as np

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import metrics


def free_folder(model, protocol_set):
    """The first of evaluation-SET, evaluation-SET-2, ... that the model's folder doesn't hold.

    Args:
      model: workdir or file that is tested.
      protocol_set: name of the test set.
    """
    model = pathlib.Path(model)
    parent = model if model.is_dir() else model.parent
    base = "evaluation-" + re.sub(r"[^A-Za-z0-9._-]+", "-", protocol_set)
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(parent / name for name in names if not (parent / name).exists())


def checked_out(out):
    """The folder as a path, if it is still to be filled and can be.

    Args:
      out: folder; absent or empty.

    Raises:
      RankPoseError: if something is there already, or no folder can be made there.
    """
    out = pathlib.Path(out)
    standing = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not standing.is_dir():
        raise RankPoseError(f"out: {str(standing)!r} is a file; pass a new folder")
    if standing == out and any(out.iterdir()):
        raise RankPoseError(
            f"out: {str(out)!r} is not empty, and nothing is overwritten; pass a new folder, or "
            "leave --out away for one beside the model"
        )
    if not os.access(standing, os.W_OK):
        raise RankPoseError(
            f"out: can't write to {str(standing)!r}; pass another folder with --out"
        )
    return out


def write(out, result, found):
    """Writes predictions.csv, then evaluation.json, into `out`.

    Args:
      out: folder; made if absent.
      result: content of evaluation.json.
      found: dict of names and identities, lists of N; true and predicted, (N, 3) degrees.

    Raises:
      RankPoseError: if the folder can't be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with files.replaced(out / "predictions.csv") as beside:
            _write_predictions(beside, found)
        files.write_json(out / "evaluation.json", result)
    except OSError as error:
        raise RankPoseError(
            f"out: can't write to {str(out)!r} ({error.strerror}); pass another folder with --out"
        ) from error


def _write_predictions(path, found):
    errors = metrics.absolute_errors(found["true"], found["predicted"])
    numbers = np.concatenate([found["true"], found["predicted"], errors], axis=1)
    columns = [f"{kind}_{a}" for kind in ("true", "predicted", "error") for a in metrics.ANGLES]
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "identity", *columns, "error_mean"])
        for name, identity, row in zip(found["names"], found["identities"], numbers, strict=True):
            writer.writerow([name, identity, *(f"{number:.4f}" for number in row)])
