"""Errors of a file's content are one sentence; a file that can't be opened is another matter."""

import errno
import zipfile

import pytest

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError


@pytest.mark.parametrize(
    "error",
    [
        KeyError("labels"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        zipfile.BadZipFile("File is not a zip file"),
        RecursionError("maximum recursion depth"),
        OSError(errno.EINVAL, "Invalid argument"),
        ValueError("two\nlines"),
    ],
)
def test_damage_is_one_sentence_with_the_advice(error):
    with pytest.raises(RankPoseError) as told:
        with damage.told("data", b"a/b.json", "prepare it again"):
            raise error
    assert str(told.value).startswith(f"data: 'a/b.json' is damaged ({type(error).__name__}: ")
    assert str(told.value).endswith("); prepare it again")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "no"), RankPoseError("x: no"), MemoryError()]
)
def test_what_is_no_damage_stays(error):
    with pytest.raises(type(error)) as raised:
        with damage.told("data", "a", "prepare it again"):
            raise error
    assert raised.value is error


def test_a_line_without_end_is_refused_before_it_is_read_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("short\n" + "[" * (2 * damage.LONGEST_LINE))
    with open(path) as stream:
        lines = damage.lines(stream)
        assert next(lines) == "short\n"
        with pytest.raises(ValueError, match="line 2 has 1,000,000 letters or more"):
            next(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1', "JSONDecodeError"),
        ("[1]", "it holds a list, expected an object"),
        ('{"a": ' + "[" * 100_000, "RecursionError"),
        ('{"b": 1}', "it lacks a"),
        (" " * 20_000_001, "it has 20,000,001 bytes"),
    ],
    ids=["cut", "list", "nested", "lacking", "large"],
)
def test_a_json_file_that_is_no_object_is_told(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(RankPoseError, match=f"data: .*a.json' is damaged .*{reason}"):
        damage.json_object("data", tmp_path / "a.json", "write it again", needed=("a",))
