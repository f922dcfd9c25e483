"""Damaged copies of a file, the same ones for the same seed, and how its reader ends on them."""

import collections
import os
import random

from rankpose_tf.core.errors import RankPoseError

# What a disk, an editor or an attacker leaves in a text.
_PIECES = (
    b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"nan", b"-1", b"1e400", b"9" * 30, b"null", b"[]",
    b"{}", b'"', b",", b"\n", b"\r", b"../", b"true", b"[" * 5000, b"=", b"--",
)  # fmt: skip


# Copies of a long run, and which: four runs of 500 with the seeds 0 to 3 are one of 2,000.
MANY = int(os.environ.get("DAMAGED_COPIES", 2000))
_SEED = int(os.environ.get("DAMAGED_SEED", 0))


def mutated(content, count, seed=_SEED):
    """Yields `count` damaged copies.

    Args:
      content: bytes, not empty.
      count: how many.
      seed: of the choices.
    """
    generator = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(generator.choice((1, 1, 1, 2, 4, 16))):
            generator.choice((_flip, _cut, _end, _insert, _replace, _repeat))(damaged, generator)
        yield bytes(damaged)


def _place(content, generator):
    return generator.randrange(len(content) + 1)


def _flip(content, generator):
    if content:
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)


def _cut(content, generator):
    start = _place(content, generator)
    del content[start : start + generator.choice((1, 4, 64))]


def _end(content, generator):
    del content[_place(content, generator) :]


def _insert(content, generator):
    place = _place(content, generator)
    content[place:place] = generator.choice(_PIECES)


def _replace(content, generator):
    place = _place(content, generator)
    content[place : place + generator.choice((1, 3, 12))] = generator.choice(_PIECES)


def _repeat(content, generator):
    start = _place(content, generator)
    content[start:start] = content[start : start + generator.choice((1, 16, 256))]


def ends(read, path, contents, result="a result", told=None):
    """Counts of how a reader ends on damaged files.

    Args:
      read: function of a path.
      path: `pathlib.Path` that gets every content in turn.
      contents: iterable of bytes.
      result: what it is called if it returns.
      told: dict of exception -> what it is called, beside one sentence of `RankPoseError`.

    Returns:
      Dict of kind -> count.

    Raises:
      AssertionError: for any other exception, with the beginning of the content.
    """
    told = told or {}
    counts = collections.Counter({result: 0, "one sentence": 0})
    for number, content in enumerate(contents):
        path.write_bytes(content)
        try:
            read(path)
            counts[result] += 1
        except tuple(told) as error:
            counts[told[type(error)]] += 1
        except RankPoseError as error:
            assert "\n" not in str(error), str(error)
            counts["one sentence"] += 1
        except Exception as error:
            raise AssertionError(f"copy {number} of {path.name}: {content[:300]!r}") from error
    return dict(counts)
