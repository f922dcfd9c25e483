"""Which two views of one identity are a pair.

300W-LP and sets made like it hold a photo as it was taken, STEM_0, and views that were rendered
from it, STEM_1 and so on, several times as many. A camera takes photos: pairs may be made to have
the photo more often than its share of the views. Readers list views by their number, so the photo
is the first.
"""

from rankpose_tf.core.errors import RankPoseError

# How many numbers a choice takes.
DRAWS = 4


def check(first_view_probability):
    """Raises RankPoseError for a probability outside 0..1."""
    if not 0.0 <= first_view_probability <= 1.0:
        raise RankPoseError(
            f"first_view_probability: expected a number from 0 to 1, received "
            f"{first_view_probability}"
        )


def draw(usable, draws, first_view_probability=0.0):
    """Two different entries of `usable`, either of them first equally likely.

    Args:
      usable: indices of U >= 2 views.
      draws: `DRAWS` numbers from 0 up to 1.
      first_view_probability: share of the pairs that are made to have the first entry; the others
        have any two, every ordered pair equally likely.

    Returns:
      Two of the indices.
    """
    count = len(usable)
    if count < 2:
        raise ValueError(f"a pair is of two usable views, and an identity has {count}")
    step = 1 + int(draws[1] * (count - 1))
    if draws[2] < first_view_probability:
        # Both slots see the first view alike: each is a batch of its own to the network.
        return (usable[0], usable[step]) if draws[3] < 0.5 else (usable[step], usable[0])
    first = int(draws[0] * count)
    return usable[first], usable[(first + step) % count]
