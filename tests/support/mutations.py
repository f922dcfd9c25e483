"""Damaged copies of a file's content, the same ones for the same seed."""

import random

# What a disk, an editor or an attacker leaves in a text.
_PIECES = (
    b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"nan", b"-1", b"1e400", b"9" * 30, b"null", b"[]",
    b"{}", b'"', b",", b"\n", b"\r", b"../", b"true", b"[" * 5000, b"=", b"--",
)  # fmt: skip


def mutated(content, count, seed=0):
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
