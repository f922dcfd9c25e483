"""Runs a command of the package that ends with the process which started it.

    python -m rankpose_tf.studies.child train --flagfile=...

A process that is killed can end nothing: its child would go on, and hold the folder that the next
run needs.
"""

import os
import runpy
import sys
import threading
import time

_SECONDS_BETWEEN_LOOKS = 0.2


def main():
    """Runs the command that the first argument names."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    del sys.argv[0]
    runpy.run_module(f"rankpose_tf.{sys.argv[0]}", run_name="__main__", alter_sys=True)


def _end_with(parent):
    # An orphan gets another parent.
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


if __name__ == "__main__":
    main()
