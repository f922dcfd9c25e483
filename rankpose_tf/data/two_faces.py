"""Pairs of any two faces, to measure what pairs of one identity are worth (BMVC 2020, section 3.3).

With "photos", the first view of each alone: what a camera took, where a set holds it first.

The second view of a pair is of the identity that follows in the round. Rounds are shuffled, so
that is any other one; a round still has each identity once as the first view and once as the
second, and a batch shows about as many faces as a batch of pairs of one identity.
"""

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError

PAIRS = ("identity", "any", "photos")


def asked_for(pairs, identities, first_view_probability=0.0):
    """Whether `pairs` is of two identities: "any" or "photos" rather than "identity".

    Raises:
      RankPoseError: if it is neither, there are not two identities to pair, or the first views
        of identities are asked for too, which is a choice within one identity.
    """
    if pairs not in PAIRS:
        raise RankPoseError(f"pairs: expected one of {', '.join(PAIRS)}, received {pairs!r}")
    if pairs != "identity" and identities < 2:
        raise RankPoseError(
            f"pairs: {pairs!r} needs two training identities, the data has {identities}; pass "
            "--pairs=identity, or more data"
        )
    if pairs != "identity" and first_view_probability:
        raise RankPoseError(
            "first_view_probability: expected 0 with pairs of any two faces, received "
            f"{first_view_probability}; pass --pairs=identity, or leave it out"
        )
    return pairs != "identity"


def beside_the_next(values):
    """Each of N >= 2 strings beside the one that follows, the last beside the first.

    Args:
      values: tf.data.Dataset of (); the same whenever it is read.

    Returns:
      tf.data.Dataset of (2,), N of them; one value is held at a time.
    """
    circle = values.concatenate(values.take(1))
    beside = circle.scan("", lambda before, value: (value, tf.stack([before, value])))
    return beside.skip(1)
