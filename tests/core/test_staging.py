"""Files that get to their places together, whatever happens between."""

import json
import os

import pytest

from rankpose_tf.core import leftovers, staging

NAMES = ("a.csv", "b.csv", "report.json")


def fill(folder):
    with staging.filled(folder, last="report.json") as stage:
        for name in reversed(NAMES):
            (stage / name).write_text(name)


def stop_at(monkeypatch, number):
    """The `number`th move of a part fails."""
    replace, moves = os.replace, []

    def move(part, place):
        # The list of places is a file that gets to its place too.
        moves.append(part)
        if len(moves) == number + 1:
            raise OSError(28, "No space left on device")
        replace(part, place)

    monkeypatch.setattr(os, "replace", move)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("killed", [False, True])
def test_all_parts_are_there_or_none(tmp_path, monkeypatch, number, killed):
    folder = tmp_path / "new" / "folder"
    with monkeypatch.context() as patch:
        stop_at(patch, number)
        if killed:
            patch.setattr(leftovers, "_remove", lambda hidden: None)
        with pytest.raises(OSError, match="No space left"):
            fill(folder)
    if killed:
        assert len(list(folder.iterdir())) == number
        leftovers.sweep(folder)
        assert list(folder.iterdir()) == []
    else:
        assert list(tmp_path.iterdir()) == []
    fill(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


def test_of_a_folder_that_is_whole_nothing_is_taken_back(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(leftovers, "_remove", lambda hidden: None)
        fill(tmp_path)
    leftovers.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_parts_in_new_folders_are_taken_back_with_them_and_an_older_report_stays(
    tmp_path, monkeypatch
):
    (tmp_path / "report.json").write_text("old")
    stop_at(monkeypatch, 2)
    with pytest.raises(OSError), staging.staged(tmp_path) as stage:
        for name in ("model", "report.json"):
            (stage / name).write_text("new")
        places = {"model": tmp_path / "deep" / "down" / "model"}
        places = {stage / name: place for name, place in places.items()}
        staging.publish(stage, {**places, stage / "report.json": tmp_path / "report.json"})
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "old"


@pytest.mark.parametrize("place", ["../mine", "/etc/nothing", "..", "."])
def test_a_list_of_places_that_was_tampered_with_takes_nothing_from_elsewhere(tmp_path, place):
    (tmp_path / "mine").write_text("kept")
    (tmp_path / "out").mkdir()
    hidden, handle = leftovers._new(tmp_path / "out" / "staged", folder=True)
    os.close(handle)
    (hidden / "last").touch()
    content = json.dumps([["absent", place], ["last", "last"]])
    (hidden / leftovers.PLACES).write_text(content)
    leftovers.sweep(tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "kept" and list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", "[[1, 2]]", '[["a"]]', "nonsense"])
def test_a_damaged_list_of_places_is_no_list(tmp_path, content):
    hidden, handle = leftovers._new(tmp_path / "staged", folder=True)
    os.close(handle)
    (hidden / leftovers.PLACES).write_text(content)
    leftovers.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
