"""A command that was started for another does not outlive it."""

import subprocess
import sys

import pytest

CODE = """
import os, sys, threading, time
from rankpose_tf.studies import child
if os.fork() == 0:
    threading.Thread(target=child._end_with, args=(os.getppid(),), daemon=True).start()
    print("started", flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an orphan has no other parent there")
def test_a_child_ends_when_its_parent_is_killed():
    line = [sys.executable, "-c", CODE]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"started\n"
        process.kill()
        # Both hold the pipe: it ends with the second of them.
        assert process.stdout.read() == b""


def test_it_is_the_command_that_it_runs():
    line = [sys.executable, "-m", "rankpose_tf.studies.child", "predict", "--help"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0 and "--draw_dir" in done.stdout
