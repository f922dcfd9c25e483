"""Files that are whole or absent: written beside their place, then renamed onto it. And walks."""

import contextlib
import json
import os
import pathlib
import threading

from absl import logging

from rankpose_tf.core import leftovers
from rankpose_tf.core.errors import RankPoseError

# Bytes of a file's name; no disk has longer ones.
_LONGEST_NAME = 255

_asking = threading.Lock()


@contextlib.contextmanager
def replaced(path):
    """Yields a path to write to; what is written replaces `path` only if the block succeeds.

    What a killed process has left beside is swept by the next one that writes there: leftovers.py.

    A link stays one: the file that it leads to is replaced. A replaced file permits what it did.

    Args:
      path: the final path; its folder must exist.

    Yields:
      A `pathlib.Path` in the file's folder, so that the rename is atomic; with its suffix,
      and hidden, so that a listing of finished files never sees it.
    """
    final = pathlib.Path(path)
    if final.is_symlink():
        final = final.resolve()
    with leftovers.beside(final) as beside:
        try:
            yield beside
        except OSError as error:
            # It is this file that can't be written, whatever it is called until then.
            if error.filename is not None and os.fspath(error.filename) == str(beside):
                error.filename = str(final)
            raise
        # It is private to its owner until here; a new file is as open as any other.
        os.chmod(beside, final.stat().st_mode & 0o777 if final.exists() else 0o666 & ~mask())
        os.replace(beside, final)


def mask():
    """The process's umask: what its new files and folders don't permit.

    It can only be read by setting it, for all threads: to a private one, and by one at a time.
    """
    with _asking:
        own = os.umask(0o077)
        os.umask(own)
    return own


def new_file(argument, path, suffixes=(), resumed=False, advice="pass the path of a new file"):
    """The path of a file that is to be made; refused before the work where it can't be made after.

    Args:
      argument: the name under which the caller received it.
      path: where the file will be.
      suffixes: the endings that it may have; any by default.
      resumed: whether it may be there already.
      advice: what to do where it is there already.

    Returns:
      `pathlib.Path`.

    Raises:
      RankPoseError: if it exists, its folder doesn't or can't be written to, or its name ends
        otherwise.
    """
    file = pathlib.Path(path)
    _require_short_names(argument, file)
    if suffixes and file.suffix not in suffixes:
        raise RankPoseError(
            f"{argument}: expected a name that ends in {' or '.join(suffixes)}, received "
            f"{str(file)!r}"
        )
    if not file.parent.is_dir():
        raise RankPoseError(
            f"{argument}: {str(file)!r} lies in a folder that does not exist; make it"
        )
    if file.exists() and not resumed:
        raise RankPoseError(f"{argument}: {str(file)!r} exists already; {advice}")
    # Some writers would replace the link, and others make the file that it names.
    _require_no_broken_link(argument, file, advice)
    if not os.access(file.parent, os.W_OK):
        raise RankPoseError(
            f"{argument}: can't write to {str(file.parent)!r}; pass another folder with "
            f"--{argument}"
        )
    return file


def new_folder(argument, path, resumed=False, own="", advice="pass a new folder"):
    """The path of a folder that is to be filled; refused before the work where it can't be.

    Args:
      argument: the name under which the caller received it.
      path: the folder; absent or empty. It is not made here.
      resumed: whether it may hold something, because that is known to be gone on with.
      own: what it would have to hold to be gone on with, for the message.
      advice: what to do where it holds something else.

    Returns:
      `pathlib.Path`.

    Raises:
      RankPoseError: if something is in it, or no folder can be made or written to there.
    """
    folder = pathlib.Path(path)
    _require_short_names(argument, folder)
    places = (folder, *folder.absolute().parents)
    standing = next(place for place in places if os.path.lexists(place))
    _require_no_broken_link(argument, standing, advice)
    if not standing.is_dir():
        raise RankPoseError(f"{argument}: {str(standing)!r} is a file; {advice}")
    if standing == folder:
        leftovers.sweep(folder)
    if standing == folder and not resumed and any(folder.iterdir()):
        reason = f"holds no {own}" if own else "nothing is overwritten"
        raise RankPoseError(f"{argument}: {str(folder)!r} is not empty and {reason}; {advice}")
    if not os.access(standing, os.W_OK):
        raise RankPoseError(
            f"{argument}: can't write to {str(standing)!r}; pass another folder with --{argument}"
        )
    return folder


def _require_short_names(argument, path):
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise RankPoseError(
            f"{argument}: a name in {str(path)!r} has over {_LONGEST_NAME} bytes, which no disk "
            f"takes; pass a shorter one with --{argument}"
        )


def _require_no_broken_link(argument, path, advice):
    if os.path.lexists(path) and not path.exists():
        raise RankPoseError(f"{argument}: {str(path)!r} is a link to nothing; {advice}")


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


def walk(top):
    """All files in and below a folder, and in folders that are linked there.

    What is in linked folders comes last, and no folder twice: a circle of links ends. A folder
    that can't be listed is told in a warning.

    Args:
      top: the folder.

    Yields:
      Names relative to it, with `/`; of links to nothing and of devices too.
    """
    waiting, seen = [str(top)], set()
    while waiting:
        for folder, folders, names in os.walk(waiting.pop(0), onerror=_tell_unlisted):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            paths = (os.path.join(folder, name) for name in sorted(folders))
            waiting += [path for path in paths if os.path.islink(path)]
            below = pathlib.PurePath(os.path.relpath(folder, top)).as_posix()
            yield from (name if below == "." else f"{below}/{name}" for name in names)


def _tell_unlisted(error):
    logging.warning("%s: can't be listed, so nothing in it is read: %s", error.filename, error)
