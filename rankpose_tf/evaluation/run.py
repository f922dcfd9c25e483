"""A test of a model on a prepared set: predict, score under a named protocol, write both.

An MAE is comparable only with another of the same set, crop and filter: one checkpoint can be
scored a degree apart under two protocols. So every result carries the protocol's name.
"""

import math
import pathlib

import keras
import numpy as np
import tensorflow as tf

import rankpose_tf
from rankpose_tf.core import pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, prepared_folder, shards
from rankpose_tf.evaluation import doubt, metrics, protocols
from rankpose_tf.evaluation import files as evaluation_files
from rankpose_tf.evaluation.plots import require_matplotlib, write_plots
from rankpose_tf.models.saving import load_model, read_description

_OVER_LIMIT = f"an angle over {pose.LIMIT_DEGREES:g} degrees"


def protocol_name(protocol_set, box_source, crop_scale, filter_angles):
    """What has to be equal for two figures to be comparable, in one line.

    Args:
      protocol_set: name of the test set, as in dataset.json.
      box_source: where its boxes come from, as in dataset.json.
      crop_scale: side of the square crop over the box's longer side; None where another system
        made its own crops.
      filter_angles: whether pictures with an angle over 99 degrees are left out.
    """
    of_landmarks = box_source.startswith(("pt2d", "pt3d_68"))
    box = f"landmark box ({box_source})" if of_landmarks else f"box ({box_source})"
    limit = f"|angle| <= {pose.LIMIT_DEGREES:g} degrees" if filter_angles else "all angles"
    crop = "another system's crops" if crop_scale is None else f"square crop {crop_scale:g} x {box}"
    return f"{protocol_set}, {crop}, {limit}"


