"""A disk that is full, read-only or forbidden is one sentence, from whichever library."""

import errno
import subprocess
import sys

import pytest

from rankpose_tf.core import command, disk


def wrapped(error):
    try:
        try:
            raise error
        except Exception as inner:
            raise ValueError("the writer failed") from inner
    except ValueError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x", "a/b.csv"), "'a/b.csv': no space left on device; make room"),
        (OSError(errno.EROFS, "x", b"a"), "'a': read-only file system; pass a place"),
        (OSError(errno.ENAMETOOLONG, "x", "a"), "'a': file name too long; pass a shorter name"),
        (PermissionError(errno.EACCES, "x"), "the disk: permission denied; pass a place"),
        # As h5py and TensorFlow say it.
        (OSError("Can't write data (errno = 28, 'No space left on device')"), "no space left"),
        (RuntimeError("a/b.tmp; No space left on device"), "the disk: no space left on device"),
        (wrapped(OSError(errno.ENOSPC, "x", "c")), "'c': no space left on device"),
    ],
)
def test_what_a_disk_refuses_is_told(error, told):
    assert told in disk.sentence(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        FileNotFoundError(errno.ENOENT, "x", "a"),
        OSError("damaged"),
        # A server's answer, which no disk gave.
        RuntimeError("Permission denied"),
        RuntimeError("File name too long"),
    ],
)
def test_other_errors_are_not_the_disks(error):
    assert disk.sentence(error) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_command_ends_with_the_sentence(number, monkeypatch, capsys):
    def main(argv):
        raise OSError(number, "x", "out.csv")

    monkeypatch.setattr(sys, "argv", ["rankpose"])
    monkeypatch.setattr(command.app, "run", lambda run, flags_parser: run(flags_parser(sys.argv)))
    with pytest.raises(SystemExit) as ended:
        command.run(main)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: 'out.csv': ") and said.count("\n") == 1


def test_a_reader_that_has_enough_ends_a_command_without_a_word():
    code = "from rankpose_tf.core import command; "
    code += "command.run(lambda argv: [print('x' * 1000) for _ in range(1000)])"
    child = [sys.executable, "-c", code]
    with subprocess.Popen(child, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_another_error_of_a_command_stays_what_it_is(monkeypatch):
    def main(argv):
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["rankpose"])
    monkeypatch.setattr(command.app, "run", lambda run, flags_parser: run(flags_parser(sys.argv)))
    with pytest.raises(ZeroDivisionError):
        command.run(main)
