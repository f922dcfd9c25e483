"""Scores the angles of any other system, read from a CSV file, as our own models are scored.

    python -m rankpose_tf.evaluate --predictions=FILE.csv --data=PREPARED

The file has a header and a row a picture:

    image,yaw,pitch,roll
    image00002,6.4344,-23.6478,3.1089

- The picture's name is in a column `image`, `name`, `path`, `file` or `filename` (the first that
  is there). It is that of the prepared data; the suffix may differ, and one of the two names may
  lack leading folders of the other.
- yaw, pitch, roll (or predicted_yaw, ...) are degrees in the sense of `rankpose_tf.core.pose`.
  Where all three cells are empty, the system gave no answer: the picture counts as missing.
- Other columns are ignored. Capitals don't matter.

A picture without an answer is an error, or is counted in the result with `allow_missing`: a score
without the hard pictures flatters. Rows of pictures that are not tested are counted.
"""

import collections
import csv
import pathlib

import numpy as np

import rankpose_tf
from rankpose_tf.core import damage, pictures, pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records, shards
from rankpose_tf.evaluation import files as evaluation_files
from rankpose_tf.evaluation import protocols
from rankpose_tf.evaluation import run as evaluation

_NAME_COLUMNS = ("image", "name", "path", "file", "filename")
_MISSING = "no prediction in the file"
# Half a turn in radians, rounded up; degrees of a test set reach further.
_LARGEST_RADIANS = 3.2


def evaluate_file(
    *, predictions, data, out=None, protocol=None, filter_angles=None, allow_missing=False
):
    """Scores a CSV file of angles on a prepared set and writes what `run.evaluate` writes.

    Args:
      predictions: the CSV file, see the module's docstring.
      data: prepared folder; only its names and labels are read.
      out: new folder for evaluation.json and predictions.csv; None is one beside the file.
      protocol: one of `protocols.PROTOCOLS`; of it, set and filter can be checked here, the crop
        is what the other system made.
      filter_angles: leave out pictures with an angle over 99 degrees; None is to do so.
      allow_missing: score without the pictures that have no prediction, and count them.

    Returns:
      The content of evaluation.json, and the folder it lies in.

    Raises:
      RankPoseError: for a file or data that can't be read, a picture that is named twice or has
        no prediction, numbers that are not finite or look like radians; nothing is written then.
    """
    dataset = prepared_folder.read_description(data)
    _, filter_angles = protocols.settings(protocol, dataset, None, filter_angles, own_crops=False)
    folder = evaluation_files.checked_out(out, predictions, dataset["protocol_set"])
    evaluation.count_pictures(data, dataset, filter_angles)
    rows = read_angles(predictions)
    poses, counts = match(rows, labels(data), filter_angles, allow_missing, predictions)
    _check_unit(poses, predictions)
    result = evaluation.score(poses, dataset, None, filter_angles, protocol)
    if counts["missing"]:
        result["left_out"] = {_MISSING: counts["missing"], **result["left_out"]}
    result |= {
        "data": pathlib.Path(data).resolve().name,
        "model": pathlib.Path(predictions).name,
        "predictions": counts,
        "versions": {"rankpose_tf": rankpose_tf.__version__},
    }
    with evaluation_files.filled(folder) as stage:
        evaluation_files.write(stage, result, poses)
    return result, folder


def read_angles(path):
    """The rows of a CSV file of angles.

    Args:
      path: see the module's docstring for the format.

    Returns:
      List of (name, angles): angles (3,) yaw, pitch, roll, degrees, or None where the cells are
      empty.

    Raises:
      RankPoseError: if the file can't be read, lacks a column or a row, or holds a cell that is
        no finite number.
    """
    try:
        with damage.told("predictions", path, "pass a CSV file", "could not be read"):
            with open(path, newline="", encoding="utf-8-sig") as stream:
                table = list(csv.reader(damage.lines(stream), strict=True))
    except OSError as error:
        raise RankPoseError(
            f"predictions: {str(path)!r} could not be read ({error.strerror}); pass a CSV file"
        ) from error
    header = [cell.strip().lower() for cell in table[0]] if table else []
    name, *angles = _columns(header, path)
    rows = [(n, cells) for n, cells in enumerate(table[1:], start=2) if any(cells)]
    if not rows:
        raise RankPoseError(f"predictions: {str(path)!r} has no row; pass a row for each picture")
    return [
        (_cell(cells, name), _angles([_cell(cells, column) for column in angles], path, number))
        for number, cells in rows
    ]


def _columns(header, path):
    """Indices of the name, yaw, pitch and roll."""
    wanted = (_NAME_COLUMNS, *((angle, f"predicted_{angle}") for angle in pose.ANGLES))
    present = [next((n for n in names if n in header), None) for names in wanted]
    for names, column in zip(wanted, present, strict=True):
        if column is None:
            raise RankPoseError(
                f"predictions: {str(path)!r} has no column {' or '.join(names)}, its header is "
                f"{', '.join(header) or 'empty'}; expected image, yaw, pitch, roll"
            )
    return [header.index(column) for column in present]


def _cell(cells, column):
    return cells[column].strip() if column < len(cells) else ""


