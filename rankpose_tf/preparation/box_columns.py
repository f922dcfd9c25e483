"""Which columns of a table are a box: names that are read, and those that only look like one."""

import re

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import table_rows, views

# Four edges, in the order left, top, right, bottom; or the upper left corner and the size.
_EDGES = (
    ("left", "top", "right", "bottom"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
)
_CORNER_AND_SIZE = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "w", "h"),
    ("left", "top", "width", "height"),
)
NAMES = "left, top, right, bottom (or xmin, ymin, xmax, ymax; x1, y1, x2, y2; x, y, w, h)"
# One cell with four edges, or in JSON an object that names them.
_WHOLE = "box"

_PLACE = r"(left|top|right|bottom|[xy]\d?|[xy](min|max|c|center|centre)|c[xy]|(center|centre)[xy])"
_PREFIX = r"(face|head|bb|bbox|box|rect|roi|crop)"
_LOOKS_LIKE_ONE = re.compile(
    rf"{_PREFIX}*{_PLACE}|{_PREFIX}+([wh]|width|height)|.*(bbox|rect|roi).*"
)
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def choose(name, columns):
    """The columns of a table that hold its boxes.

    Args:
      name: of the table, for messages.
      columns: names of all columns, lower case.

    Returns:
      Tuple of four names; of one; or empty where the table has no box.

    Raises:
      RankPoseError: if none of the names that are read is complete, and others look like a box.
    """
    plain = {_plain(column): column for column in columns}
    for names in (*_EDGES, *_CORNER_AND_SIZE):
        if all(edge in plain for edge in names):
            return tuple(plain[edge] for edge in names)
    if _WHOLE in plain:
        return (plain[_WHOLE],)
    alike = [column for known, column in plain.items() if _LOOKS_LIKE_ONE.fullmatch(known)]
    if alike:
        raise RankPoseError(
            f"source: the table {name!r} has {', '.join(alike)}, which look like a box and are not "
            f"read; name them {NAMES}, pixels, or remove them: each picture counts as cropped then"
        )
    return ()


def _plain(column):
    """`X_min` -> `xmin`."""
    return re.sub(r"[\s_-]", "", str(column).lower())


def read(row, columns, separator=""):
    """(4,) box of a row, or None where all of it is blank.

    Args:
      row: dict of column -> value.
      columns: from `choose`.
      separator: what stands between the table's cells.

    Raises:
      views.SkippedView: if it is no box in pixels, or one of which that is not sure.
    """
    if len(columns) == 1 and isinstance(row.get(columns[0]), dict):
        row = {_plain(name): value for name, value in row[columns[0]].items()}
        known = (names for names in (*_EDGES, *_CORNER_AND_SIZE) if row.keys() >= set(names))
        columns = next(known, ())
        if not columns:
            raise views.SkippedView(views.BAD_BOX)
    cells = [table_rows.text(row, column) for column in columns]
    if len(columns) == 1:
        cells = [cell for cell in re.split(r"[\s,;]+", cells[0].strip("[]() ")) if cell]
    if not any(cells):
        return None
    if len(cells) != 4:
        raise views.SkippedView(views.BAD_BOX)
    # Whoever separates cells by commas has points in decimals, as a rule, and commas in thousands.
    if separator == "," and any(map(_MAY_BE_THOUSANDS.fullmatch, cells)):
        raise views.SkippedView(views.THOUSANDS_BOX)
    left, top, *rest = table_rows.numbers(cells, views.BAD_BOX)
    if tuple(map(_plain, columns)) in _CORNER_AND_SIZE:
        rest = (left + rest[0], top + rest[1])
    return views.checked_box((left, top, *rest))
