import os
import subprocess
import sys

import pytest

from rankpose_tf.core import locks
from rankpose_tf.core.errors import RankPoseError

fcntl = pytest.importorskip("fcntl", reason="no file locks on this system")


def test_a_folder_is_kept_from_a_second_run_and_free_after(tmp_path):
    with locks.folder("workdir", tmp_path, "training in"):
        with pytest.raises(RankPoseError, match="workdir: another run is training in .*; wait"):
            with locks.folder("workdir", tmp_path, "training in"):
                pass
    with locks.folder("workdir", tmp_path, "training in"):
        pass


def test_the_lock_of_a_dead_process_is_gone(tmp_path):
    program = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDONLY)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(RankPoseError, match="another run"):
            with locks.folder("out", tmp_path, "writing to"):
                pass
        holder.kill()
    with locks.folder("out", tmp_path, "writing to"):
        pass


def test_a_disk_without_locks_refuses_nobody(tmp_path, monkeypatch):
    def none_here(*arguments):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", none_here)
    with locks.folder("out", tmp_path, "writing to"), locks.folder("out", tmp_path, "writing to"):
        pass
    assert locks.opened(os.path.join(tmp_path, "absent")) is None