def _angles(cells, path, number):
    """(3,) degrees, or None for three empty cells."""
    if not any(cells):
        return None
    try:
        angles = np.array(cells, np.float64)
        if np.isfinite(angles).all():
            return angles
    except ValueError:
        pass
    raise RankPoseError(
        f"predictions: line {number} of {str(path)!r} holds {', '.join(map(repr, cells))}; "
        "expected yaw, pitch, roll in degrees, or three empty cells for a picture without an answer"
    )


def labels(data):
    """Names and labels of a prepared set; no picture is decoded.

    Args:
      data: prepared folder.

    Returns:
      Dict: names and identities, lists of N; true (N, 3) degrees; within (N,) bool, of the
      99-degree filter.

    Raises:
      RankPoseError: if the shards are damaged.
    """
    import tensorflow as tf

    names, identities, poses = [], [], [np.zeros((0, 3), np.float32)]
    serialized = tf.data.TFRecordDataset(prepared_folder.list_shards(data))
    for record in shards.readable(serialized.map(records.parse_identity), data):
        names += [name.decode() for name in record["names"].numpy()]
        identities += [record["identity"].numpy().decode()] * len(record["names"])
        poses.append(record["poses"].numpy())
    radians = np.concatenate(poses)
    return {
        "names": names,
        "identities": identities,
        "true": np.degrees(radians.astype(np.float64)),
        "within": records.within_limit(radians),
    }


def match(rows, known, filter_angles, allow_missing, path):
    """Lays the file's rows beside the pictures that are tested.

    Args:
      rows: from `read_angles`.
      known: from `labels`.
      filter_angles: whether pictures with an angle over 99 degrees are left out.
      allow_missing: whether a picture may lack a prediction.
      path: of the file, for messages.

    Returns:
      Dict of names, identities, true and predicted, as `run.predict` returns; and dict of
      counts: rows, missing, unknown (no such picture in the data), outside_filter.

    Raises:
      RankPoseError: for a picture that is named twice, or one without a prediction.
    """
    index = _index(known["names"])
    tested = known["within"] if filter_angles else np.ones(len(known["names"]), bool)
    predicted, unknown = {}, 0
    for name, angles in rows:
        place = _find(name, index, known["names"])
        if place is None:
            unknown += 1
        elif place in predicted:
            raise RankPoseError(
                f"predictions: {str(path)!r} names {known['names'][place]!r} twice; leave one row"
            )
        else:
            predicted[place] = angles
    answered = {place for place, angles in predicted.items() if angles is not None}
    chosen = [place for place in np.flatnonzero(tested) if place in answered]
    missing = [place for place in np.flatnonzero(tested) if place not in answered]
    if missing and (not allow_missing or not chosen):
        first = known["names"][missing[0]]
        raise RankPoseError(
            f"predictions: {len(missing)} of {tested.sum()} pictures have no prediction in "
            f"{str(path)!r}, such as {first!r} ({unknown} of its {len(rows)} rows name no picture "
            "of the data); add them, or pass --allow_missing to score without them and count them"
        )
    poses = {
        "names": [known["names"][place] for place in chosen],
        "identities": [known["identities"][place] for place in chosen],
        "true": known["true"][chosen],
        "predicted": np.stack([predicted[place] for place in chosen]),
    }
    outside = sum(not tested[place] for place in predicted)
    counts = {"rows": len(rows), "missing": len(missing), "unknown": unknown}
    return poses, {**counts, "outside_filter": outside}


def _index(names):
    """Dict of all that names one picture alone -> its place: its name, and ends of its path."""
    ends = collections.Counter(end for name in names for end in set(_ends(name)))
    unique = {
        end: place for place, name in enumerate(names) for end in _ends(name) if ends[end] == 1
    }
    return unique | {name: place for place, name in enumerate(names)}


def _ends(name):
    """A path with fewer and fewer of its folders, each with the suffix and without."""
    parts = name.replace("\\", "/").split("/")
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return [
        end
        for tail in tails
        for end in (tail, tail.rpartition(".")[0] if pictures.is_jpeg_or_png(tail) else tail)
    ]


def _find(name, index, names):
    """Place of a picture in `names`, None if it is unknown or could be several."""
    places = (index[end] for end in _ends(name) if end in index)
    return next((place for place in places if _are_of_one(name, names[place])), None)


def _are_of_one(name, other):
    """Whether one path ends with all of the other; anna/1.jpg is no second name of bob/1.jpg."""
    shorter, longer = sorted((_parts(name), _parts(other)), key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def _parts(name):
    """Folders of a path and the name without its suffix; what says nothing of a place is left."""
    *folders, last = name.replace("\\", "/").split("/")
    stem = last.rpartition(".")[0] if pictures.is_jpeg_or_png(last) else last
    return [*(folder for folder in folders if folder not in ("", ".", "..")), stem]


def _check_unit(poses, path):
    """Refuses angles that are small as radians are and, read as radians, nearer to the labels."""
    predicted, true = poses["predicted"], poses["true"]
    largest = np.abs(predicted).max()
    if not largest < _LARGEST_RADIANS <= np.abs(true).max():
        return
    # A system that always answers 0 is small too, and fits no better as radians.
    if np.abs(np.degrees(predicted) - true).mean() < np.abs(predicted - true).mean():
        raise RankPoseError(
            f"predictions: no angle in {str(path)!r} is over {largest:.2f}, and as radians they "
            "are nearer to the labels, so they seem to be radians; expected degrees"
        )
