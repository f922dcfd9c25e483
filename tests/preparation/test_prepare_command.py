"""The command line: one sentence and exit code 1 for a mistake, where the result lies otherwise."""

import subprocess
import sys

import pytest

from rankpose_tf.data import prepared_folder
from tests.support import made_up_faces as made_up
from tests.support.doors import run_door


@pytest.mark.end_to_end
def test_it_prepares_shows_a_bar_and_is_quick_and_harmless_the_second_time(tmp_path):
    source, out = made_up.write_300w_lp(tmp_path / "lp"), tmp_path / "out"
    command = (f"--source={source}", f"--out={out}", "--workers=2", "--shards=2")
    first = subprocess.run(
        [sys.executable, "-m", "rankpose_tf.prepare", *command], capture_output=True, text=True
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        "6 identities, 12 views (12 within 99 degrees), 0 skipped",
        str(out),
    ]
    assert "12/12" in first.stderr and "Traceback" not in first.stderr
    assert prepared_folder.read_description(out)["views"] == 12
    second = run_door("prepare", *command)
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert "finished already" in second.stderr


def test_a_mistake_is_one_sentence_and_exit_code_1(tmp_path):
    for flags, message in (
        ([f"--out={tmp_path / 'out'}"], "error: source: pass a folder"),
        ([f"--source={tmp_path}"], "error: out: pass --out=FOLDER"),
        ([f"--source={tmp_path}", f"--out={tmp_path / 'out'}"], "holds no picture"),
    ):
        result = run_door("prepare", *flags)
        assert result.returncode == 1
        assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_it_does_not_import_tensorflow_in_the_parent():
    code = "import sys, rankpose_tf.prepare; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
