"""A user's own pictures: a table with one row for each view.

    image,identity,yaw,pitch,roll,left,top,right,bottom
    anna/1.jpg,anna,12.5,-3.0,0.4,80,60,210,222

It is a file of its own, or lies in a folder or zip together with the pictures; `table_rows` has
the formats, `box_columns` the names of a box. `image` is relative to the table; angles are degrees
(or radians, with `label_unit`); the box, pixels of the upright picture, is optional: without it
the picture counts as cropped by the package's rule already, a square 1.4 times the face. Without
`identity` each picture is its own. A row that names the same picture and identity as one before it
is a duplicate and left out.
"""

import pathlib
import posixpath

import numpy as np
from absl import logging

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.preparation import box_columns, sources, table_rows, views

UNITS = ("degrees", "radians")
OPTIONS = {"label_unit": ""}

_REQUIRED = ("image", *ANGLES)
# Side of the square crop over the longer side of the box: the authors' tests, and our default.
_CROP_SCALE = 1.4
# Where no angle of so many rows is over half a turn in radians, the unit is asked for.
_MANY_ROWS = 20
_LARGEST_RADIANS = 3.2


def claims(source, names):
    """Whether a source is a table, or has one of pictures that no file beside them labels."""
    tables = [name for name in names if sources.is_table(name)]
    return len(names) == len(tables) == 1 or any(_is_ours(source, t, names) for t in tables)


def _is_ours(source, table, names):
    try:
        columns, rows, _ = _parse(source, table)
    except RankPoseError:
        return False
    listed = (_beside(table, _image(row)) for _, row in rows)
    first = next((name for name in listed if name in names), "")
    stem = first.rpartition(".")[0].removesuffix("_rgb")
    labelled = f"{stem}.mat" in names or f"{stem}_pose.txt" in names
    return set(_REQUIRED) <= set(columns) and bool(first) and not labelled


def read_options(given):
    """The unit of the angles, empty if not told; twice."""
    unit = given["label_unit"]
    if unit and unit not in UNITS:
        raise RankPoseError(f"label_unit: expected {' or '.join(UNITS)}, received {unit!r}")
    return unit, unit


def list_identities(source, names, options):
    """Groups the rows by identity; a label is (pose, box): (3,) radians, (4,) pixels or None.

    Raises:
      RankPoseError: if it is no such table, a column is missing, or its angles seem to be radians.
    """
    table = _only_table(source, names)
    columns, rows, separator = _parse(source, table)
    boxes = _checked_columns(table, columns)
    if not rows:
        raise RankPoseError(f"source: the table {table!r} has a header and no rows")
    own = "identity" not in columns
    identities, skipped, seen, largest = {}, [], set(), 0.0
    for number, row in rows:
        try:
            angles, image, box = _parse_row(row, boxes, separator)
            pose = views.checked_pose(angles if options == "radians" else np.radians(angles))
            # Two faces of one picture without identities are told apart by their boxes.
            person = str(box) if own else _identity(row)
            if (image, person) in seen:
                raise views.SkippedView(views.DUPLICATE_ROW)
        except views.SkippedView as reason:
            skipped.append((_image(row) or f"{table} line {number}", str(reason)))
            continue
        largest = max(largest, *map(abs, angles))
        name = person if not own else f"{image} {person}" if image in identities else image
        group = image if own else person
        view = views.ListedView(_beside(table, image), image, (pose, box))
        identities.setdefault(name, (group, []))[1].append(view)
        seen.add((image, person))
    _check_unit(table, len(seen), largest, options)
    listed = [views.ListedIdentity(n, group, tuple(v)) for n, (group, v) in identities.items()]
    paths = {view.path for identity in listed for view in identity.views}
    stamps = {path: source.stamp(path) for path in sorted(paths)}
    return views.Listing(listed, skipped, stamps | {table: str(source.read(table))})


def _only_table(source, names):
    tables = [name for name in names if sources.is_table(name)]
    if len(tables) > 1:
        tables = [table for table in tables if _is_ours(source, table, names)]
    if len(tables) == 1:
        return tables[0]
    told = f"{len(tables)} tables ({', '.join(sorted(tables)[:3])})" if tables else "no table"
    raise RankPoseError(
        f"source: {source.name!r} holds {told} of pictures, expected one with the columns "
        f"{', '.join(_REQUIRED)}; pass the table itself as --source"
    )


def _parse(source, table):
    """`table_rows.Table` of a table in a source."""
    try:
        return table_rows.parse(table, source.read(table))
    except (OSError, ValueError) as error:
        raise RankPoseError(
            f"source: the table {table!r} could not be read ({error}); expected rows of text, in "
            "UTF-8"
        ) from error


def _checked_columns(table, columns):
    """The columns of the box; tells of what is missing or not read."""
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise RankPoseError(
            f"source: the table {table!r} lacks {', '.join(missing)}; expected "
            f"{', '.join(_REQUIRED)}, and perhaps identity and {box_columns.NAMES}, received "
            f"{', '.join(map(str, columns)) or 'nothing'}"
        )
    boxes = box_columns.choose(table, columns)
    others = [name for name in columns if name and name not in (*_REQUIRED, "identity", *boxes)]
    if others:
        logging.warning("%s: columns that are not read: %s", table, ", ".join(others))
    if "identity" not in columns:
        logging.warning(
            "%s has no column identity, so each picture is its own, and there are pairs of any two "
            "faces alone: train with --pairs=any",
            table,
        )
    return boxes


def _parse_row(row, boxes, separator):
    """(angles, image, box) of one row; SkippedView where it cannot be used."""
    if row is None:
        raise views.SkippedView(views.CORRUPT_LABEL)
    if None in row:
        raise views.SkippedView(views.LONG_ROW)
    if not _image(row):
        raise views.SkippedView(views.MISSING_PICTURE)
    cells = [table_rows.text(row, name) for name in ANGLES]
    if not all(cells):
        raise views.SkippedView(views.MISSING_LABEL)
    angles = table_rows.numbers(cells, views.CORRUPT_LABEL)
    return angles, _image(row), box_columns.read(row, boxes, separator)


def _image(row):
    r"""`.\anna\1.jpg` -> `anna/1.jpg`."""
    image = table_rows.text(row, "image").replace("\\", "/")
    return posixpath.normpath(image) if image else ""


def _identity(row):
    identity = table_rows.text(row, "identity")
    if not identity:
        raise views.SkippedView(views.MISSING_LABEL)
    return identity


def _beside(table, image):
    """Name in the source of a picture that is named relative to its table."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(table), image))


def _check_unit(table, rows, largest, unit):
    if not unit and rows >= _MANY_ROWS and largest < _LARGEST_RADIANS:
        raise RankPoseError(
            f"label_unit: no angle in {rows} rows of {table!r} is over {largest:.2f}, so they may "
            "be radians; pass --label_unit=radians, or --label_unit=degrees"
        )


def read_view(source, listed):
    """Reads one view. See `readers.Reader`."""
    pose, box = listed.label
    image = views.read_picture(source, listed.path)
    if box is None:
        width, height = pictures.size(image)
        half = max(width, height) / _CROP_SCALE / 2
        centre = np.array([width, height], np.float32) / 2
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)
    return views.view(listed, image, pose, box)


def describe(source, identities, options):
    """The set is called like its source; one view is enough where each picture is its own."""
    del options
    own = bool(identities) and all(i.group == i.views[0].name for i in identities)
    return views.Description(pathlib.PurePath(source.name).stem, "manifest", 1 if own else 2)
