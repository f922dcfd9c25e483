"""Files that are whole or absent: written beside their place, then renamed onto it."""

import contextlib
import json
import os
import pathlib
import tempfile

from rankpose_tf.core.errors import RankPoseError


@contextlib.contextmanager
def replaced(path):
    """Yields a path to write to; what is written replaces `path` only if the block succeeds.

    The temporary name keeps the suffix of `path`, because savers choose a format by it, and
    starts with a dot, so that a listing of finished files never sees it.

    Args:
      path: the final path; its folder must exist.

    Yields:
      A `pathlib.Path` in the same folder, so that the rename is atomic.
    """
    path = pathlib.Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = pathlib.Path(name)
    try:
        yield beside
        # mkstemp makes the file private to its owner; a finished file is as open as any other.
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def new_file(argument, path):
    """The path of a file that is to be made; refused before the work where it can't be made after.

    Args:
      argument: the name under which the caller received it.
      path: where the file will be.

    Returns:
      `pathlib.Path`.

    Raises:
      RankPoseError: if it exists, or its folder doesn't.
    """
    path = pathlib.Path(path)
    if path.exists() or not path.parent.is_dir():
        reason = "exists already" if path.exists() else "lies in a folder that does not exist"
        raise RankPoseError(f"{argument}: {str(path)!r} {reason}; pass the path of a new file")
    return path


def write_text(path, text):
    """Writes `text` to `path`, whole or not at all."""
    with replaced(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path, content):
    """Writes `content` to `path` as indented JSON.

    Raises:
      ValueError: if a number is NaN or infinite, which JSON cannot hold.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
