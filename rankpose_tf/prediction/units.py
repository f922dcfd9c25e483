"""What `score` looks at, in units: runs of pictures that one worker reads and one file answers.

A unit is small: it names files and rows, and is read where it is worked on. Its pictures, and so
the rows of its answer, have one order. Files lie wherever Apache Beam can read.
"""

import dataclasses
import glob
import itertools
import os
import pathlib
import re
import struct
from typing import NamedTuple

from absl import logging

from rankpose_tf.core import extras
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import inputs

PARQUET = (".parquet",)
TFRECORD = (".tfrecord", ".tfrecords")
# Columns of a Parquet file: one of the two is needed.
PATH, IMAGE = "path", "image"
# What each is of, and Arrow's names for it.
_KINDS = {
    PATH: ("text", ("string", "large_string", "string_view", "null")),
    IMAGE: ("bytes, the content of a file", ("binary", "large_binary", "binary_view", "null")),
}
# A record of text this long or shorter is a path.
_LONGEST_PATH = 4096
_ROWS_AT_ONCE = 64


class Picture(NamedTuple):
    """One picture to look at.

    Attributes:
      name: its path, or where its content is from.
      content: of its file, bytes; None where it is to be read from its path.
      reason: why there is nothing to read; None where there is.
    """

    name: str
    content: bytes | None = None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Given:
    """Pictures that are held themselves, or their names."""

    held: tuple

    def pictures(self):
        yield from self.held


@dataclasses.dataclass(frozen=True)
class ParquetRows:
    """Rows `start` to `stop` of a Parquet file with a column `path`, or `image` of bytes."""

    path: str
    start: int
    stop: int

    def pictures(self):
        with _open(self.path, plain=True) as stream:
            file, first = _parquet().ParquetFile(stream), 0
            columns = [name for name in (PATH, IMAGE) if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                last = first + file.metadata.row_group(group).num_rows
                if first < self.stop and last > self.start:
                    batches = file.iter_batches(_ROWS_AT_ONCE, [group], columns)
                    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
                    for number, row in enumerate(rows, first):
                        if self.start <= number < self.stop:
                            yield self._picture(number, row)
                first = last

    def _picture(self, number, row):
        place = f"{self.path}#{number}"
        if IMAGE not in row:
            path = row[PATH]
            return Picture(path) if path else Picture(place, reason="the row has no path")
        content = row[IMAGE]
        reason = None if content else "the row has no picture"
        return Picture(row.get(PATH) or place, content or None, reason)


@dataclasses.dataclass(frozen=True)
class Records:
    """`count` records of a TFRecord file, paths or contents of pictures, from a byte on.

    Attributes:
      start: index of the first in the file.
      offset: its first byte.
    """

    path: str
    start: int
    count: int
    offset: int

    def pictures(self):
        with _open(self.path) as stream:
            stream.seek(self.offset)
            for number in range(self.start, self.start + self.count):
                length = _length(stream, self.path)
                content = stream.read(length)
                stream.read(4)
                place = f"{self.path}#{number}"
                if len(content) < length:
                    yield Picture(place, reason="the record is cut off")
                elif path := _as_path(content):
                    yield Picture(path)
                else:
                    yield Picture(place, content)


def plan(named, size):
    """Lists the units of what is named, in the order of its names.

    Args:
      named: strings: Parquet and TFRecord files or globs of them, known by their suffixes; and
        what `inputs.expand` takes, of which videos are left out.
      size: pictures of a unit.

    Raises:
      RankPoseError: if one names nothing, or a file can't be read.
    """
    if not named:
        inputs.expand(named)
    units, names = [], []
    for text in map(_local, named):
        tables = _tables(text)
        if tables is None:
            names += _names(text)
        for path in tables or ():
            units += _parquet_units(path, size) if _is(path, PARQUET) else _records(path, size)
    names = [Picture(name) for name in dict.fromkeys(names)]
    units += [Given(tuple(names[at : at + size])) for at in range(0, len(names), size)]
    return units or _refuse(named, "no picture")


def content_of(name):
    """The content of a picture that is named by an address; None of one that is by its path."""
    if "://" not in name:
        return None
    if (path := _local(name)) != name:
        return pathlib.Path(path).read_bytes()
    with _open(name, plain=True) as stream:
        return stream.read()


def _tables(text):
    """Paths of the Parquet or TFRecord files that a text names; None where it names others."""
    if not _is(text, (*PARQUET, *TFRECORD)):
        return None
    if os.path.isfile(text):
        return [text]
    # Spark writes a folder of parts.
    pattern = os.path.join(glob.escape(text), f"*{PARQUET[0]}") if os.path.isdir(text) else text
    return _matching(pattern) or _refuse([text], "no file")


def _local(text):
    """The path in file:///a/b.jpg; other texts as they are."""
    return re.sub(r"^file:(//)?(?=/)", "", text)


def _names(text):
    if "://" in text:
        known = [path for path in _matching(text) if _is(path, inputs.PICTURE_SUFFIXES)]
        return known or _refuse([text], "no picture")
    sources = inputs.expand([text])
    names = [source.path for source in sources if source.kind == inputs.PICTURE]
    if len(names) < len(sources):
        logging.warning("%s: %d videos not read", text, len(sources) - len(names))
    return names


def _matching(text):
    systems = _filesystems()
    try:
        matched = systems.match([text])[0].metadata_list
    except Exception as error:  # Each kind of storage has errors of its own.
        raise RankPoseError(
            f"input: can't look for {text!r} ({' '.join(str(error).split())}); check the address, "
            "the rights, and that Apache Beam's own extra for it is installed, as apache-beam[gcp]"
        ) from error
    return sorted(metadata.path for metadata in matched)


def _is(path, suffixes):
    # Of a glob, too; a table may be packed as a whole.
    return pathlib.PurePath(path.removesuffix(".gz")).suffix.lower() in suffixes


def _refuse(named, what):
    raise RankPoseError(
        f"input: {', '.join(map(repr, named))} names {what}; pass pictures, a folder or glob of "
        f"them, or files whose names end in {', '.join((*PARQUET, *TFRECORD))}"
    )


def _parquet_units(path, size):
    try:
        with _open(path, plain=True) as stream:
            file = _parquet().ParquetFile(stream)
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, ValueError) as error:
        raise RankPoseError(
            f"input: {path!r} is no Parquet file, or it is damaged ({error})"
        ) from error
    _check_columns(path, schema)
    return [ParquetRows(path, at, min(at + size, rows)) for at in range(0, rows, size)]


