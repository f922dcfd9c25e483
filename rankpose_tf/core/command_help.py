"""What --help prints: the command's docstring, and its flags in groups, those needed first."""

import pathlib
import re
import shutil
import textwrap

from absl import flags

_ASKING = ("--help", "-help", "-h", "-?", "--helpshort")
_FOR_ALL = (
    "Every command: --flagfile=FILE reads flags from a file, one a line; --verbosity=0 shows what "
    "libraries log; --helpfull shows the flags of libraries too."
)
_INDENT = 28


def is_asked(arguments):
    """Whether the command line asks for help."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(argument in _ASKING for argument in ours)


def program(main):
    """How a user calls the command whose function is `main`, such as "rankpose predict"."""
    spec = main.__globals__.get("__spec__")
    name = spec.name if spec else pathlib.Path(main.__globals__.get("__file__", "command")).stem
    return f"rankpose {name.rpartition('.')[2]}"


def text(main, commands, needed, groups, positional):
    """The whole help; arguments as for `command.run`."""
    # What follows -- comes after every flag.
    last = positional if positional.startswith("[--") else ""
    usage = [program(main), "|".join(commands), "" if last else positional]
    usage += [f"--{name}={value}" for name, value in needed.items()]
    parts = [
        "usage: " + " ".join(part for part in [*usage, "[flags]", last] if part),
        (main.__globals__.get("__doc__") or "").strip(),
    ]
    shown = {"needed": [flags.FLAGS[name] for name in needed]}
    for title, holders in groups.items():
        shown[title] = [flags.FLAGS[holder.name] for holder in holders if holder.name not in needed]
    named = {flag.name for group in shown.values() for flag in group}
    rest = [flag for flag in _defined_by(main) if flag.name not in named]
    shown["more" if named else "flags"] = rest
    for title, group in shown.items():
        if group:
            lines = [_line(flag, needed.get(flag.name)) for flag in group]
            parts.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join([*parts, _wrapped(_FOR_ALL)])


def _defined_by(main):
    """The flags of the command's own module, in the order of their definition."""
    names = main.__globals__
    holders = [value for value in names.values() if isinstance(value, flags.FlagHolder)]
    order = {holder.name: index for index, holder in enumerate(holders)}
    own = flags.FLAGS.flags_by_module_dict()
    # A command that runs is filed under the name of its program.
    modules = (names["__name__"], names.get("__file__"))
    found = [flag for module in modules for flag in own.get(module, ())]
    return sorted(found, key=lambda flag: order.get(flag.name, len(order)))


def _line(flag, takes):
    name = f"  --{_taking(flag, takes)}"
    first = name.ljust(_INDENT) if len(name) < _INDENT - 1 else f"{name}\n{' ' * _INDENT}"
    # absl writes values before what a flag is, and behind it that it may be repeated.
    what = re.sub(r"^<[^>]*>: |;\s+repeat this option.*$", "", flag.help)
    return first + _wrapped(f"{what}{_default(flag.default_unparsed)}", _INDENT)


def _taking(flag, takes):
    """Name and what comes behind it."""
    if isinstance(flag.parser, flags.BooleanParser):
        return f"[no]{flag.name}"
    if values := getattr(flag.parser, "enum_values", None):
        takes = "|".join(value for value in values if value)
    takes = takes or {"int": "N", "float": "X"}.get(flag.flag_type(), "...")
    return f"{flag.name}[={takes}]" if flag.boolean else f"{flag.name}={takes}"


def _default(value):
    if value in (None, "", False, []):
        return ""
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    return f" [{'on' if value is True else value}]"


def _wrapped(content, indent=0):
    """The text in lines as wide as the terminal, all but the first indented."""
    width = min(100, max(60, shutil.get_terminal_size().columns)) - indent
    return f"\n{' ' * indent}".join(textwrap.wrap(content, width))
