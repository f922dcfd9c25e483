"""Every command line that README, docs and flagfiles show is one that its command understands."""

import pathlib
import re
import shlex

import pytest

from tests.support.doors import given_flags

ROOT = pathlib.Path(__file__).parents[2]
_START = re.compile(r"^(?:[A-Z_]+=\S+ )?(?:rankpose|python -m rankpose_tf\.)\s?([a-z_]+) (.*)$")
# What stands for a value in a page, and one that fits.
_PLACES = {
    "$detector": "mtcnn",
    "$points": "pt2d",
    "--part=N": "--part=0",
    " [the row's flags]": "",
}


def shown_lines():
    """(page, command, arguments) of each line that is set apart, continuations joined."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "flags").glob("*.cfg")]
    for page in sorted(pages):
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".cfg":
            text = "\n".join("    " + line.removeprefix("# ") for line in text.splitlines())
        text = re.sub(r"\\\n\s*", "", text)
        for line in text.splitlines():
            found = _START.match(line.strip())
            if line.startswith("  ") and found and not line.strip().endswith("):"):
                yield page.name, *found.groups()


LINES = sorted(set(shown_lines()))


def test_the_pages_show_commands():
    assert len(LINES) > 50
    assert {"predict", "train", "evaluate", "export"} <= {command for _, command, _ in LINES}


@pytest.mark.parametrize(("page", "command", "arguments"), LINES)
def test_a_shown_command_is_understood(page, command, arguments, monkeypatch):
    monkeypatch.chdir(ROOT)
    for place, value in _PLACES.items():
        arguments = arguments.replace(place, value)
    # A run's own flagfile is not there, and has no flag of a line.
    words = [
        word
        for word in shlex.split(arguments, comments=True)
        if not word.startswith("--flagfile=runs/")
    ]
    given = given_flags(command, *words)
    assert given or not any(word.startswith("--") for word in words), page
