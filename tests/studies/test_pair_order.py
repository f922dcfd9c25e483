"""Order of pairs by the difference of their labels: counted by hand, and as training counts it."""

import dataclasses
import shutil

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, pairs, prepared_folder, synthetic
from rankpose_tf.models import saving
from rankpose_tf.studies import pair_order
from rankpose_tf.training import held_out, losses
from tests.conftest import write_prepared
from tests.support.doors import run_door


def poses(differences):
    """(N, 2, 3): views whose labels differ by (N, 3)."""
    differences = np.asarray(differences, np.float32)
    return np.stack([np.zeros_like(differences), differences], axis=1)


def test_shares_are_those_counted_by_hand():
    true = poses([[1, 30, 0], [-1, -30, 3]])
    predicted = poses([[-2, 5, 9], [-1, 4, 2]])
    # Right: yaw of the second, pitch of the first, roll of the second; equal labels are left out.
    found = pair_order.summarise(true, predicted)
    assert found["ordered"] == pytest.approx(3 / 5)
    assert found["by_angle"] == {"yaw": 0.5, "pitch": 0.5, "roll": 1.0}
    rows = {row["from"]: row for row in found["by_difference"]}
    assert rows[0] == {"from": 0, "to": 2, "share": 0.4, "share_of_wrong": 0.5, "ordered": 0.5}
    assert rows[2]["share"] == 0.2 and rows[2]["ordered"] == 1 and rows[2]["share_of_wrong"] == 0
    assert rows[20]["share"] == 0.4 and rows[20]["share_of_wrong"] == 0.5
    assert rows[10]["share"] == 0 and rows[10]["ordered"] is None


def test_a_perfect_model_has_no_wrong_order_to_share():
    found = pair_order.summarise(poses([[1, 2, 3]]), poses([[1, 2, 3]]))
    assert found["ordered"] == 1
    assert {row["share_of_wrong"] for row in found["by_difference"]} == {None}
    assert "| 0 to 2 | 33.3 | - | 100.0 |" in pair_order.table(found)


def test_labels_that_are_all_equal_are_an_error():
    with pytest.raises(RankPoseError, match="no two views of a held-out identity differ"):
        pair_order.summarise(poses([[0, 0, 0]]), poses([[1, 2, 3]]))


def test_the_share_is_the_one_that_training_reports(small_model, prepared):
    found = pair_order.measure(small_model, prepared, validation_identities=5, batch_size=7)
    network, _ = saving.load_model(small_model)
    threshold = identity_split.held_out_threshold(prepared_folder.read_identity_table(prepared), 5)
    metric = losses.OrderAccuracy()
    for views, pose in pairs.validation_pairs(
        prepared, input_size=32, batch_size=4, threshold=threshold
    ):
        metric.update_state(pose, np.stack([network(view) for view in views], axis=1))
    assert found["ordered"] == pytest.approx(float(metric.result()), abs=1e-6)
    shares = [row["share"] for row in found["by_difference"]]
    assert sum(shares) == pytest.approx(1)
    assert len(pair_order.table(found).splitlines()) == 2 + len(shares) + 2


def test_the_model_says_how_many_its_training_held_out(small_model, prepared, tmp_path):
    with pytest.raises(RankPoseError, match="does not say which .* pass --validation_identities"):
        pair_order.measure(small_model, prepared)
    network, description = saving.load_model(small_model)
    for asked, count in ((5, 5), (-1, 4)):
        recipe = {"validation_identities": asked, "filter_angles": True}
        saving.save_model(network, tmp_path / "told.keras", {**description, "recipe": recipe})
        told = pair_order.measure(tmp_path / "told.keras", prepared)
        assert told == pair_order.measure(small_model, prepared, validation_identities=count)


def test_the_model_says_whether_its_training_left_out_far_turned_views(small_model, tmp_path):
    heads = []
    for head in synthetic.identities(8, views=4, seed=3, size=48):
        turned = [
            dataclasses.replace(view, pose=np.array([yaw, *view.pose[1:]], np.float32))
            for yaw, view in zip((2.0, 2.1), head.views[:2], strict=True)
        ]
        heads.append(dataclasses.replace(head, views=(*turned, *head.views[2:])))
    write_prepared(tmp_path, [heads])
    network, description = saving.load_model(small_model)
    told = {}
    for filtered in (True, False):
        recipe = {"validation_identities": 4, "filter_angles": filtered}
        path = tmp_path / f"{filtered}.keras"
        saving.save_model(network, path, {**description, "recipe": recipe})
        told[filtered] = pair_order.measure(path, tmp_path)["ordered"]
        rows = prepared_folder.read_identity_table(tmp_path)
        threshold = identity_split.held_out_threshold(rows, 4)
        trained = held_out.errors(path, tmp_path, threshold, filter_angles=filtered)
        assert told[filtered] == pytest.approx(trained["ordered"])
    assert told[True] != told[False]


def test_other_data_than_the_model_was_trained_on_are_refused(small_model, prepared, tmp_path):
    shutil.copy(small_model / "best.keras", tmp_path)
    (tmp_path / "flags.cfg").write_text("# fingerprint of the data: 0\n--validation_identities=4\n")
    with pytest.raises(RankPoseError, match="data: the run .* trained on other data"):
        pair_order.measure(tmp_path, prepared)


def test_nothing_held_out_is_named(small_model, prepared):
    with pytest.raises(RankPoseError, match="validation_identities: expected 1 or more"):
        pair_order.measure(small_model, prepared, validation_identities=0)


def test_a_set_without_pairs_is_named(small_model, tmp_path):
    write_prepared(tmp_path, [list(synthetic.identities(6, views=1, seed=1, size=48))])
    with pytest.raises(RankPoseError, match="none of 3 held-out identities .* has two usable"):
        pair_order.measure(small_model, tmp_path, validation_identities=3)


def test_a_second_folder_is_not_passed_over():
    done = run_door("study", "order", "--data=one,other")
    assert done.returncode == 1
    assert "data: this study looks at one folder, received one, other" in done.stderr