def evaluate(
    *,
    model,
    data,
    out=None,
    protocol=None,
    crop_scale=None,
    filter_angles=None,
    batch_size=64,
    progress=False,
    plots=False,
):
    """Predicts every picture of a prepared set, scores it, and writes both.

    Args:
      model: workdir of rankpose_tf.train, or a .keras file.
      data: prepared folder.
      out: new folder for evaluation.json and predictions.csv; None is one beside the model, see
        `files.checked_out`.
      protocol: one of `protocols.PROTOCOLS`, which sets the next two; None for no name.
      crop_scale: side of the square crop over the box's longer side; None is the model's own.
      filter_angles: leave out pictures with an angle over 99 degrees; None is to do so.
      batch_size: pictures at once.
      progress: show a progress bar.
      plots: also draw plots.py's pictures into `out`.

    Returns:
      The content of evaluation.json, and the folder it lies in.

    Raises:
      RankPoseError: for a model or data that can't be read, data or arguments that contradict
        the protocol, an `out` that is taken, or predictions that are not finite; nothing is
        written then.
    """
    description = read_description(model)
    dataset = prepared_folder.read_description(data)
    crop_scale, filter_angles = protocols.settings(protocol, dataset, crop_scale, filter_angles)
    crop_scale = description["crop_scale"] if crop_scale is None else crop_scale
    if not (math.isfinite(crop_scale) and crop_scale > 0):
        raise RankPoseError(f"crop_scale: expected a number over 0, received {crop_scale}")
    if batch_size < 1:
        raise RankPoseError(f"batch_size: expected at least 1, received {batch_size}")
    if plots:
        require_matplotlib()
    folder = evaluation_files.checked_out(out, model, dataset["protocol_set"])
    expected = count_pictures(data, dataset, filter_angles)
    network, _ = load_model(model, errors=True)

    def views(size):
        return pairs.views(data, size, crop_scale, batch_size, filter_angles)

    poses = predict(network, views(description["input_size"]), data, expected, progress)
    result = {
        **score(poses, dataset, crop_scale, filter_angles, protocol),
        "data": pathlib.Path(data).resolve().name,
        "model": pathlib.Path(model).resolve().name,
        "model_description": description,
        "versions": {
            "rankpose_tf": rankpose_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
    with evaluation_files.filled(folder) as stage:
        evaluation_files.write(stage, result, poses)
        if plots:
            write_plots(stage, result, poses, views)
    return result, folder


def count_pictures(data, dataset, filter_angles):
    """Pictures of a prepared folder that the protocol admits.

    Args:
      data: prepared folder, for messages.
      dataset: content of its dataset.json.
      filter_angles: whether pictures with an angle over 99 degrees are left out.

    Raises:
      RankPoseError: if there is none.
    """
    count = dataset["views_within_limit" if filter_angles else "views"]
    if count == 0:
        raise RankPoseError(
            f"data: {str(data)!r} has no picture to test on: {dataset['views']} were prepared, "
            f"of which none is without {_OVER_LIMIT}; see its dataset.json and skipped.csv"
        )
    return count


def left_out(dataset, filter_angles):
    """Pictures of the source that are not scored.

    Args:
      dataset: content of dataset.json.
      filter_angles: whether pictures with an angle over 99 degrees are left out.

    Returns:
      Dict: reason -> count; what `prepare` skipped is named as such.
    """
    reasons = {f"prepare: {reason}": count for reason, count in dataset["skipped"].items()}
    if filter_angles:
        over = dataset["views"] - dataset["views_within_limit"]
        reasons = {_OVER_LIMIT: over, **reasons}
    return reasons


def predict(network, views, data, expected, progress=False):
    """Runs the model over a stream of pictures; only names and angles are kept.

    Args:
      network: (B, size, size, 3) RGB 0..255 -> (B, 3) radians, or (B, 6) with expected errors.
      views: batches of `pairs.views`.
      data: where they come from, for messages.
      expected: number of pictures.
      progress: show a progress bar.

    Returns:
      Dict: names and identities, lists of N; true and predicted, (N, 3) degrees, and expected, the
      errors that a model with them expects.

    Raises:
      RankPoseError: if the shards are damaged or hold another number of pictures.
    """
    bar = keras.utils.Progbar(expected, verbose=int(progress), unit_name="picture")
    names, identities, true, predicted = [], [], [], []
    for batch in shards.readable(views, data):
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
    degrees = {
        name: np.degrees(np.concatenate(angles))
        for name, angles in (("true", true), ("predicted", predicted))
    }
    answers = degrees.pop("predicted")
    degrees["predicted"] = answers[:, :3]
    if answers.shape[1] > 3:
        degrees["expected"] = answers[:, 3:]
    return {"names": names, "identities": identities, **degrees}


def score(poses, dataset, crop_scale, filter_angles, protocol=None):
    """The figures of a test and the protocol they were made under.

    Args:
      poses: names, true, predicted and perhaps expected, as from `predict`.
      dataset: content of dataset.json.
      crop_scale: as for `protocol_name`.
      filter_angles: whether pictures with an angle over 99 degrees were left out.
      protocol: its name in `protocols.PROTOCOLS`, if it has one.

    Returns:
      JSON-able dict: protocol, protocol_name, set, crop, filter, left_out, unit,
      `metrics.summarise`, and expected_error, `doubt.summarise`, of a model that expects errors.

    Raises:
      RankPoseError: for predictions that are not finite.
    """
    protocol_set, box_source = dataset["protocol_set"], dataset["box_source"]
    limit = pose.LIMIT_DEGREES if filter_angles else None
    line = protocol_name(protocol_set, box_source, crop_scale, filter_angles)
    figures = metrics.summarise(poses["true"], poses["predicted"], poses["names"])
    if "expected" in poses:
        figures["expected_error"] = doubt.summarise(
            poses["true"], poses["predicted"], poses["expected"]
        )
    return {
        "protocol": f"{protocol}: {line}" if protocol else line,
        "protocol_name": protocol,
        "set": protocol_set,
        "crop": {"boxes": None if crop_scale is None else box_source, "scale": crop_scale},
        "filter": {"angles": filter_angles, "limit_degrees": limit},
        "left_out": left_out(dataset, filter_angles),
        "unit": "degrees",
        **figures,
    }


def table(result):
    """evaluation.json as text for a terminal.

    Args:
      result: from `evaluate`, or from `other_systems.evaluate_file`.
    """
    left = ", ".join(f"{count} ({why})" for why, count in result["left_out"].items() if count)
    counts = f"{result['images']} images; left out: {left or 'none'}"
    if "predictions" in result:
        rows = result["predictions"]
        counts += (
            f"\n{rows['rows']} rows in {result['model']}: {rows['unknown']} of pictures that the "
            f"data don't hold, {rows['outside_filter']} outside the filter"
        )
    text = f"{result['protocol']}\n{counts}\n\n{metrics.table(result)}"
    return text + (
        f"\n\n{doubt.table(result['expected_error'])}" if "expected_error" in result else ""
    )
