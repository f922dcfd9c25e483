"""What tests of several files look at is made once a run, whichever worker asks first."""

import fcntl
import os
import shutil


def folder(tmp_path_factory, name, write):
    """A folder that is filled once a run, and only read.

    Args:
      tmp_path_factory: pytest's.
      name: of the folder; each has its own.
      write: fills the folder that it is given; what it writes names no path.

    Returns:
      Path of the folder.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Of all workers of this run.
        root = root.parent
    place = root / name
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            begun = root / f"{name}.begun"
            # Of a worker that failed.
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            write(begun)
            begun.rename(place)
    return place
