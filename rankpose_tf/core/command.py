"""How every command line of the package starts, what its help shows, and how it fails."""

import os
import sys

from absl import app, flags

from rankpose_tf.core import command_help, disk, flagfiles, quiet
from rankpose_tf.core.errors import RankPoseError

# A flag that is defined by a function below is its caller's.
flags.disclaim_key_flags()


def run(main, commands=(), needed=None, groups=None, positional=""):
    """Runs `main(argv)` under absl; a RankPoseError, or a full disk, is one line and exit code 1.

    Logs of libraries are kept from the terminal unless --verbosity is given. Help is shown before
    anything is parsed, with exit code 0.

    Args:
      main: function of what is left of the command line without flags: the program, where there
        are `commands` one of them, and what `positional` allows.
      commands: words of which the command line has to name one.
      needed: dict of the names of flags without which the command can't run -> what each takes,
        such as "FOLDER". Those that are missing are refused together.
      groups: dict of title -> holders of flags, in the order of the help; flags of the command's
        module that are in none come last.
      positional: what may be named without a flag, such as "PICTURE ..."; nothing by default.
    """
    needed = needed or {}
    if command_help.is_asked(sys.argv[1:]):
        try:
            print(command_help.text(main, commands, needed, groups or {}, positional), flush=True)
        except BrokenPipeError:
            _end_unread()
        return
    _take_any_name()
    # Flags may follow what is positional.
    flags.FLAGS.set_gnu_getopt(True)
    is_quiet = []

    def parse(argv):
        arguments = _parse(argv, main)
        _expand_home_folders()
        is_quiet[:] = [True] * flags.FLAGS["verbosity"].using_default_value
        if is_quiet:
            flags.FLAGS.verbosity = -1  # Warnings and errors.
        return arguments

    def guarded(argv):
        try:
            with quiet.libraries(bool(is_quiet)):
                _check(argv[1:], commands, positional)
                require(needed)
                with disk.told():
                    return main(argv)
        except RankPoseError as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(1)
        except BrokenPipeError:
            _end_unread()
        except KeyboardInterrupt:
            sys.stderr.write("stopped; the same command goes on from here\n")
            sys.exit(130)

    app.run(guarded, flags_parser=parse)


def _take_any_name():
    """Names of files are bytes: those that are no UTF-8 are read and printed as they are."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")


def _end_unread():
    """Whoever read the output, such as head, has enough; nothing more is flushed at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)


def define_enum_or_bare(name, default, values, bare, help):
    """Defines a flag of several values that may be given without any, as in --draw.

    Args:
      name, default, values, help: as for `flags.DEFINE_enum`.
      bare: the value where the flag has none.

    Returns:
      The flag's holder.
    """
    flag = _EnumOrBare(name, default, help, values)
    flag.bare = bare
    return flags.DEFINE_flag(flag)


class _EnumOrBare(flags.EnumFlag):
    """For absl a boolean one, which needs no value."""

    bare = None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.boolean = True

    def _parse(self, argument):
        return super()._parse(self.bare if argument == "true" else argument)


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


def _parse(argv, main):
    """The arguments that are no flags, behind the program's name."""
    try:
        return flags.FLAGS([argv[0], *flagfiles.in_arguments(argv[1:])])
    except flags.Error as error:
        reason = " ".join(str(error).split())
        sys.stderr.write(f"error: {reason}; {command_help.program(main)} --help lists the flags\n")
        sys.exit(1)


def _expand_home_folders():
    """`~/data` as every command's user means it: no shell expands it behind `--data=`."""
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        if isinstance(flag.value, str):
            flag.value = os.path.expanduser(flag.value)
        elif isinstance(flag.value, list) and all(isinstance(part, str) for part in flag.value):
            flag.value = [os.path.expanduser(part) for part in flag.value]


def _check(arguments, commands, positional):
    """Refuses an unknown command, and everything else that is no flag."""
    if commands and (not arguments or arguments[0] not in commands):
        received = repr(arguments[0]) if arguments else "none"
        raise RankPoseError(f"command: expected one of {', '.join(commands)}, received {received}")
    stray = arguments[1 if commands else 0 :]
    if stray and not positional:
        raise RankPoseError(
            f"unexpected argument {stray[0]!r}: every option is a flag, as in --data=PATH; "
            "--help lists them"
        )
