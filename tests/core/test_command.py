"""How command lines fail."""

import os
import subprocess
import sys

import pytest

from tests.support.doors import run_door


def run(body, *arguments, commands=(), before=""):
    program = (
        f"{before}"
        "from rankpose_tf.core import command\n"
        "from rankpose_tf.core.errors import RankPoseError\n"
        f"def main(argv):\n    {body}\n"
        f"command.run(main, commands={commands!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )


def test_a_users_mistake_is_one_line_and_exit_code_1():
    done = run("raise RankPoseError('data: pass a folder')")
    assert (done.returncode, done.stderr) == (1, "error: data: pass a folder\n")


def test_a_defect_keeps_its_traceback():
    done = run("raise KeyError('x')")
    assert done.returncode != 0 and "Traceback" in done.stderr


def test_names_that_are_no_utf8_are_read_and_printed_as_they_are():
    """As a UTF-8 locale has it; in the locale C Python itself does so."""
    program = (
        "import sys; from rankpose_tf.core import command\n"
        "command.run(lambda argv: print(*argv[1:], *sys.stdin, end=''), positional='PICTURE')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, b"caf\xe9.jpg"],
        input=b"na\xefve.jpg",
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
    )
    assert (done.stdout, done.returncode) == (b"caf\xe9.jpg na\xefve.jpg", 0), done.stderr


def test_a_stray_argument_is_refused():
    done = run("pass", "folder")
    assert done.returncode == 1 and "unexpected argument 'folder'" in done.stderr


def test_a_command_is_told_to_main():
    done = run("print(argv[1])", "serving", commands=("serving", "predict"))
    assert (done.returncode, done.stdout) == (0, "serving\n")


@pytest.mark.parametrize("arguments, received", [((), "none"), (("fly",), "'fly'")])
def test_no_command_or_an_unknown_one_is_refused_with_the_known_ones(arguments, received):
    done = run("pass", *arguments, commands=("serving", "predict"))
    expected = f"error: command: expected one of serving, predict, received {received}\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_stray_argument_after_a_command_is_refused():
    done = run("pass", "serving", "folder", commands=("serving",))
    assert done.returncode == 1 and "unexpected argument 'folder'" in done.stderr


def test_a_home_folder_is_expanded_in_every_commands_flags(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    body = (
        "from absl import flags\n    print(flags.FLAGS.data, *flags.FLAGS.more, flags.FLAGS.word)"
    )
    define = (
        "from absl import flags\n"
        "flags.DEFINE_string('data', '', '')\n"
        "flags.DEFINE_list('more', [], '')\n"
        "flags.DEFINE_string('word', '', '')\n"
    )
    done = run(body, "--data=~/own", "--more=~/a,b", "--word=a~b", before=define)
    assert done.stdout.split() == [f"{tmp_path}/own", f"{tmp_path}/a", "b", "a~b"]


def test_what_follows_two_dashes_stands_last_in_the_usage():
    usage = run_door("score", "--help").stdout.splitlines()[0]
    assert usage == ("usage: rankpose score --input=PATH --out=FOLDER [flags] [-- OPTIONS OF BEAM]")


def test_help_that_nobody_reads_to_its_end_is_no_traceback():
    """As in `rankpose predict --help | head`."""
    program = "from rankpose_tf.core import command\ncommand.run(lambda argv: None)"
    started = subprocess.Popen(
        [sys.executable, "-c", program, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started.stdout.close()
    assert started.stderr.read() == b""
    started.stderr.close()
    assert started.wait() == 141


def test_importing_the_package_does_not_import_tensorflow():
    code = "import sys, rankpose_tf; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
