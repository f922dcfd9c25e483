"""Commands in the process of the tests: what a user's command line does, without its start.

A process of its own spends some four seconds on importing TensorFlow. That `python -m` works, and
what signals do, stays with real processes; flags, output, messages and exit codes are tested here.
"""

import contextlib
import io
import os
import runpy
import subprocess
import sys
import traceback
from unittest import mock

from absl import app, flags, logging


def run_door(door, *arguments, cwd=None, stdin=""):
    """Runs `python -m rankpose_tf.DOOR ARGUMENTS` in this process.

    Every run has a fresh module and fresh flags, so that doors may define flags of one name.

    Args:
      door: name of the module in rankpose_tf.
      *arguments: of the command line.
      cwd: folder to run in; None is the present one.
      stdin: text of the standard input.

    Returns:
      subprocess.CompletedProcess of returncode, stdout and stderr; log lines are in stderr.
    """
    out, err = io.StringIO(), io.StringIO()
    line = [door, *map(str, arguments)]
    with (
        contextlib.chdir(cwd or os.getcwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        mock.patch.object(sys, "argv", line),
        mock.patch.object(app, "run", _run),
        _logs_to(err),
    ):
        code = _exit_code(door, err)
    return subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue())


def run_line(line):
    """`run_door` of a line that starts a process of its own: Python, -m, module, arguments."""
    python, option, module, *arguments = line
    assert (python, option) == (sys.executable, "-m")
    return run_door(module.removeprefix("rankpose_tf."), *arguments)


def given_flags(door, *arguments):
    """What a command line gives a door's flags.

    Returns:
      Dict of name -> (value, default) of the flags that were given.
    """
    given = {}

    def look(main, flags_parser):
        flags_parser(sys.argv)
        own = flags.FLAGS.flags_by_module_dict()[sys.argv[0]]
        given.update((flag.name, (flag.value, flag.default)) for flag in own if flag.present)

    with mock.patch.object(sys, "argv", [door, *arguments]), mock.patch.object(app, "run", look):
        code = _exit_code(door, sys.stderr)
    assert code == 0
    return given


def _run(main, flags_parser):
    """`app.run` without what it does once a process: names, handlers of faults and logs."""
    arguments = flags_parser(sys.argv)
    logging.set_verbosity(logging.INFO)
    sys.exit(main(arguments))


def _exit_code(door, err):
    """Runs a door as the main module; what the process would end with."""
    try:
        # alter_sys: absl files flags under sys.argv[0], which becomes the file of the module.
        runpy.run_module(f"rankpose_tf.{door}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            err.write(end.code)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc(file=err)
        return 1
    finally:
        _forget_flags(door)
    return 0


def _forget_flags(door):
    """Takes a door's flags out of absl's, and resets the others to their defaults."""
    for path, defined in flags.FLAGS.flags_by_module_dict().items():
        if path.endswith(os.path.join("rankpose_tf", f"{door}.py")):
            for flag in list(defined):
                delattr(flags.FLAGS, flag.name)
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()


@contextlib.contextmanager
def _logs_to(stream):
    """absl's log lines go to a stream, as they go to a command's stderr."""
    handler = logging.get_absl_handler()
    root = logging.logging.root
    level, before = root.level, handler.python_handler.setStream(stream)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.python_handler.setStream(before)
