"""The file of results: CSV or JSON lines, whole at every moment, and able to go on later.

The rows of one picture or video frame are written by one call. Whatever ends the run, the file
ends at the end of a row; only a machine that loses its power can leave half a line, which
`finished` cuts off.
"""

import csv
import functools
import io
import itertools
import json
import math
import os
import pathlib
from typing import NamedTuple

from absl import logging

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ANGLES, ERRORS

SUFFIXES = (".csv", ".jsonl")
_ANOTHER = "pass another --out"
COLUMNS = (
    *("path", "frame", "time", "face", "left", "top", "right", "bottom", "score"),
    *ANGLES,
    "reason",
)
# Behind the others, of a model that tells its expected errors.
COLUMNS_WITH_ERRORS = (*COLUMNS, *ERRORS)
# A path may hold bytes that are no UTF-8.
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}
# It may hold a carriage return too, which ends no line.
_TEXT = {"newline": "\n", **_ENCODING}


class Row(NamedTuple):
    """One face, or one picture or frame that gave none and why; None where nothing is known.

    Attributes:
      path: of the picture or video, or a camera's index.
      frame: of a video, counted from 0.
      time: of the frame, seconds.
      face: counted from 0 in a picture; in a video the number that the face keeps.
      box: (4,) left, top, right, bottom, pixels.
      score: the detector's.
      angles: (3,) yaw, pitch, roll, degrees.
      reason: why there is no pose.
      errors: (3,) expected errors of yaw, pitch, roll, degrees; None of a model without them.
    """

    path: str
    frame: int | None = None
    time: float | None = None
    face: int | None = None
    box: tuple | None = None
    score: float | None = None
    angles: tuple | None = None
    reason: str | None = None
    errors: tuple | None = None


class ResultFile:
    """Takes rows and appends them to a file.

    Args:
      path: ends in .csv or .jsonl.
      resume: go on in a file that may exist; without it an existing one is refused.
      errors: the model tells its expected errors: there are columns for them.
      again: as for `finished`.

    Attributes:
      done: set of the paths whose rows are in the file already.

    Raises:
      RankPoseError: if the path does not do, the file exists, or is not one of ours.
    """

    def __init__(self, path, resume=False, errors=False, again=None):
        self._path = pathlib.Path(path)
        self._write_row = functools.partial(check(path, resume), errors=errors)
        columns = COLUMNS_WITH_ERRORS if errors else COLUMNS
        is_there = resume and self._path.exists()
        self.done = finished(self._path, columns, again) if is_there else set()
        # Unbuffered: what `write` was given is the system's when it returns.
        self._stream = open(self._path, "ab" if resume else "xb", buffering=0)
        self._whole = self._stream.tell()
        if self._whole == 0 and self._path.suffix == ".csv":
            self._append(_csv_line(columns))

    def write(self, rows):
        """Appends rows, all or none of them."""
        self._append("".join(self._write_row(row) for row in rows))

    def _append(self, text):
        content = memoryview(text.encode(**_ENCODING))
        while content:
            content = content[self._stream.write(content) :]
        self._whole = self._stream.tell()

    def close(self):
        """Closes the file; rows that an interrupt or a full disk cut are taken back."""
        if not self._stream.closed:
            self._stream.truncate(self._whole)
            self._stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def check(path, resume):
    """Refuses a path that `ResultFile` could not write to; gives its Row, errors -> line."""
    advice = "pass another name, or --resume to go on in it"
    path = files.new_file("out", path, SUFFIXES, resume, advice)
    return _csv_row if path.suffix == ".csv" else _json_row


def finished(path, columns=COLUMNS, again=None):
    """Cuts a file that a run left behind to what is certainly whole.

    The last picture or video may be unfinished: its rows are taken out, to be made again. Those of
    one that will not be made again stay, and a warning says so.

    Args:
      path: .csv or .jsonl.
      columns: that a .csv file has to have.
      again: paths that the run to come can make again; None is all.

    Returns:
      Set of the paths that are left in the file.

    Raises:
      RankPoseError: if the file was not written by `ResultFile`.
    """
    groups = itertools.groupby(_whole_lines(path, columns), lambda line: line[1])
    last, pending, done = None, [], set()
    with files.replaced(path) as beside, open(beside, "w", **_TEXT) as kept:
        for last, lines in groups:
            kept.writelines(pending)
            done.add(last)
            pending = [text for text, _ in lines]
        # A header is never unfinished.
        if last is None or (again is not None and last not in again):
            kept.writelines(pending)
        else:
            done.remove(last)
    if last in done and last is not None:
        logging.warning("resume: the rows of %s stay as they are; it is not looked at again", last)
    return done - {None}


