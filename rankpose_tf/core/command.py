"""How every command line of the package starts and how it fails."""

import sys

from absl import app

from rankpose_tf.core.errors import RankPoseError


def run(main, commands=()):
    """Runs `main(argv)` under absl; a RankPoseError becomes one line and exit code 1.

    Args:
      main: function of what is left of the command line without flags: the program, and where
        there are `commands` one of them.
      commands: words of which the command line has to name one.
    """

    def guarded(argv):
        try:
            _check(argv[1:], commands)
            return main(argv)
        except RankPoseError as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(1)
        except KeyboardInterrupt:
            sys.stderr.write("stopped; the same command goes on from here\n")
            sys.exit(130)

    app.run(guarded)


def _check(arguments, commands):
    """Refuses an unknown command, and everything else that is no flag."""
    if commands and (not arguments or arguments[0] not in commands):
        received = repr(arguments[0]) if arguments else "none"
        raise RankPoseError(f"command: expected one of {', '.join(commands)}, received {received}")
    stray = arguments[1 if commands else 0 :]
    if stray:
        raise RankPoseError(
            f"unexpected argument {stray[0]!r}: every option is a flag, as in --data=PATH; "
            "--helpshort lists them"
        )
