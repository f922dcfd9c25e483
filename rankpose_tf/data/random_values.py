"""Random numbers for whole pictures, at the cost of reading them from memory.

To draw a normal number for each pixel of a view takes longer than all else that is done to it. A
table of a million is drawn once; a picture takes a stretch of it, from a place drawn for it.
"""

import functools

import numpy as np

_COUNT = 2**20


def normal(shape, place):
    """Standard normal numbers.

    Args:
      shape: of the result.
      place: from 0 up to 1; which stretch of the table is taken.

    Returns:
      float32, a view of the table: not to be written to.
    """
    return _stretch(_normal, shape, place)


def uniform(shape, place):
    """Numbers from 0 up to 1; otherwise as `normal`."""
    return _stretch(_uniform, shape, place)


def _stretch(table, shape, place):
    count = int(np.prod(shape))
    # At least as many places as numbers, however large the picture.
    values = table(max(_COUNT, 2 ** (2 * count - 1).bit_length()))
    start = int(place * (len(values) - count))
    return values[start : start + count].reshape(shape)


@functools.cache
def _normal(count):
    values = np.random.default_rng(1).standard_normal(count, dtype=np.float32)
    values.flags.writeable = False
    return values


@functools.cache
def _uniform(count):
    values = np.random.default_rng(2).random(count, dtype=np.float32)
    values.flags.writeable = False
    return values
