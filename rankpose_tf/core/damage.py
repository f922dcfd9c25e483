"""How a damaged file is told, in one place: one sentence, whatever a parser met in it.

What is read here takes bounded memory: a line, or a whole JSON file, of more than any of ours has
is refused before it is parsed, since a parsed text takes twenty times the memory of its letters.
"""

import contextlib
import csv
import errno
import json
import os
import pathlib
import struct
import zipfile
import zlib

from rankpose_tf.core.errors import RankPoseError

# What parsers raise on content that is not what it claims: a wrong type where a name was expected,
# a nested list without end, half a character, a number too large.
OF_CONTENT = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    csv.Error,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
# Letters of a line, and bytes of a JSON file.
LONGEST_LINE = 1_000_000
LARGEST_JSON = 20_000_000


@contextlib.contextmanager
def told(argument, path, advice, what="is damaged", others=()):
    """While the block parses a file, an error of its content is one sentence.

    A file that is absent or can't be opened stays an OSError: it is not damaged.

    Args:
      argument: the name under which the caller received the file.
      path: of the file.
      advice: what to do, without a full stop.
      what: is said of the file.
      others: types of exceptions that the parser raises on content, beside the usual ones.

    Raises:
      RankPoseError: if the content is not what it should be.
    """
    try:
        yield
    except RankPoseError:
        raise
    except (OSError, *OF_CONTENT, *others) as error:
        # EINVAL is a place that a damaged file names, before its beginning.
        of_disk = isinstance(error, OSError) and error.errno != errno.EINVAL
        if of_disk and not isinstance(error, others):
            raise
        reason = " ".join(str(error).split())[:200] or "no content"
        raise RankPoseError(
            f"{argument}: {os.fsdecode(path)!r} {what} ({type(error).__name__}: {reason}); {advice}"
        ) from error


def lines(stream):
    """Yields the lines of an open text file, their ends included.

    Raises:
      ValueError: for a line of more than `LONGEST_LINE` letters.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise ValueError(f"line {number} has {LONGEST_LINE:,} letters or more")
        yield line


def json_object(argument, path, advice, needed=(), largest=None):
    """Content of a JSON file that holds one object, a dict.

    Args:
      argument, path, advice: as for `told`.
      needed: names that it has to have.
      largest: bytes that it may have; None is `LARGEST_JSON`, for what does not grow with data.

    Raises:
      RankPoseError: if the file is damaged, too large to be one of ours, or lacks a name.
    """
    path = pathlib.Path(path)
    with told(argument, path, advice):
        if path.stat().st_size > (LARGEST_JSON if largest is None else largest):
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, expected an object")
        missing = [name for name in needed if name not in content]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        return content
