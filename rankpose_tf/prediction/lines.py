"""Rows of results as lines for a person: a sentence a face of one picture, else a table."""

from rankpose_tf.core.expected_error import ANGLES, ExpectedError
from rankpose_tf.prediction.inputs import PICTURE

_TITLES = (*ANGLES, "score", "face")


class Lines:
    """Makes lines of rows as they come.

    Args:
      sources: sequence of `inputs.Source`: what the rows will be of.
    """

    def __init__(self, sources):
        self._is_alone = [source.kind for source in sources] == [PICTURE]
        self._has_frames = any(source.kind != PICTURE for source in sources)
        self._has_header = self._is_alone

    def of(self, rows):
        """Yields a line a row; above the first of a table its titles."""
        if not self._has_header:
            self._has_header = True
            yield self._line(_TITLES, "frame", "time", "path")
        for row in rows:
            yield sentence(row) if self._is_alone else self._row(row)

    def _row(self, row):
        numbers = [""] * 3 if row.angles is None else [f"{angle:.1f}" for angle in row.angles]
        score = "" if row.score is None else f"{row.score:.2f}"
        time = "" if row.time is None else f"{row.time:.2f}"
        cells = [*numbers, score, _text(row.face)]
        path = row.path if row.reason is None else f"{row.path}: {row.reason}"
        path += _doubt(row)
        return self._line(cells, _text(row.frame), time, path)

    def _line(self, cells, frame, time, path):
        # The path comes last: it is as long as it is.
        columns = [f"{cell:>6}" for cell in cells]
        if self._has_frames:
            columns += [f"{frame:>6}", f"{time:>8}"]
        return "  ".join([*columns, path])


def sentence(row):
    """One face, or why there is none, for a person."""
    if row.angles is None:
        return f"{row.path}: {row.reason}"
    angles = ", ".join(
        f"{name} {angle:.1f}" for name, angle in zip(ANGLES, row.angles, strict=True)
    )
    box = "" if row.box is None else " in the box " + " ".join(f"{side:.0f}" for side in row.box)
    return f"{row.path}: {angles} degrees{box}{_doubt(row)}"


def _doubt(row):
    """What is said of a pose that may be off by more than 20 degrees."""
    error = None if row.errors is None else ExpectedError(*row.errors)
    return f", doubted: may be off by {error.mean:.0f}" if error and error.doubted else ""


def _text(value):
    return "" if value is None else str(value)
