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
