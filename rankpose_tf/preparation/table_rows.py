"""Rows of a table as people's programs write them.

    .csv, .tsv   commas, semicolons, tabs or bars between the cells, whichever the header shows;
                 a first line `sep=;` as Excel has it; empty lines and lines of # before the header
    .jsonl       a JSON object a line

Both are UTF-8, or UTF-16. Names of columns count without capitals and outer spaces. A number may
have a comma as its decimal sign, if no number of its row has a point; a printed minus, and a degree
sign behind it. A quote that is never closed, or ends before its cell does, is an error.
"""

import codecs
import csv
import io
import json
import re
from typing import NamedTuple

from rankpose_tf.core import damage
from rankpose_tf.preparation import views

_SEPARATORS = ",;\t|"
# How a zip begins, and with it a workbook of Excel.
_ZIP = b"PK\x03\x04"
# Bytes by which the encoding is guessed.
_HEAD = 200


class Table(NamedTuple):
    """A table as text.

    Attributes:
      columns: names of all columns, in lower case.
      rows: list of (number of its line, dict of column -> value); None for a line that is no row.
      separator: what stands between the cells; empty for JSON.
    """

    columns: tuple
    rows: list
    separator: str = ""


def parse(name, content):
    """Reads a table.

    Args:
      name: of the file; its suffix decides between JSON and the rest.
      content: bytes.

    Returns:
      `Table`.

    Raises:
      ValueError: says what is wrong with the text.
    """
    if content.startswith(_ZIP):
        raise ValueError("it is a workbook or a zip, whatever its name says; save it as CSV")
    text = content.decode(_encoding(content))
    return _json_rows(text) if name.lower().endswith(".jsonl") else _cell_rows(text)


def _encoding(content):
    """UTF-16 by its mark, or by the zeros in it; else UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = content[:_HEAD]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros and 2 * zeros.count(0) > len(zeros):
            return encoding
    return "utf-8-sig"


def _cell_rows(text):
    lead = re.match(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*", text).group()
    first, _, rest = text[len(lead) :].partition("\n")
    told = first.strip().strip('"')
    named = told[:4].lower() == "sep=" and len(told) == 5
    skipped = named + len(lead.splitlines())
    separator = told[4] if named else max(_SEPARATORS, key=first.count)
    stream = io.StringIO(rest if named else text[len(lead) :], newline="")
    # Not strict, a quote that is never closed would swallow the rows behind it.
    reader = csv.reader(
        stream, delimiter=separator, skipinitialspace=separator != "\t", strict=True
    )
    numbered = _numbered(reader, skipped)
    _, header = next(numbered, (0, ()))
    columns = tuple(cell.strip().lower() for cell in header)
    rows = [(number, _row(columns, cells)) for number, cells in numbered if cells]
    if sum(map(_is_number, columns)) > 2:
        raise ValueError("its first line holds numbers, not the names of its columns")
    for column in columns:
        if column and columns.count(column) > 1:
            raise ValueError(f"two columns are called {column}")
    return Table(columns, rows, separator)


def _numbered(reader, skipped):
    """Yields (number of its last line, cells) of each row of a reader that begins behind `skipped`.

    Raises:
      ValueError: names the line where a row begins: that a quote is missing may show much later.
    """
    begins = skipped + 1
    try:
        for cells in reader:
            yield reader.line_num + skipped, cells
            begins = reader.line_num + skipped + 1
    except csv.Error as error:
        raise ValueError(f"line {begins}: {error}; check the quotes there") from error


def _row(columns, cells):
    """Dict of a row; cells beyond the header, unless empty, are under the name None."""
    row = dict(zip(columns, cells, strict=False))
    more = [cell for cell in cells[len(columns) :] if cell.strip()]
    return row | ({None: more} if more else {})


def _json_rows(text):
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line) if len(line) < damage.LONGEST_LINE else None
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            row = {key.strip().lower(): value for key, value in row.items()}
        rows.append((number, row if isinstance(row, dict) else None))
    if rows and not any(row for _, row in rows):
        raise ValueError('no line of it is a JSON object, such as {"image": "a.jpg", "yaw": 1}')
    columns = dict.fromkeys(name for _, row in rows for name in row or ())
    return Table(tuple(columns), rows)


def _is_number(cell):
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def text(row, column):
    """A cell as text without outer spaces; empty where there is none."""
    value = (row or {}).get(column)
    return "" if value is None else str(value).strip()


def numbers(cells, reason):
    """Cells of one row as floats.

    Args:
      cells: texts.
      reason: of the `views.SkippedView` where one is no number, or both decimal signs occur.
    """
    cells = [cell.replace("\N{MINUS SIGN}", "-").removesuffix("\N{DEGREE SIGN}") for cell in cells]
    if any("," in cell for cell in cells) and not any("." in cell for cell in cells):
        cells = [cell.replace(",", ".") for cell in cells]
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise views.SkippedView(reason) from error
