"""The frame of a TFRecord file: 8 bytes of a record's length, 4 of that's checksum, the record, 4.

Read before TensorFlow does, which asks for as much memory as a record claims to be long, and ends
the process where there is not so much.
"""

import os
import struct

_HEAD = struct.Struct("<QI")
_CHECKSUM = 4


def is_whole(path):
    """Whether the last record of a file ends where the file does; an empty file is whole."""
    size, place = os.path.getsize(path), 0
    with open(path, "rb", buffering=0) as stream:
        while place + _HEAD.size + _CHECKSUM <= size:
            stream.seek(place)
            length, _ = _HEAD.unpack(stream.read(_HEAD.size))
            place += _HEAD.size + length + _CHECKSUM
    return place == size
