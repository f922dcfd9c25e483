"""Files that are whole or absent, and what is refused before the work that would fill them."""

import json
import os

import pytest

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError


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


@pytest.mark.parametrize("own", [0o077, 0o022, 0o002])
def test_a_file_is_as_open_as_any_other_of_the_process(tmp_path, own):
    before = os.umask(own)
    try:
        files.write_text(tmp_path / "a", "")
        (tmp_path / "b").write_text("")
        assert files.mask() == own
    finally:
        assert os.umask(before) == own
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_replaced_file_permits_what_it_did_and_a_link_to_it_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "poses.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    files.write_text(link, "new")
    assert real.read_text() == "new" and real.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink() and {path.name for path in tmp_path.rglob("*")} == {
        "real", "poses.csv", "link.csv",
    }  # fmt: skip


def test_a_full_disk_is_told_with_the_name_of_the_file_that_was_to_be(tmp_path):
    with pytest.raises(OSError) as caught, files.replaced(tmp_path / "a.csv") as beside:
        raise OSError(28, "No space left on device", str(beside))
    assert caught.value.filename == str(tmp_path / "a.csv")


def test_a_new_file_needs_a_free_name_a_folder_and_an_ending(tmp_path):
    assert files.new_file("out", str(tmp_path / "a.csv")) == tmp_path / "a.csv"
    (tmp_path / "a.csv").write_text("kept")
    with pytest.raises(RankPoseError, match="^out: .*a.csv' exists already; pass another name"):
        files.new_file("out", tmp_path / "a.csv", advice="pass another name")
    with pytest.raises(RankPoseError, match="^out: .*a.csv' lies in a folder that does not exist"):
        files.new_file("out", tmp_path / "absent" / "a.csv", resumed=True)
    with pytest.raises(RankPoseError, match="^out: .* ends in .png or .jpg, received .*a.csv'"):
        files.new_file("out", tmp_path / "a.csv", (".png", ".jpg"), resumed=True)
    assert files.new_file("out", tmp_path / "a.csv", (".csv",), resumed=True).read_text() == "kept"


def test_a_new_folder_is_absent_or_empty_or_gone_on_with(tmp_path):
    assert files.new_folder("out", str(tmp_path)) == tmp_path
    assert not files.new_folder("out", tmp_path / "deep" / "down").parent.exists()
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(RankPoseError, match="^out: .* is not empty and nothing is overwritten; "):
        files.new_folder("out", tmp_path)
    with pytest.raises(RankPoseError, match="^out: .* is not empty and holds no run; pass a new"):
        files.new_folder("out", tmp_path, own="run")
    assert files.new_folder("out", tmp_path, resumed=True) == tmp_path
    for inside in (tmp_path / "mine", tmp_path / "mine" / "deep"):
        with pytest.raises(RankPoseError, match="^out: .*mine' is a file; pass a new folder"):
            files.new_folder("out", inside, resumed=True)


def test_a_link_to_nothing_is_told_before_the_work(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "absent")
    for inside in (link, link / "deep" / "down"):
        with pytest.raises(RankPoseError, match="^out: .*link' is a link to nothing; pass a new"):
            files.new_folder("out", inside)
    for resumed in (False, True):
        with pytest.raises(RankPoseError, match="^out: .*link' is a link to nothing; pass the"):
            files.new_file("out", link, resumed=resumed)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(RankPoseError, match="^out: .*loop' is a link to nothing"):
        files.new_folder("out", loop / "deep")
    (tmp_path / "absent").mkdir()
    assert files.new_folder("out", link / "deep") == link / "deep"


@pytest.mark.parametrize("make", [files.new_file, files.new_folder])
def test_a_name_that_no_disk_takes_is_told_before_the_work(tmp_path, make):
    assert make("out", tmp_path / ("é" * 127))
    for path in ("é" * 128, "x" * 256):
        with pytest.raises(RankPoseError, match="^out: a name in .* has over 255 bytes, .*shorter"):
            make("out", tmp_path / path)
    with pytest.raises(RankPoseError, match="^out: a name in"):
        files.new_folder("out", tmp_path / "absent" / ("x" * 256) / "deep")


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    # Permissions can't be taken from root, who may run the tests.
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(RankPoseError, match="^workdir: can't write to .*; pass .* --workdir"):
        files.new_folder("workdir", tmp_path / "absent")
