"""What each kind of input stands for."""

import io
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


def test_a_file_stands_for_itself_whatever_its_suffix(folder):
    assert expand([f"{folder}/notes.txt"]) == [
        Source(PICTURE, f"{folder}/notes.txt", "notes.txt")
    ]


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


def test_every_path_is_taken_once_in_the_order_named(folder):
    path = f"{folder}/b.JPG"
    assert names(expand([path, str(folder), path])) == ["b.JPG", "a.png", "film.mp4", "sub/c.jpeg"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "pass --input=PATH"),
        (["nowhere.jpg"], "there is no 'nowhere.jpg'"),
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
