"""What is written beside its place, and what killed processes have left there.

A hidden file or folder has a mark in its name, and as long as its process lives a lock: one that
is not locked was left by a process that was killed, and is swept away. Where there are no locks,
nothing is swept.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile

from rankpose_tf.core import locks

_MARK = "-rankpose-"
_NAME = re.compile(rf"\..*{_MARK}[a-z0-9_]{{8}}(\.[^.]*)?", re.DOTALL)
# Of a name's characters, so that a hidden name is never too long where the final one is not.
_STEM = 40
# In a folder whose parts are being moved: [part, place] of each, the place relative to the folder
# around; the move of the last one makes it a whole.
PLACES = "places.json"

_swept = set()


@contextlib.contextmanager
def beside(path, folder=False):
    """Yields a new hidden path beside `path`; what is still there at the end is removed.

    It keeps the suffix of `path`, because savers choose a format by it. What killed processes have
    left in the same folder is swept first, once a process.

    Args:
      path: the final path; its folder must exist.
      folder: make a folder instead of a file.

    Yields:
      `pathlib.Path` of an empty file or folder.
    """
    path = pathlib.Path(path)
    if (around := os.path.abspath(path.parent)) not in _swept:
        _swept.add(around)
        sweep(around)
    hidden, handle = _new(path, folder)
    try:
        yield hidden
    finally:
        _remove(hidden)
        if handle is not None:
            os.close(handle)


def _new(path, folder):
    """A new hidden path, and the descriptor that holds its lock; None where there are no locks."""
    names = {"prefix": f".{path.stem[:_STEM]}{_MARK}", "suffix": path.suffix, "dir": path.parent}
    while True:
        name = tempfile.mkdtemp(**names) if folder else _new_file(names)
        handle = locks.opened(name)
        locked = None if handle is None else locks.take(handle)
        # A sweep may have come between.
        if locked is not False and os.path.exists(name):
            if handle is not None and locked is None:
                os.close(handle)
            return pathlib.Path(name), handle if locked else None
        if handle is not None:
            os.close(handle)


def _new_file(names):
    handle, name = tempfile.mkstemp(**names)
    os.close(handle)
    return name


def sweep(folder):
    """Removes from a folder what killed processes have left; what living ones write there stays."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in filter(_NAME.fullmatch, names):
        handle = locks.opened(os.path.join(folder, name))
        if handle is None:
            continue
        try:
            if locks.take(handle):
                _remove(pathlib.Path(folder, name))
        finally:
            os.close(handle)


def _remove(hidden):
    """Removes a hidden file, or a folder with what was moved out of it by halves."""
    if hidden.is_dir():
        _take_back(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
    else:
        hidden.unlink(missing_ok=True)


def _take_back(stage):
    """Removes what was moved out of a folder, unless its last part was moved too."""
    try:
        moves = json.loads((stage / PLACES).read_text(encoding="utf-8"))
        if not (stage / moves[-1][0]).exists():
            return
        moved = [place for part, place in moves if not (stage / part).exists()]
    except (OSError, ValueError, TypeError, LookupError):
        return
    around = stage.parent.resolve()
    for place in moved:
        place = around / place
        # A list that was tampered with takes nothing from elsewhere.
        if around not in place.resolve().parents:
            continue
        _remove_part(place)
        for parent in place.parents:
            if parent == around:
                break
            with contextlib.suppress(OSError):
                parent.rmdir()  # Empty folders only.


def _remove_part(place):
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
