"""Several files that get to their places together: a folder holds all of them or none."""

import contextlib
import os
import pathlib

from rankpose_tf.core import files, leftovers


@contextlib.contextmanager
def staged(folder):
    """Yields a hidden folder in `folder`, removed at the end with all that is still in it.

    Args:
      folder: made if absent, and removed again if nothing has been put there.
    """
    folder = pathlib.Path(folder)
    made = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with leftovers.beside(folder / "staged", folder=True) as stage:
            yield stage
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()  # Empty folders only.


def publish(stage, places):
    """Moves parts of a hidden folder to their places.

    Until the last part is there, a failure takes back the others, and so does the next run after
    one that was killed.

    Args:
      stage: from `staged`.
      places: dict of part -> its place in the folder around, both paths. No place is taken, but
        the last one may be: its file is replaced.
    """
    moves = [
        (os.path.relpath(part, stage), os.path.relpath(place, stage.parent))
        for part, place in places.items()
    ]
    files.write_json(stage / leftovers.PLACES, moves)
    for part, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, place)


@contextlib.contextmanager
def filled(folder, last):
    """Yields a hidden folder; what is written there is moved to `folder` if the block succeeds.

    Args:
      folder: as for `staged`.
      last: name of the file without which `folder` is unfinished.
    """
    folder = pathlib.Path(folder)
    with staged(folder) as stage:
        yield stage
        parts = sorted(stage.iterdir(), key=lambda part: (part.name == last, part.name))
        publish(stage, {part: folder / part.name for part in parts})
