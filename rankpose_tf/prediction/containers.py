"""What a MP4 or MOV file tells of its video and OpenCV does not: how long it is shown, mirrored.

A file is a row of boxes: a length of 4 bytes, which counts itself, a name of 4, and content, which
may be boxes again (ISO/IEC 14496-12). Wanted are, in moov/trak of the first video, `tkhd` with the
matrix that the player applies and `edts/elst` with the parts that it shows.
"""

import struct
from typing import NamedTuple

import numpy as np

_BOXES_OF_BOXES = (b"moov", b"trak", b"edts", b"mdia")
# Of the box moov; that of a video of ten hours has a tenth.
_LARGEST_INDEX = 200_000_000


class Presentation(NamedTuple):
    """How a file wants its video to be shown; None where it does not tell.

    Attributes:
      seconds: from the first frame shown to the end of the last.
      matrix: (2, 2) of -1, 0, 1; x, y in the stored frame -> x, y as shown, but for a shift.
    """

    seconds: float | None = None
    matrix: np.ndarray | None = None


def presentation(path):
    """`Presentation` of a file; of another format, or a damaged one, nothing is known."""
    try:
        index = _index(path)
        boxes = dict(_boxes(index))
        scale = _after_times(boxes[b"mvhd"], 0, ">I")
        for name, track in _boxes(index):
            if name == b"trak" and (inside := _track(track))[b"hdlr"][8:12] == b"vide":
                return Presentation(_seconds(inside, scale), _matrix(inside[b"tkhd"]))
    except (OSError, KeyError, struct.error, IndexError, ZeroDivisionError, RecursionError):
        pass
    return Presentation()


def is_mpeg_stream(path):
    """Whether a file is of the kind of .ts or .mpg, which tells no length."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(197)
    except OSError:
        return False
    packets = start[0:1] + start[188:189], start[4:5] + start[196:197]
    return b"GG" in packets or start.startswith(b"\0\0\1\xba")


def _index(path):
    """Content of the box moov."""
    with open(path, "rb") as stream:
        while True:
            length, name = struct.unpack(">I4s", stream.read(8))
            rest = length - 8
            if length == 1:
                rest = struct.unpack(">Q", stream.read(8))[0] - 16
            if name == b"moov":
                return stream.read(min(rest, _LARGEST_INDEX))
            if length == 0 or rest < 0:
                raise KeyError("moov")
            stream.seek(rest, 1)


def _boxes(content):
    """Yields (name, content) of the boxes in a box."""
    start = 0
    while start + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        if length < 8:
            return
        yield name, content[start + 8 : start + length]
        start += length


def _track(track):
    """Name -> content of the boxes anywhere in a track."""
    found = {}
    for name, content in _boxes(track):
        found |= _track(content) if name in _BOXES_OF_BOXES else {name: content}
    return found


def _after_times(header, skipped, form):
    """A number of a header: behind its times, which take 4 or 8 bytes, and `skipped` bytes."""
    times = 2 * (8 if header[0] == 1 else 4)
    return struct.unpack_from(form, header, 4 + times + skipped)[0]


def _seconds(inside, scale):
    """Of the edits that show something, else of the whole track."""
    if b"elst" in inside:
        long = inside[b"elst"][0] == 1
        edits = struct.iter_unpack(">QqI" if long else ">IiI", inside[b"elst"][8:])
        shown = sum(length for length, start, _ in edits if start >= 0)
        if shown:
            return shown / scale
    header = inside[b"tkhd"]
    length = _after_times(header, 8, ">Q" if header[0] == 1 else ">I")
    return length / scale if length else None


def _matrix(header):
    """The four whole numbers of the 3 x 3 that turn and mirror; None for anything else."""
    a, b, _, c, d = struct.unpack_from(">5i", header, 52 if header[0] == 1 else 40)
    upright, turned = a and d and not (b or c), b and c and not (a or d)
    return np.sign([[a, c], [b, d]]) if upright or turned else None
