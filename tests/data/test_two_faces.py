"""Pairs of any two faces: who is in them, that they resume, what can't be asked for."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs
from tests.data.test_pairs import assert_same, few_stream, owners, poses_of, stream


def test_any_pairs_are_of_two_identities_each_once_a_round_on_either_side(prepared, table):
    owner = owners(prepared)
    batches = stream(prepared, table, 10, batch_size=4, pairs="any")
    drawn = [[owner[tuple(pose)] for pose in pair] for batch in batches for pair in batch[2]]
    assert all(one != other for one, other in drawn)
    plain = [owner[tuple(p[0])] for b in stream(prepared, table, 10, batch_size=4) for p in b[2]]
    for part in (drawn[:20], drawn[20:]):
        assert {one for one, _ in part} == {other for _, other in part} == set(plain)
        assert len({one for one, _ in part}) == 20
    # The identities come in the order of pairs of one identity: only the partner differs.
    assert [one for one, _ in drawn] == plain
    assert {tuple(pair) for pair in drawn[:20]} != {tuple(pair) for pair in drawn[20:]}


def test_every_view_of_an_identity_meets_others_in_any_pairs(prepared, table):
    rows, owner = poses_of(prepared), owners(prepared)
    batches = stream(prepared, table, 60, batch_size=20, pairs="any")
    drawn = np.concatenate([batch[2] for batch in batches])
    for side in (0, 1):
        seen = {tuple(pose) for pose in drawn[:, side]}
        assert seen == {pose for name in {owner[pose] for pose in seen} for pose in rows[name]}
    partners = {}
    for one, other in drawn:
        partners.setdefault(owner[tuple(one)], set()).add(owner[tuple(other)])
    assert min(map(len, partners.values())) > 10


def test_pairs_of_photos_have_the_first_view_of_each_identity_alone(prepared, table):
    rows, owner = poses_of(prepared), owners(prepared)
    batches = stream(prepared, table, 10, batch_size=4, pairs="photos")
    drawn = [[tuple(pose) for pose in pair] for batch in batches for pair in batch[2]]
    assert all(owner[one] != owner[other] for one, other in drawn)
    # A round is 20 pairs: each photo is once on either side.
    photos = {rows[owner[one]][0] for one, _ in drawn}
    assert len(photos) == 20
    for part in (drawn[:20], drawn[20:]):
        for side in zip(*part, strict=True):
            assert len(side) == len(set(side)) and set(side) == photos


@pytest.mark.parametrize("kind", ["any", "photos"])
@pytest.mark.parametrize(("few", "start"), [(None, 4), (10, 3)])
def test_any_pairs_go_on_exactly_from_a_later_step(prepared, table, few, start, kind):
    def part(steps, **arguments):
        options = {"pairs": kind, "seed": 3, **arguments}
        if few:
            return few_stream(prepared, table, steps, few, **options)
        return stream(prepared, table, steps, **options)

    # 6 pairs a step: the start is inside the second round of 20, and of 10, identities.
    assert_same(part(start + 3)[start:], part(3, start_step=start))


@pytest.mark.parametrize(
    ("kind", "told"), [("any", "needs two"), ("photos", "needs two"), ("all", "expected one of")]
)
def test_pairs_that_can_not_be_made_are_named(prepared, table, kind, told):
    with pytest.raises(RankPoseError, match=f"pairs: .*{told}"):
        few_stream(prepared, table, 1, 1, pairs=kind)


def test_any_two_faces_have_no_first_view_to_ask_for(prepared):
    with pytest.raises(RankPoseError, match="first_view_probability: expected 0 with pairs of any"):
        pairs.training_pairs(
            prepared,
            input_size=32,
            batch_size=2,
            round_length=4,
            pairs="any",
            first_view_probability=0.5,
        )
