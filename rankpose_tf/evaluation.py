"""A test of a model on a prepared set: predict, score under a named protocol, write both.

An MAE is comparable only with another of the same set, crop and filter: one checkpoint can be
scored a degree apart under two protocols. So every result carries the protocol's name.
"""

import csv
import itertools
import math
import os
import pathlib
import re

import keras
import numpy as np
import tensorflow as tf

import rankpose_tf
from rankpose_tf import figures, files, metrics
from rankpose_tf.data import pairs, records
from rankpose_tf.errors import RankPoseError
from rankpose_tf.model import load_model, read_description

_OVER_LIMIT = f"an angle over {records.ANGLE_LIMIT_DEGREES:g} degrees"


def protocol_name(protocol_set, box_source, crop_scale, filter_angles):
    """What has to be equal for two figures to be comparable, in one line.

    Args:
      protocol_set: name of the test set, as in dataset.json.
      box_source: where its boxes come from, as in dataset.json.
      crop_scale: side of the square crop over the box's longer side.
      filter_angles: whether pictures with an angle over 99 degrees are left out.
    """
    of_landmarks = box_source in ("pt2d", "pt3d_68")
    box = f"landmark box ({box_source})" if of_landmarks else f"box ({box_source})"
    limit = f"|angle| <= {records.ANGLE_LIMIT_DEGREES:g} degrees" if filter_angles else "all angles"
    return f"{protocol_set}, square crop {crop_scale:g} x {box}, {limit}"


