"""Numeric variables of a .mat file of MATLAB's versions 5 to 7.2, as labels have them.

Not scipy's `loadmat`: it believes the kind of number that a file claims, and a damaged one ends
the process ("Segmentation fault"), where a skipped view is due.

An element is a tag of 8 bytes, its kind and its length, and its content; a short one has both in 4
bytes and its content in the other 4. A matrix is an element of elements: its flags, shape, name,
and numbers.
"""

import math
import struct
import zlib

import numpy as np

# Bytes of the file's header, before the first variable.
_HEADER = 128
# Bytes of an unpacked variable; those of the face sets have up to a million.
_LARGEST = 20_000_000
_MATRIX, _COMPRESSED = 14, 15
# Kind of an element -> its numbers.
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"
}  # fmt: skip
# Classes of a matrix that hold numbers: no cells, structures, objects, letters, sparse ones.
_NUMERIC = range(6, 16)
_COMPLEX = 0x800


def variables(content):
    """Yields the name and numbers, (...) float64 or None for those of another class, in order.

    Args:
      content: bytes of the file.

    Raises:
      ValueError, LookupError, struct.error, zlib.error: for content that is no such file. What
        comes before the damage is yielded.
    """
    order = "<" if content[126:128] == b"IM" else ">"
    place, content = _HEADER, memoryview(content)
    if len(content) <= _HEADER:
        raise ValueError("a .mat has a header and a variable")
    while place < len(content):
        kind, part, place = _element(content, place, order)
        if kind == _COMPRESSED:
            kind, part, _ = _element(_unpacked(part), 0, order)
        if kind != _MATRIX:
            raise ValueError(f"element of kind {kind} where a variable was expected")
        yield _matrix(part, order)


def _element(content, place, order):
    """Kind and content of the element at a place, and the place behind it."""
    kind, length = struct.unpack_from(f"{order}II", content, place)
    start, end = place + 8, len(content)
    if kind >> 16:
        kind, length, start, end = kind & 0xFFFF, kind >> 16, place + 4, place + 8
    if length > end - start:
        raise ValueError(f"an element claims {length:,} bytes")
    return kind, content[start : start + length], start + length


def _matrix(part, order):
    """Name and numbers of a matrix; its elements begin at multiples of 8 bytes."""
    elements, place = [], 0
    while place < len(part) and len(elements) < 4:
        kind, content, place = _element(part, place, order)
        place += -place % 8
        elements.append((kind, content))
    (_, flags), (_, shape), (_, name), *numbers = elements
    (flags,) = struct.unpack_from(f"{order}I", flags)
    name = bytes(name).decode("latin1")
    if flags & 0xFF not in _NUMERIC or flags & _COMPLEX:
        return name, None
    shape = np.frombuffer(shape, f"{order}i4").tolist()
    return name, _array(*numbers[0], shape, order)


def _array(kind, content, shape, order):
    numbers = np.frombuffer(content, order + _NUMBERS[kind])
    if min(shape, default=-1) < 0 or math.prod(shape) != numbers.size:
        raise ValueError(f"{numbers.size} numbers in a matrix of shape {shape}")
    return numbers.reshape(shape, order="F").astype(np.float64)


def _unpacked(content):
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(content, _LARGEST)
    if unpacking.unconsumed_tail:
        raise ValueError(f"a variable has over {_LARGEST:,} bytes")
    return memoryview(unpacked)