def read(path):
    """Yields the rows of a file written by `ResultFile`, as `Row`.

    Raises:
      RankPoseError: if it is damaged.
    """
    with damage.told("out", path, _ANOTHER), open(path, **_TEXT) as stream:
        if pathlib.Path(path).suffix == ".csv":
            for record in csv.DictReader(damage.lines(stream)):
                yield _row({name: value or None for name, value in record.items()})
        else:
            for line in damage.lines(stream):
                yield _row(json.loads(line))


def _row(record):
    """Row of a dict of strings or numbers, in the names of either format."""
    sides = record.get("box") or [record.get(side) for side in COLUMNS[4:8]]
    angles = [record[name] for name in ANGLES]
    errors = [record.get(name) for name in ERRORS]
    return Row(
        path=record["path"],
        frame=_number(record["frame"], int),
        time=_number(record["time"], float),
        face=_number(record["face"], int),
        box=None if sides[0] is None else tuple(map(float, sides)),
        score=_number(record["score"], float),
        angles=None if angles[0] is None else tuple(map(float, angles)),
        reason=record["reason"],
        errors=None if errors[0] is None else tuple(map(float, errors)),
    )


def _number(value, kind):
    return None if value is None else kind(value)


def _lines(path, columns):
    """Yields (text, path of its row or None for the header); ends before half a line."""
    with open(path, **_TEXT) as stream:
        if path.suffix == ".jsonl":
            for line in damage.lines(stream):
                if not line.endswith("\n"):
                    return
                yield line, _path_of(line, path)
            return
        reader = csv.reader(line for line in damage.lines(stream) if line.endswith("\n"))
        header = next(reader, None)
        if header is not None and tuple(header) != columns:
            _refuse(path)
        if header is not None:
            yield _csv_line(header), None
        for cells in reader:
            # Of a path with a line break in it, half may look like a line.
            if len(cells) == len(columns):
                yield _csv_line(cells), cells[0]


def _whole_lines(path, columns):
    with damage.told("resume", path, _ANOTHER):
        yield from _lines(path, columns)


def _path_of(line, path):
    try:
        return _checked_path(json.loads(line)["path"])
    except (ValueError, KeyError, TypeError, RecursionError):
        _refuse(path)


def _checked_path(path):
    if not isinstance(path, str):
        raise TypeError(path)
    return path


def _refuse(path):
    raise RankPoseError(
        f"resume: {os.fspath(path)!r} does not hold the rows of this command; pass another --out"
    )


def _csv_line(cells):
    line = io.StringIO()
    # Python 3.11 puts quotes around the characters of its line's end alone.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _csv_row(row, errors):
    return _csv_line(cells(row, errors).values())


def cells(row, errors=False):
    """What a table holds of a row: dict of column -> value, rounded, None where it is unknown.

    Args:
      row: `Row`.
      errors: with the columns of the expected errors.
    """
    path, frame, time, face, box, *others = _record(row, errors).values()
    columns = COLUMNS_WITH_ERRORS if errors else COLUMNS
    values = [path, frame, time, face, *(box or [None] * 4), *others]
    return dict(zip(columns, values, strict=True))


def _json_row(row, errors):
    return json.dumps(_record(row, errors), allow_nan=False) + "\n"


def _record(row, with_errors):
    """What is written of a row, rounded, by name."""
    angles = [_rounded(angle, 4) for angle in row.angles or [None] * 3]
    errors = [_rounded(error, 4) for error in row.errors or [None] * 3]
    return {
        "path": row.path,
        "frame": row.frame,
        "time": _rounded(row.time, 6),
        "face": row.face,
        "box": row.box and [_rounded(value, 2) for value in row.box],
        "score": _rounded(row.score, 4),
        **dict(zip(ANGLES, angles, strict=True)),
        "reason": row.reason,
        **(dict(zip(ERRORS, errors, strict=True)) if with_errors else {}),
    }


def _rounded(value, digits):
    """Neither format can hold NaN: it is unknown, like None."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