def evaluate(
    *,
    model,
    data,
    out=None,
    crop_scale=None,
    filter_angles=True,
    batch_size=64,
    progress=False,
    plots=False,
):
    """Predicts every picture of a prepared set, scores it, and writes both.

    Args:
      model: workdir of rankpose_tf.train, or a .keras file.
      data: prepared folder.
      out: new folder for evaluation.json and predictions.csv; None is `free_folder`.
      crop_scale: side of the square crop over the box's longer side; None is the model's own.
      filter_angles: leave out pictures with an angle over 99 degrees.
      batch_size: pictures at once.
      progress: show a progress bar.
      plots: also draw figures.py's pictures into `out`.

    Returns:
      The content of evaluation.json, and the folder it lies in.

    Raises:
      RankPoseError: for a model or data that can't be read, an `out` that is taken, or
        predictions that are not finite; nothing is written then.
    """
    about_model = read_description(model)
    about_data = records.read_description(data)
    crop_scale = about_model["crop_scale"] if crop_scale is None else crop_scale
    if not (math.isfinite(crop_scale) and crop_scale > 0):
        raise RankPoseError(f"crop_scale: expected a number over 0, received {crop_scale}")
    if batch_size < 1:
        raise RankPoseError(f"batch_size: expected at least 1, received {batch_size}")
    if plots:
        figures.require_matplotlib()
    out = checked_out(out or free_folder(model, about_data["protocol_set"]))
    expected = count_pictures(data, about_data, filter_angles)
    network, _ = load_model(model)

    def views(size):
        return pairs.views(data, size, crop_scale, batch_size, filter_angles)

    found = predict(network, views(about_model["input_size"]), data, expected, progress)
    result = {
        **score(found, about_data, crop_scale, filter_angles),
        "data": pathlib.Path(data).resolve().name,
        "model": pathlib.Path(model).resolve().name,
        "model_description": about_model,
        "versions": {
            "rankpose_tf": rankpose_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
    write(out, result, found)
    if plots:
        figures.write_all(out, result, found, views)
    return result, out


def count_pictures(data, about_data, filter_angles):
    """Pictures of a prepared folder that the protocol admits.

    Args:
      data: prepared folder, for messages.
      about_data: content of its dataset.json.
      filter_angles: whether pictures with an angle over 99 degrees are left out.

    Raises:
      RankPoseError: if there is none.
    """
    count = about_data["views_within_limit" if filter_angles else "views"]
    if count == 0:
        raise RankPoseError(
            f"data: {str(data)!r} has no picture to test on: {about_data['views']} were prepared, "
            f"of which none is without {_OVER_LIMIT}; see its dataset.json and skipped.csv"
        )
    return count


def left_out(about_data, filter_angles):
    """Pictures of the source that are not scored.

    Args:
      about_data: content of dataset.json.
      filter_angles: whether pictures with an angle over 99 degrees are left out.

    Returns:
      Dict: reason -> count; what `prepare` skipped is named as such.
    """
    reasons = {f"prepare: {reason}": count for reason, count in about_data["skipped"].items()}
    if filter_angles:
        over = about_data["views"] - about_data["views_within_limit"]
        reasons = {_OVER_LIMIT: over, **reasons}
    return reasons


def predict(network, views, data, expected, progress=False):
    """Runs the model over a stream of pictures; only names and angles are kept.

    Args:
      network: (B, size, size, 3) RGB 0..255 -> (B, 3) radians.
      views: batches of `pairs.views`.
      data: where they come from, for messages.
      expected: number of pictures.
      progress: show a progress bar.

    Returns:
      Dict: names and identities, lists of N; true and predicted, (N, 3) degrees.

    Raises:
      RankPoseError: if the shards are damaged or hold another number of pictures.
    """
    bar = keras.utils.Progbar(expected, verbose=int(progress), unit_name="picture")
    names, identities, true, predicted = [], [], [], []
    for batch in _readable(views, data):
        names += [name.decode() for name in batch["name"].numpy()]
        identities += [name.decode() for name in batch["identity"].numpy()]
        true.append(batch["pose"].numpy().astype(np.float64))
        predicted.append(network.predict_on_batch(batch["image"]).astype(np.float64))
        bar.update(len(names))
    if len(names) != expected:
        raise RankPoseError(
            f"data: {str(data)!r} holds {len(names)} pictures where its dataset.json says "
            f"{expected}; prepare it again"
        )
    true, predicted = (np.degrees(np.concatenate(angles)) for angles in (true, predicted))
    return {"names": names, "identities": identities, "true": true, "predicted": predicted}


def _readable(views, data):
    """Yields the batches; damage in the shards becomes one sentence."""
    damage = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
    try:
        yield from views
    except damage as error:
        reason = error.message.splitlines()[0]
        raise RankPoseError(
            f"data: the shards in {str(data)!r} can't be read ({reason}); prepare them again"
        ) from error


def score(found, about_data, crop_scale, filter_angles):
    """The figures of a test and the protocol they were made under.

    Args:
      found: names, true and predicted, as from `predict`.
      about_data: content of dataset.json.
      crop_scale: side of the square crop over the box's longer side.
      filter_angles: whether pictures with an angle over 99 degrees were left out.

    Returns:
      JSON-able dict: protocol, set, crop, filter, left_out, unit, and `metrics.summarise`.

    Raises:
      RankPoseError: for predictions that are not finite.
    """
    protocol_set, box_source = about_data["protocol_set"], about_data["box_source"]
    limit = records.ANGLE_LIMIT_DEGREES if filter_angles else None
    return {
        "protocol": protocol_name(protocol_set, box_source, crop_scale, filter_angles),
        "set": protocol_set,
        "crop": {"boxes": box_source, "scale": crop_scale},
        "filter": {"angles": filter_angles, "limit_degrees": limit},
        "left_out": left_out(about_data, filter_angles),
        "unit": "degrees",
        **metrics.summarise(found["true"], found["predicted"], found["names"]),
    }


def free_folder(model, protocol_set):
    """The first of evaluation-SET, evaluation-SET-2, ... that the model's folder doesn't hold.

    Args:
      model: workdir or .keras file.
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
      found: from `predict`.

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
    """One row a picture: labels, predictions and absolute errors, degrees."""
    errors = metrics.absolute_errors(found["true"], found["predicted"])
    numbers = np.concatenate([found["true"], found["predicted"], errors], axis=1)
    columns = [f"{kind}_{a}" for kind in ("true", "predicted", "error") for a in metrics.ANGLES]
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "identity", *columns, "error_mean"])
        for name, identity, row in zip(found["names"], found["identities"], numbers, strict=True):
            writer.writerow([name, identity, *(f"{number:.4f}" for number in row)])


def table(result):
    """evaluation.json as text for a terminal.

    Args:
      result: from `evaluate`.
    """
    left = ", ".join(f"{count} ({why})" for why, count in result["left_out"].items() if count)
    counts = f"{result['images']} images; left out: {left or 'none'}"
    return f"{result['protocol']}\n{counts}\n\n{metrics.table(result)}"
