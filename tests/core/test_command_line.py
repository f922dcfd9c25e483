"""What all commands have alike: one program, help without TensorFlow, quiet libraries."""

import subprocess
import sys

import pytest

from rankpose_tf import __main__ as program
from tests.support.doors import run_door


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def test_no_help_imports_tensorflow_or_keras():
    """One process: what one help imports, none of the others has taken away."""
    code = (
        "import sys\n"
        "from absl import flags\n"
        "from rankpose_tf import __main__ as program\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv = ['rankpose', name, '--help']\n"
        "    program.main()\n"
        "    for flag in list(flags.FLAGS):\n"
        "        module = flags.FLAGS.find_module_defining_flag(flag)\n"
        "        if 'absl' not in module: delattr(flags.FLAGS, flag)\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = python(code, *program.COMMANDS)
    assert done.returncode == 0, done.stderr
    for name in program.COMMANDS:
        assert f"usage: rankpose {name} " in done.stdout


def test_help_ends_well_and_shows_needed_flags_first():
    done = run_door("evaluate", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    needed, others = done.stdout.index("needed:\n  --data=FOLDER"), done.stdout.index("protocol:")
    assert needed < others


@pytest.mark.parametrize("start", [["-m", "rankpose_tf"], ["-c", "CONSOLE"]])
def test_the_program_runs_the_command_that_is_named(start):
    code = "import sys; from rankpose_tf.__main__ import main; sys.exit(main())"
    line = [sys.executable, *[code if part == "CONSOLE" else part for part in start]]
    done = subprocess.run([*line, "study", "fly"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: command: expected one of order, conditions")
    done = subprocess.run([*line, "pedict"], capture_output=True, text=True)
    assert done.returncode == 1 and "did you mean predict?" in done.stderr
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name in program.COMMANDS)


def test_every_door_is_a_command(request):
    doors = {path.stem for path in (request.config.rootpath / "rankpose_tf").glob("[a-z]*.py")}
    # `beam` is a name to import, not a command.
    assert doors - {"beam"} == set(program.COMMANDS)


def test_missing_flags_are_named_at_once():
    done = run_door("ablate", "--data=prepared")
    assert done.returncode == 1
    assert done.stderr == "error: eval_data, workdir: pass --eval_data=FOLDER --workdir=FOLDER\n"


def test_an_unknown_flag_is_one_line_with_the_one_that_was_meant():
    done = run_door("predict", "face.jpg", "--otu=poses.csv")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "Did you mean: out" in done.stderr


CHATTER = (
    "import os, sys, warnings\n"
    "from absl import logging\n"
    "from rankpose_tf.core import command\n"
    "def main(argv):\n"
    "    os.write(2, b'from C++\\n')\n"
    "    warnings.warn('of a library')\n"
    "    logging.info('of interest to nobody')\n"
    "    logging.warning('for the user')\n"
    "    sys.stderr.write('a bar\\n')\n"
    "    {end}\n"
    "command.run(main)\n"
)


def test_libraries_are_silent_and_our_own_messages_plain():
    done = python(CHATTER.format(end="pass"))
    assert (done.returncode, done.stderr) == (0, "warning: for the user\na bar\n")


def test_verbosity_brings_logs_back():
    done = python(CHATTER.format(end="pass"), "--verbosity=0")
    assert all(said in done.stderr for said in ("from C++", "of a library", "of interest"))


def test_a_broken_import_shows_its_reason_and_what_was_logged():
    done = python(CHATTER.format(end="raise ImportError('libc.so.9: no such file')"))
    assert done.returncode != 0
    assert "from C++" in done.stderr and "libc.so.9: no such file" in done.stderr


def test_a_users_mistake_stays_one_line():
    mistake = "from rankpose_tf.core.errors import RankPoseError; raise RankPoseError('data: no')"
    done = python(CHATTER.format(end=mistake))
    assert done.stderr == "warning: for the user\na bar\nerror: data: no\n"
