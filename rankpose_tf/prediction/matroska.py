"""How long the frames of a Matroska or WebM file go on, which the file nowhere tells.

Its header has one length for sound and video together. The file is a tree of elements, an id and
a size of 1 to 8 bytes each and content (RFC 9559); the blocks of frames lie in clusters.
"""

import mmap

_EBML, _SEGMENT, _INFO, _SCALE = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x2AD7B1
_TRACKS, _TRACK, _NUMBER, _KIND = 0x1654AE6B, 0xAE, 0xD7, 0x83
_CLUSTER, _TIME, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
_VIDEO = 1


class _DamagedError(Exception):
    """Not the tree that it should be, or not all of it."""


def span(path):
    """Time from the first to the last frame of the first video track.

    Args:
      path: of any file.

    Returns:
      Seconds; None for another kind of file, and for one that is cut off or damaged.
    """
    try:
        with open(path, "rb") as stream:
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _span(data)
    except (OSError, ValueError, IndexError, StopIteration, _DamagedError):
        return None


def _span(data):
    elements = _children(data, 0, len(data))
    if next(elements)[0] != _EBML:
        return None
    _, start, end = next(element for element in elements if element[0] == _SEGMENT)
    scale, track, times = 1_000_000, None, []
    for name, first, until in _children(data, start, end):
        if name == _INFO:
            scale = _number(data, first, until, _SCALE, scale)
        elif name == _TRACKS:
            track = _video_track(data, first, until)
        elif name == _CLUSTER:
            times = _ends([*times, *_times_in_cluster(data, first, until, track)])
    return (times[-1] - times[0]) * scale / 1e9 if times else None


def _ends(times):
    return [min(times), max(times)] if times else []


def _video_track(data, start, end):
    """Number of the first track of video."""
    for name, first, until in _children(data, start, end):
        if name == _TRACK and _number(data, first, until, _KIND) == _VIDEO:
            return _number(data, first, until, _NUMBER)
    raise _DamagedError


def _times_in_cluster(data, start, end, track):
    """Yields the times of a track's blocks in a cluster, ticks."""
    base = _number(data, start, end, _TIME, 0)
    for name, first, until in _children(data, start, end):
        if name == _GROUP:
            blocks = [child for child in _children(data, first, until) if child[0] == _BLOCK]
        else:
            blocks = [(name, first, until)] if name == _SIMPLE_BLOCK else []
        for _, block, _ in blocks:
            number, after = _variable(data, block, keeps_mark=False)
            if number == track:
                offset = int.from_bytes(data[after : after + 2], "big", signed=True)
                yield base + offset


def _number(data, start, end, wanted, default=None):
    """The whole number in the first child of an id."""
    for name, first, until in _children(data, start, end):
        if name == wanted:
            return int.from_bytes(data[first:until], "big")
    return default


def _children(data, start, end):
    """Yields (id, start, end) of the elements that fill a stretch."""
    while start < end:
        name, after = _variable(data, start, keeps_mark=True)
        size, first = _variable(data, after, keeps_mark=False)
        start = first + size
        # One of unknown size, as in a live stream, counts as cut off: all its bits are ones.
        if start > end:
            raise _DamagedError
        yield name, first, start


def _variable(data, start, keeps_mark):
    """A number whose first byte tells its length by its leading zeros; and where it ends."""
    length = 9 - data[start].bit_length()
    if length > 8:
        raise _DamagedError
    value = int.from_bytes(data[start : start + length], "big")
    return value if keeps_mark else value & ((1 << 7 * length) - 1), start + length
