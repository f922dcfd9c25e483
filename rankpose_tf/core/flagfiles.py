"""The package's flagfiles, which travel with it, by the paths that the documents give them."""

import os
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "flags"


def find(path):
    """The flagfile that a path names.

    Args:
      path: of a file, or `flags/NAME.cfg` of the package where the working folder has no such
        file; `*` in NAME is kept.

    Returns:
      `path`, or the path of the package's file as a string. Nothing is read.
    """
    given = pathlib.Path(os.path.expanduser(path))
    if given.parent != pathlib.Path("flags") or any(pathlib.Path().glob(str(given))):
        return str(given)
    return str(FOLDER / given.name)


def in_arguments(arguments):
    """A command line whose --flagfile names a file that is there, if the package has it.

    Args:
      arguments: list of words.

    Returns:
      List of words.
    """
    found, words = [], iter(arguments)
    for word in words:
        name, equals, path = word.partition("=")
        if word == "--":
            return [*found, word, *words]
        if name in ("--flagfile", "-flagfile") and (equals or (path := next(words, ""))):
            word = f"{name}={find(path)}"
        found.append(word)
    return found
