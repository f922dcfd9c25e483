"""What a disk refuses, told in one sentence, whichever library met it."""

import contextlib
import errno
import os

from rankpose_tf.core.errors import RankPoseError

# The first three are also looked for in texts; "permission denied" may be a server's word.
_REFUSALS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EFBIG,
    errno.EIO,
    errno.ENAMETOOLONG,
)
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def told():
    """What a disk refuses within the block is a RankPoseError; every other error stays."""
    try:
        yield
    except RankPoseError:
        raise
    except Exception as error:
        refusal = sentence(error)
        if refusal is None:
            raise
        raise RankPoseError(refusal) from error


def sentence(error):
    """What to tell of an exception that comes from a disk.

    Args:
      error: exception; what it was raised from is looked at too.

    Returns:
      One sentence, or None if no disk refused anything. Libraries wrap the system's error in types
      of their own, TensorFlow and HDF5 in its text alone.
    """
    while error is not None:
        number = _number(error)
        if number:
            place = getattr(error, "filename", None)
            where = f"{os.fsdecode(place)!r}" if isinstance(place, str | bytes) else "the disk"
            advice = "make room, or pass another place"
            if number == errno.ENAMETOOLONG:
                advice = "pass a shorter name"
            elif number not in _FULL:
                advice = "pass a place that may be read and written"
            return f"{where}: {os.strerror(number).lower()}; {advice}"
        hidden = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or hidden
    return None


def _number(error):
    """The system's number of a refusal, or 0."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return error.errno
    text = str(error)
    return next((number for number in _REFUSALS[:3] if os.strerror(number) in text), 0)
