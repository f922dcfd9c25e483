"""How the identities of a prepared set are split for a run."""

import dataclasses

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, prepared_folder, synthetic
from rankpose_tf.training import stages
from rankpose_tf.training.recipe import Recipe
from tests.conftest import write_prepared


@pytest.mark.parametrize(
    ("identities", "asked", "held_out"), [(150, -1, 30), (399, -1, 79), (400, -1, 200), (9, 4, 4)]
)
def test_200_are_held_out_or_a_fifth_of_fewer_than_400(monkeypatch, identities, asked, held_out):
    table = [{"group": str(number), "usable": 2, "views": 2} for number in range(identities)]
    monkeypatch.setattr(prepared_folder, "read_identity_table", lambda data: table)
    monkeypatch.setattr(identity_split, "held_out_threshold", lambda table, count: count)
    monkeypatch.setattr(identity_split, "count_training_identities", lambda *_: identities)
    monkeypatch.setattr(identity_split, "count_held_out_views", lambda *_: 2 * held_out)
    recipe = Recipe(data="made up", validation_identities=asked)
    assert stages.split(recipe, "made up").held_out == held_out


def test_pictures_of_their_own_train_in_pairs_of_any_two(tmp_path):
    heads = synthetic.identities(12, views=1, seed=1, size=48)
    write_prepared(tmp_path, [list(heads)], minimum_views=1)
    single = Recipe(data=str(tmp_path), pairs="any", validation_identities=2)
    assert stages.split(single, tmp_path).identities == 10
    with pytest.raises(RankPoseError, match="has one view, and a pair is of two; .*--pairs=any"):
        stages.split(dataclasses.replace(single, pairs="identity"), tmp_path)


def test_the_choice_of_pairs_does_not_change_whose_they_are(tmp_path):
    heads = list(synthetic.identities(8, views=2, seed=1, size=48))
    heads += synthetic.identities(4, views=1, seed=2, size=48)
    write_prepared(tmp_path, [heads])
    for pairs in ("identity", "any", "photos"):
        recipe = Recipe(data=str(tmp_path), pairs=pairs, validation_identities=0)
        assert stages.split(recipe, tmp_path).identities == 8


def test_held_out_identities_without_a_usable_view_are_told_before_a_training(tmp_path):
    heads = list(synthetic.identities(6, views=2, seed=1, size=48))
    write_prepared(tmp_path, [heads])
    table = prepared_folder.read_identity_table(tmp_path)
    threshold = identity_split.held_out_threshold(table, 1)
    held_out = [head.name for head in heads if not _trains(head, table, threshold)]
    heads = [
        dataclasses.replace(head, views=head.views[:1]) if head.name in held_out else head
        for head in heads
    ]
    write_prepared(tmp_path, [heads], minimum_views=1)
    recipe = Recipe(data=str(tmp_path), validation_identities=1)
    with pytest.raises(RankPoseError, match="validation_identities: none of the 1 held-out"):
        stages.split(recipe, tmp_path)
    assert stages.split(dataclasses.replace(recipe, pairs="any"), tmp_path).held_out == 1
    assert stages.split(dataclasses.replace(recipe, validation_identities=0), tmp_path)


def test_photos_of_one_identity_are_refused_before_the_epochs_on_pairs(prepared):
    recipe = Recipe(data=str(prepared), training_identities=1, epochs=2, photo_epochs=1)
    with pytest.raises(RankPoseError, match="photo_epochs: a pair of photos is of two training"):
        stages.stages(recipe, prepared, stages.split(recipe, prepared))


def _trains(head, table, threshold):
    row = [row for row in table if row["identity"] == head.name]
    return identity_split.count_training_identities(row, threshold, True) == 1
