"""How every command line of the package starts and how it fails."""

import sys
import textwrap

from absl import app, flags

from rankpose_tf.core.errors import RankPoseError

_ASKING = ("--help", "-help", "-h", "-?", "--helpshort")


def run(main, commands=(), needed=None, groups=None):
    """Runs `main(argv)` under absl; a RankPoseError becomes one line and exit code 1.

    Args:
      main: function of what is left of the command line without flags: the program, and where
        there are `commands` one of them.
      commands: words of which the command line has to name one.
      needed: dict of the names of flags without which the command can't run -> what each takes,
        such as "FOLDER".
      groups: dict of title -> holders of flags, in the order of the help; without, absl's help.
    """
    if groups and set(_ASKING) & set(sys.argv[1:]):
        print(_help(main, needed or {}, groups))
        return

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


def require(needed):
    """Refuses flags that are missing, all of them at once.

    Args:
      needed: dict of the names of flags -> what each takes, such as "FOLDER".

    Raises:
      RankPoseError: if one has no value.
    """
    missing = [name for name in needed if not flags.FLAGS[name].value]
    if missing:
        given = " ".join(f"--{name}={needed[name]}" for name in missing)
        raise RankPoseError(f"{', '.join(missing)}: pass {given}")


def _help(main, needed, groups):
    """What --help prints: the command's docstring, and its flags, those needed first."""
    parts = [(main.__globals__.get("__doc__") or "").strip()]
    shown = {"Needed": list(needed)} | {
        title: [holder.name for holder in holders if holder.name not in needed]
        for title, holders in groups.items()
    }
    for title, names in shown.items():
        parts += ["", f"{title}:", *(_line(flags.FLAGS[name]) for name in names)]
    return "\n".join(parts)


def _line(flag):
    default = "" if flag.default in (None, "") else f" (default: {flag.default})"
    indent = " " * 28
    first = f"  --{flag.name} ".ljust(28)
    return textwrap.fill(
        f"{flag.help}{default}", 100, initial_indent=first, subsequent_indent=indent
    )


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
