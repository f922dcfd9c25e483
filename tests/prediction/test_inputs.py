"""What each kind of input stands for."""

import io
import logging
import os
import sys

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction.inputs import CAMERA, PICTURE, VIDEO, Source, expand


@pytest.fixture
def folder(tmp_path):
    shown = ["b.JPG", "a.png", "film.mp4", "sub/c.jpeg"]
    for name in [*shown, "notes.txt", ".hidden/d.jpg", ".e.jpg"]:
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "faces"


def names(sources):
    return [source.name for source in sources]


def test_a_folder_stands_for_the_pictures_and_videos_in_and_below_it(folder):
    sources = expand([str(folder)])
    assert names(sources) == ["a.png", "b.JPG", "film.mp4", "sub/c.jpeg"]
    assert [source.kind for source in sources] == [PICTURE, PICTURE, VIDEO, PICTURE]
    assert sources[3].path == str(folder / "sub" / "c.jpeg")


def test_a_glob_stands_for_the_files_it_matches(folder):
    assert names(expand([f"{folder}/*"])) == ["a.png", "b.JPG", "film.mp4"]
    assert names(expand([f"{folder}/**/*.jpeg"])) == ["c.jpeg"]


@pytest.fixture
def told(caplog, monkeypatch):
    """Function that gives the warnings so far; absl's logger tells its own handler alone."""
    monkeypatch.setattr(logging.getLogger("absl"), "propagate", True)
    return lambda: [record.getMessage() for record in caplog.records]


def test_pictures_and_videos_of_cameras_and_telephones_are_known(tmp_path, told):
    listed = "a.heic b.HEIF c.jfif d.mpo e.mts f.M2TS g.flv h.vob i.ogv".split()
    for name in listed:
        (tmp_path / name).touch()
    sources = expand([str(tmp_path)])
    assert names(sources) == listed
    assert [source.kind for source in sources] == [PICTURE] * 4 + [VIDEO] * 5
    assert told() == []


def test_what_is_passed_over_is_counted_by_suffix(folder, told):
    for name in ("sub/more.TXT", "raw.cr2", "README"):
        (folder / name).touch()
    expand([str(folder)])
    # The hidden ones are not counted.
    (line,) = told()
    start, *others = line.split(", ")
    assert start == f"{folder}: 4 files are not read: 2 .txt"
    assert sorted(others) == ["1 .cr2", "1 without a suffix"]


def test_of_many_suffixes_some_are_named(tmp_path, told):
    for index in range(12):
        (tmp_path / f"a.x{index}").touch()
    (tmp_path / "b.x3").touch()
    (tmp_path / "c.jpg").touch()
    expand([str(tmp_path)])
    assert "13 files are not read: 2 .x3, 1 " in told()[0] and "and 4 more suffixes" in told()[0]


def test_a_glob_tells_too_what_it_passed_over(folder, told):
    expand([f"{folder}/*"])
    assert told() == [f"{folder}/*: 1 file is not read: 1 .txt"]


def test_linked_folders_are_read_once_and_a_circle_ends(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.jpg").touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    listed = names(expand([str(folder)]))
    assert listed == ["a.png", "again/z.jpg", "b.JPG", "film.mp4", "sub/c.jpeg"]


def test_a_link_to_nothing_has_a_row_of_its_own(tmp_path, told):
    (tmp_path / "broken.jpg").symlink_to("/nowhere")
    (tmp_path / "other").symlink_to("/nowhere")
    assert names(expand([str(tmp_path)])) == ["broken.jpg"]
    assert "1 without a suffix" in told()[0]


def test_a_folder_that_can_not_be_listed_is_told(folder, told, monkeypatch):
    """Root may list everything, so the system's answer is made up."""
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (folder / "notes.txt").unlink()
    assert names(expand([str(folder)])) == ["a.png", "b.JPG", "film.mp4"]
    assert "sub: can't be listed" in told()[0] and "Permission denied" in told()[0]


def test_a_file_stands_for_itself_whatever_its_suffix(folder):
    assert expand([f"{folder}/notes.txt"]) == [Source(PICTURE, f"{folder}/notes.txt", "notes.txt")]


def test_a_file_whose_name_looks_like_a_glob_or_a_camera_is_a_file(folder, monkeypatch):
    (folder / "x[1].png").touch()
    (folder / "0").touch()
    monkeypatch.chdir(folder)
    assert expand(["x[1].png", "0"]) == [
        Source(PICTURE, "x[1].png", "x[1].png"),
        Source(PICTURE, "0", "0"),
    ]


def test_a_number_is_a_camera():
    assert expand(["3"]) == [Source(CAMERA, "3", "camera-3")]


def test_a_list_may_name_files_that_are_not_there():
    """One of many that is absent gets its reason in the results, and the others are read."""
    listing = io.StringIO("one.jpg\n\ntwo words.png\r\nfilm.MOV")
    assert expand(["-"], listing) == [
        Source(PICTURE, "one.jpg", "one.jpg"),
        Source(PICTURE, "two words.png", "two words.png"),
        Source(VIDEO, "film.MOV", "film.MOV"),
    ]


def test_a_list_may_be_of_find_print0_or_begin_with_a_mark():
    assert names(expand(["-"], io.StringIO("\ufeffa.jpg\nb.jpg\n"))) == ["a.jpg", "b.jpg"]
    listing = io.StringIO("a.jpg\0b c.jpg\0d\ne\r.jpg\0", newline="")
    assert names(expand(["-"], listing)) == ["a.jpg", "b c.jpg", "d\ne\r.jpg"]


def test_every_path_is_taken_once_in_the_order_named(folder):
    path = f"{folder}/b.JPG"
    assert names(expand([path, str(folder), path])) == ["b.JPG", "a.png", "film.mp4", "sub/c.jpeg"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "pass --input=PATH"),
        ([""], "an empty path names no file"),
        (["nowhere.jpg"], "there is no 'nowhere.jpg'"),
        (["x" * 300 + ".jpg"], "there is no 'xxx"),
        (["x" * 300 + "*.jpg"], "'xxx.* matches no file"),
        (["nowhere/*.jpg"], "'nowhere/\\*.jpg' matches no file"),
        (["-"], "no line on standard input"),
    ],
)
def test_what_names_nothing_is_refused(inputs, said):
    with pytest.raises(RankPoseError, match=f"^input: {said}"):
        expand(inputs, io.StringIO())


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(RankPoseError, match="holds no picture and no video"):
        expand([str(tmp_path)])


def test_a_list_is_read_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("a.png\n"))
    assert [source.path for source in expand(["-"])] == ["a.png"]
    listing = io.TextIOWrapper(io.BytesIO(b"a\r.png\0\xff.png\0"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", listing)
    assert [os.fsencode(source.path) for source in expand(["-"])] == [b"a\r.png", b"\xff.png"]
