"""Locks on open files and folders. They end with the process that holds them, however it ends."""

import contextlib
import os

from absl import logging

from rankpose_tf.core.errors import RankPoseError

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None


def opened(path):
    """A descriptor of a file or folder to be locked; None if it can't be, as on Windows."""
    if not fcntl:
        return None
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None


def take(descriptor):
    """Tries to lock what is open, without waiting.

    Args:
      descriptor: of an open file or folder; the lock is gone when it is closed.

    Returns:
      True if it is locked now, False if a living process has locked it, None where there are no
      locks, as on some network disks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextlib.contextmanager
def folder(argument, path, doing):
    """Keeps a second run out of a folder; no file stays in it for that.

    Args:
      argument: the name under which the caller received the folder.
      path: the folder, which exists.
      doing: what a run does there, such as "training in".

    Raises:
      RankPoseError: if another run is doing it now.
    """
    handle = opened(os.path.realpath(path))
    try:
        locked = None if handle is None else take(handle)
        if locked is False:
            raise RankPoseError(
                f"{argument}: another run is {doing} {str(path)!r}; wait for it, stop it, or pass "
                f"another --{argument}"
            )
        if locked is None:
            # A run there is the user's to watch.
            logging.info("%s can't be locked: see that no second run writes there", path)
        yield
    finally:
        if handle is not None:
            os.close(handle)
