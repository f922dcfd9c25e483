"""How a damaged file is told, in one place: one sentence, whatever a parser met in it."""

import contextlib
import csv
import errno
import os
import struct
import zipfile
import zlib

from rankpose_tf.core.errors import RankPoseError

# What parsers raise on content that is not what it claims: a wrong type where a name was expected,
# a nested list without end, half a character, a number too large.
_OF_CONTENT = (
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


@contextlib.contextmanager
def told(argument, path, advice):
    """While the block parses a file, an error of its content is one sentence.

    A file that is absent or can't be opened stays an OSError: it is not damaged.

    Args:
      argument: the name under which the caller received the file.
      path: of the file.
      advice: what to do, without a full stop.

    Raises:
      RankPoseError: if the content is not what it should be.
    """
    try:
        yield
    except RankPoseError:
        raise
    except (OSError, *_OF_CONTENT) as error:
        # A place that a damaged file names, before its beginning.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        reason = " ".join(str(error).split())[:200] or "no content"
        raise RankPoseError(
            f"{argument}: {os.fsdecode(path)!r} is damaged ({type(error).__name__}: {reason}); "
            f"{advice}"
        ) from error
