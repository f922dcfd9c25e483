"""Which two views of an identity are a pair."""

import collections
import itertools

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, prepared_folder, two_views

USABLE = [3, 5, 8]


def drawn(count, usable=USABLE, **arguments):
    numbers = np.random.default_rng(0).random((count, two_views.DRAWS)).tolist()
    return [two_views.draw(usable, row, **arguments) for row in numbers]


def test_every_ordered_pair_of_views_is_drawn():
    assert set(drawn(100)) == set(itertools.permutations(USABLE, 2))


def test_every_pair_may_be_made_to_have_the_first_view_on_either_side():
    counts = collections.Counter(drawn(400, first_view_probability=1.0))
    assert set(counts) == {(3, 5), (3, 8), (5, 3), (8, 3)}
    # 100 expected; five standard deviations of a binomial are 43.
    assert all(57 < count < 143 for count in counts.values())


def test_the_share_of_pairs_with_the_first_view_is_what_was_asked_for():
    found = drawn(600, usable=[0, 1, 2, 3, 4], first_view_probability=0.5)
    share = sum(0 in pair for pair in found) / 600
    # Half of the pairs have it by demand, two fifths of the others by chance.
    assert abs(share - 0.7) < 0.09


def test_two_views_are_a_pair_whatever_the_probability():
    assert set(drawn(50, usable=[2, 4], first_view_probability=1.0)) == {(2, 4), (4, 2)}


def test_a_stream_holds_the_first_views_of_its_identities(prepared):
    table = prepared_folder.read_identity_table(prepared)
    first = {}
    for batch in pairs.views(prepared, 32, 1.4, 16):
        for name, pose in zip(batch["identity"].numpy(), batch["pose"].numpy(), strict=True):
            first.setdefault(name, tuple(pose))
    stream = pairs.training_pairs(
        prepared, input_size=32, batch_size=8, round_length=len(table), first_view_probability=1.0
    )
    poses = [pair for _, batch in stream.take(3) for pair in batch.numpy()]
    assert all(set(map(tuple, pair)) & set(first.values()) for pair in poses)


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_out_of_range_is_named(probability):
    with pytest.raises(RankPoseError, match="first_view_probability: expected a number from 0"):
        two_views.check(probability)


@pytest.mark.parametrize("usable", [[], [4]])
def test_one_view_is_no_pair(usable):
    with pytest.raises(ValueError, match=f"an identity has {len(usable)}"):
        two_views.draw(usable, [0.5] * two_views.DRAWS)
