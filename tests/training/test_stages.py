"""How the identities of a prepared set are split for a run."""

import pytest

from rankpose_tf.data import records
from rankpose_tf.training import stages
from rankpose_tf.training.recipe import Recipe


@pytest.mark.parametrize(
    ("identities", "asked", "held_out"), [(150, -1, 30), (399, -1, 79), (400, -1, 200), (9, 4, 4)]
)
def test_200_are_held_out_or_a_fifth_of_fewer_than_400(monkeypatch, identities, asked, held_out):
    table = [{"group": str(number), "usable": 2, "views": 2} for number in range(identities)]
    monkeypatch.setattr(records, "read_identity_table", lambda data: table)
    monkeypatch.setattr(stages.pair_streams, "held_out_threshold", lambda table, count: count)
    monkeypatch.setattr(stages.pair_streams, "count_training_identities", lambda *_: identities)
    recipe = Recipe(data="made up", validation_identities=asked)
    assert stages.split(recipe, "made up").held_out == held_out
