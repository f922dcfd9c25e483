"""Errors on held-out identities, in total, by yaw and on the pictures as they were taken."""

import numpy as np

from rankpose_tf.data import identity_split, pairs, prepared_folder, records, synthetic
from rankpose_tf.models import saving
from rankpose_tf.training import held_out
from tests.conftest import write_prepared


def absolute_errors(workdir, data, threshold):
    """Names, true yaw and absolute errors (N, 3) of every held-out view, one by one."""
    network, _ = saving.load_model(workdir)
    groups = [row["group"] for row in prepared_folder.read_identity_table(data)]
    hashes = dict(zip(groups, identity_split._group_hash(groups).numpy(), strict=True))
    names, poses, errors = [], [], []
    for batch in pairs.views(data, 32, 1.4, 1):
        if hashes[batch["identity"].numpy()[0].decode()] <= threshold:
            names.append(batch["name"].numpy()[0].decode())
            poses.append(batch["pose"].numpy()[0])
            errors.append(np.abs(network(batch["image"])[0] - poses[-1]))
    return names, np.degrees(poses), np.degrees(errors)


def test_figures_are_those_of_the_held_out_views_alone(small_model, prepared):
    threshold = identity_split.held_out_threshold(prepared_folder.read_identity_table(prepared), 5)
    found = held_out.errors(small_model, prepared, threshold, batch_size=3)
    names, poses, errors = absolute_errors(small_model, prepared, threshold)
    assert found["images"] == len(names) == 5 * 4
    for column, angle in enumerate(("yaw", "pitch", "roll")):
        np.testing.assert_allclose(found["mae"][angle], errors[:, column].mean(), rtol=1e-4)
    frontal = next(part for part in found["by_yaw"] if part["from"] == -15)
    inside = (poses[:, 0] >= -15) & (poses[:, 0] < 15)
    assert frontal["images"] == inside.sum() > 0
    np.testing.assert_allclose(frontal["mae"]["mean"], errors[inside].mean(), rtol=1e-4)
    first = [name.endswith("_0.jpg") for name in names]
    assert found["first_views"]["images"] == sum(first) == 5
    np.testing.assert_allclose(found["first_views"]["mae"]["mean"], errors[first].mean(), rtol=1e-4)
    assert sum(part["images"] for part in found["first_views"]["by_yaw"]) == 5


def test_the_share_in_order_is_that_of_the_pairs_of_a_validation():
    # Two people; the first has three views, each beside the next and the last beside the first.
    true = np.array([[0, 0, 1], [10, 0, 2], [20, 0, 3], [5, 5, 5], [6, 5, 4]], float)
    predicted = np.array([[1, 0, 1], [9, 1, 2], [8, 2, 3], [0, 0, 0], [1, 1, 1]], float)
    found = held_out._share_in_order(["a", "a", "a", "b", "b"], true, predicted)
    # Yaw of a: right, wrong, right; roll of a: three right; yaw of b: two right; roll: two wrong.
    assert found == 7 / 10
    assert held_out._share_in_order(["a", "b"], true[:2], predicted[:2]) is None


def test_without_names_that_tell_there_are_no_first_views(small_model, tmp_path):
    heads = [
        records.Identity(
            name=head.name,
            group=head.group,
            views=tuple(
                records.View(name=f"{i}.png", image=v.image, pose=v.pose, box=v.box)
                for i, v in enumerate(head.views, start=1)
            ),
        )
        for head in synthetic.identities(4, views=2, seed=1, size=48)
    ]
    write_prepared(tmp_path, [heads])
    threshold = identity_split.held_out_threshold(prepared_folder.read_identity_table(tmp_path), 2)
    found = held_out.errors(small_model, tmp_path, threshold)
    assert found["images"] == 2 * 2 and found["first_views"] is None
