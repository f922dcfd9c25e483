"""How every command line of the package starts and how it fails."""

import sys

from absl import app

from rankpose_tf.errors import RankPoseError


def run(main):
    """Runs `main(argv)` under absl; a RankPoseError becomes one line and exit code 1."""

    def guarded(argv):
        try:
            if len(argv) > 1:
                raise RankPoseError(
                    f"unexpected argument {argv[1]!r}: every option is a flag, as in --data=PATH; "
                    "--helpshort lists them"
                )
            return main(argv)
        except RankPoseError as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(1)
        except KeyboardInterrupt:
            sys.stderr.write("stopped; the same command goes on from here\n")
            sys.exit(130)

    app.run(guarded)
