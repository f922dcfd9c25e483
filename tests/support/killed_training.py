"""rankpose_tf.train that is killed while it writes a checkpoint, in a process of its own.

    python -m tests.support.killed_training SAVES FLAGS

SIGKILL comes from within, after SAVES checkpoints, when the next is written and not yet renamed: it
does not depend on how fast the machine is. Towers have one block, as in the tests' own process.
"""

import os
import runpy
import signal
import sys

from rankpose_tf.core import files
from rankpose_tf.training import callbacks
from tests.support.one_block import one_block_towers


def main(saves):
    save, done = callbacks.SaveLast._save, []

    def save_or_die(callback, *state):
        if len(done) == saves:
            with files.replaced(callback.path) as beside:
                callback.model.save(beside)
                os.kill(os.getpid(), signal.SIGKILL)
        done.append(save(callback, *state))

    callbacks.SaveLast._save = save_or_die
    with one_block_towers():
        runpy.run_module("rankpose_tf.train", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv.pop(1)))
