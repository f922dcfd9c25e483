"""Which two views of one identity are a pair.

300W-LP and sets made like it hold a photo as it was taken, STEM_0, and views that were rendered
from it, STEM_1 and so on, several times as many. A camera takes photos: pairs may be made to have
the photo more often than its share of the views. Readers list views by their number, so the photo
is the first.
"""

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError


def draw(usable, seed, first_view_probability=0.0):
    """Two different entries of `usable`, either of them first equally likely.

    Args:
      usable: (U,) int64 indices of views, U >= 2.
      seed: (2,) integers.
      first_view_probability: share of the pairs that are made to have the first entry; the others
        have any two, every ordered pair equally likely.

    Returns:
      (2,) int64.

    Raises:
      RankPoseError: for a probability outside 0..1.
    """
    if not 0.0 <= first_view_probability <= 1.0:
        raise RankPoseError(
            f"first_view_probability: expected a number from 0 to 1, received "
            f"{first_view_probability}"
        )
    count = tf.size(usable, out_type=tf.int64)
    draws = tf.unstack(tf.random.split(seed, 4))
    first = _whole_number(draws[0], 0, count)
    step = _whole_number(draws[1], 1, count)
    positions = tf.stack([first, (first + step) % count])
    if first_view_probability:
        chance = tf.random.stateless_uniform((), draws[2], alg="philox")
        swapped = _whole_number(draws[3], 0, 2)
        # Both slots see the first view alike: each is a batch of its own to the network.
        with_first = tf.roll(tf.stack([tf.zeros_like(step), step]), swapped, axis=0)
        positions = tf.where(chance < first_view_probability, with_first, positions)
    return tf.gather(usable, positions)


def _whole_number(seed, low, high):
    """From `low` to `high` - 1; the generator is named, for the default differs between devices."""
    return tf.random.stateless_uniform((), seed, low, high, tf.int64, alg="philox")
