"""A user's own pictures: a CSV or JSONL file with one row for each view.

    image,identity,yaw,pitch,roll,left,top,right,bottom
    anna/1.jpg,anna,12.5,-3.0,0.4,80,60,210,222

`image` is relative to the manifest; angles are degrees; the box, pixels of the upright picture,
is optional: without it the picture counts as cropped by the package's rule already, a square 1.4
times the face. A JSONL row may say "box": [left, top, right, bottom] instead. A row that names
the same picture and identity as one before it is a duplicate and left out.
"""

import csv
import io
import json
import math
import pathlib
import re

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.data import records
from rankpose_tf.preparation import sources

SUFFIXES = (".csv", ".jsonl")
_REQUIRED = ("image", "identity", *ANGLES)
_EDGES = ("left", "top", "right", "bottom")
# Side of the square crop over the longer side of the box: the authors' tests, and our default.
_CROP_SCALE = 1.4


def list_identities(path):
    """Groups the rows of a manifest by identity.

    Args:
      path: of the .csv or .jsonl file.

    Returns:
      List of `sources.ListedIdentity` in the order of the file, labels being (pose, box) with
      pose (3,) radians and box (4,) pixels or None; and list of (path, reason) of bad rows.

    Raises:
      RankPoseError: if it is no such file, or a column is missing.
    """
    path = pathlib.Path(path)
    identities, skipped, seen = {}, [], set()
    for where, row in _rows(path):
        try:
            identity, view = _parse_row(row)
            if (identity, view.path) in seen:
                raise sources.SkippedView(sources.DUPLICATE_ROW)
        except sources.SkippedView as reason:
            skipped.append((_text(row, "image") or where, str(reason)))
            continue
        seen.add((identity, view.path))
        identities.setdefault(identity, []).append(view)
    return [
        sources.ListedIdentity(name, name, tuple(views)) for name, views in identities.items()
    ], skipped


def _rows(path):
    """Yields ("NAME line N", dict or None) for every row."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RankPoseError(
            f"source: the manifest {str(path)!r} could not be read as UTF-8 text ({error})"
        ) from error
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _json_rows(path, text)
    for number, row in rows:
        yield f"{path.name} line {number}", row


def _csv_rows(path, text):
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        _require_columns(path, names)
        reader.fieldnames = names
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise RankPoseError(
            f"source: the manifest {str(path)!r} is no CSV at line {reader.line_num} ({error})"
        ) from error


def _json_rows(path, text):
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        row = row if isinstance(row, dict) else None
        if number == 1 and row is not None:
            _require_columns(path, row)
        yield number, row


def _require_columns(path, names):
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise RankPoseError(
            f"source: the manifest {str(path)!r} lacks {', '.join(missing)}; expected "
            f"{', '.join(_REQUIRED)} and perhaps {', '.join(_EDGES)}, received "
            f"{', '.join(map(str, names)) or 'nothing'}"
        )


def _parse_row(row):
    """(identity, ListedView) of one row; SkippedView where it cannot be used."""
    if row is None:
        raise sources.SkippedView(sources.CORRUPT_LABEL)
    image, identity = _text(row, "image"), _text(row, "identity")
    if not image:
        raise sources.SkippedView(sources.MISSING_PICTURE)
    if not identity or not all(_text(row, name) for name in ANGLES):
        raise sources.SkippedView(sources.MISSING_LABEL)
    degrees = _numbers([row[name] for name in ANGLES], sources.CORRUPT_LABEL)
    pose = sources.checked_pose([math.radians(angle) for angle in degrees])
    return identity, sources.ListedView(image, image, (pose, _parse_box(row)))


def _text(row, name):
    value = (row or {}).get(name)
    return "" if value is None else str(value).strip()


def _numbers(values, reason):
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise sources.SkippedView(reason) from error


def _parse_box(row):
    """(4,) box of a row, or None where all of it is blank."""
    edges = [_text(row, name) for name in _EDGES]
    if not any(edges):
        edges = [edge for edge in re.split(r"[\s,;]+", _text(row, "box").strip("[]() ")) if edge]
        if not edges:
            return None
    if len(edges) != 4:
        raise sources.SkippedView(sources.BAD_BOX)
    return sources.checked_box(_numbers(edges, sources.BAD_BOX))


def stamps(path, identities):
    """Dict of name -> text that changes with the manifest's or a picture's content."""
    path = pathlib.Path(path)
    pictures = {view.path for identity in identities for view in identity.views}
    found = {name: sources.file_stamp(path.parent / name) for name in sorted(pictures)}
    found[path.name] = path.read_text(encoding="utf-8-sig")
    return found


def read_view(source, listed):
    """Reads one view.

    Args:
      source: `sources.Folder` of the manifest.
      listed: `sources.ListedView` from `list_identities`.

    Returns:
      `records.View`; a picture that EXIF says to turn is turned and encoded anew.

    Raises:
      sources.SkippedView: if its picture is unusable.
    """
    pose, box = listed.label
    image = sources.upright(sources.read_picture(source, listed.path))
    if box is None:
        width, height = sources.size_of(image)
        half = max(width, height) / _CROP_SCALE / 2
        centre = np.array([width, height], np.float32) / 2
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)
    return records.View(listed.name, image, pose, box)