def _check_columns(path, schema):
    """Refuses, before a worker meets them, columns that name no pictures and hold none."""
    known = [schema.field(name) for name in _KINDS if name in schema.names]
    if not known:
        raise RankPoseError(
            f"input: expected in {path!r} a column {PATH!r}, or {IMAGE!r} of the content of "
            f"pictures, received {', '.join(schema.names)}; rename the column"
        )
    for field in known:
        what, kinds = _KINDS[field.name]
        kind = str(field.type)
        # Text that repeats may be stored by its number in a list.
        if kind.removeprefix("dictionary<values=").partition(",")[0] not in kinds:
            raise RankPoseError(
                f"input: expected in {path!r} a column {field.name!r} of {what}, received {kind}; "
                "write the file again with such a column"
            )


def _records(path, size):
    units, number, offset = [], 0, 0
    with _open(path) as stream:
        while (length := _length(stream, path)) is not None:
            if number % size == 0:
                units.append([path, number, 0, offset])
            units[-1][2] += 1
            number, offset = number + 1, offset + 16 + length
            stream.seek(offset)
    return [Records(*unit) for unit in units]


def _length(stream, path):
    """The length of the record that begins here, bytes; None at the end of the file."""
    head = stream.read(12)
    if not head:
        return None
    if len(head) < 12 or struct.unpack("<I", head[8:])[0] != _masked_checksum(head[:8]):
        raise RankPoseError(
            f"input: {path!r} is no TFRecord file, or it is damaged; write it again"
        )
    return struct.unpack("<Q", head[:8])[0]


def _masked_checksum(content):
    """What TFRecord files keep of a length: its CRC-32C, turned and moved."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _as_path(content):
    """A record's text if it is one line; a picture's content never is."""
    if len(content) > _LONGEST_PATH:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _open(path, plain=False):
    """A file, wherever it lies.

    Args:
      path: of the file.
      plain: as it is; else unpacked by its suffix.
    """
    compression = extras.load("apache_beam.io.filesystem", "beam", "input").CompressionTypes
    how = compression.UNCOMPRESSED if plain else compression.AUTO
    return _filesystems().open(path, compression_type=how)


def _filesystems():
    return extras.load("apache_beam.io.filesystems", "beam", "input").FileSystems


def _parquet():
    return extras.load("pyarrow.parquet", "beam", "input")
