"""What killed processes leave beside is swept, and nothing else is."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from rankpose_tf.core import files, leftovers

pytest.importorskip("fcntl", reason="nothing is swept where there are no locks")


def left(path, folder=False):
    """A hidden file or folder beside `path`, of a process that is no more."""
    hidden, handle = leftovers._new(path, folder)
    os.close(handle)
    return hidden


def test_what_a_killed_process_left_is_swept_by_the_next_that_writes_there(tmp_path):
    code = "import os, sys; from rankpose_tf.core import files\n"
    code += "with files.replaced(sys.argv[1]) as beside:\n"
    code += "    beside.write_text('half'); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "last.keras")])
    assert killed.returncode == -signal.SIGKILL
    (hidden,) = tmp_path.iterdir()
    assert hidden.read_text() == "half" and hidden.suffix == ".keras"
    leftovers._swept.discard(str(tmp_path))
    files.write_text(tmp_path / "history.csv", "epoch\n")
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_what_a_living_process_writes_stays(tmp_path):
    with leftovers.beside(tmp_path / "a.csv") as one, leftovers.beside(tmp_path / "b", True) as two:
        leftovers.sweep(tmp_path)
        assert one.is_file() and two.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_hidden_files_of_others_stay(tmp_path):
    names = [".config-settings.json", ".a-rankpose-ABCDEFGH.csv", "a-rankpose-abcdefgh.csv"]
    for name in names:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".a-rankpose-abcdefgh").symlink_to(tmp_path / names[0])
    leftovers.sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    leftovers.sweep(tmp_path / "absent")


def test_a_folder_with_nothing_but_leftovers_is_new(tmp_path):
    left(tmp_path / "flags.cfg")
    (left(tmp_path / "staged", folder=True) / "part").write_text("half")
    assert files.new_folder("workdir", tmp_path) == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_names_can_be_is_written(tmp_path):
    path = tmp_path / ("ü" * 125 + ".json")
    files.write_json(path, {})
    assert path.is_file()


def test_where_there_are_no_locks_files_are_written_and_none_is_swept(tmp_path, monkeypatch):
    hidden = left(tmp_path / "a.csv")
    monkeypatch.setattr(leftovers.locks, "fcntl", None)
    leftovers.sweep(tmp_path)
    files.write_text(tmp_path / "a.csv", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([hidden.name, "a.csv"])


def test_a_sweep_between_the_making_and_the_lock_harms_nothing(tmp_path, monkeypatch):
    take, calls = leftovers.locks.take, []

    def swept_before(handle):
        calls.append(handle)
        if len(calls) == 1:
            (made,) = tmp_path.iterdir()
            pathlib.Path(made).unlink()
        return take(handle)

    monkeypatch.setattr(leftovers.locks, "take", swept_before)
    leftovers._swept.add(str(tmp_path))
    files.write_text(tmp_path / "a.csv", "new")
    assert len(calls) == 2 and (tmp_path / "a.csv").read_text() == "new"
