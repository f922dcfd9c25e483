"""How command lines fail, and files that are whole or absent."""

import json
import subprocess
import sys

import pytest

from rankpose_tf import files


def run(body, *arguments):
    program = (
        "from rankpose_tf import command\n"
        "from rankpose_tf.errors import RankPoseError\n"
        f"def main(argv):\n    {body}\n"
        "command.run(main)\n"
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


def test_a_stray_argument_is_refused():
    done = run("pass", "folder")
    assert done.returncode == 1 and "unexpected argument 'folder'" in done.stderr


def test_importing_the_package_does_not_import_tensorflow():
    code = "import sys, rankpose_tf; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "result.json"
    files.write_json(path, {"mae": 5.0})
    with pytest.raises(ValueError):
        files.write_json(path, {"mae": float("nan")})
    with pytest.raises(RuntimeError), files.replaced(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"mae": 5.0}
    assert list(tmp_path.iterdir()) == [path]
