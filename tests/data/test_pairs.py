"""Pairs from shards: who is in them, that they repeat, that they resume, that labels follow."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core import pose as poses_module
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import (
    identity_split,
    pairs,
    places,
    prepared_folder,
    records,
    synthetic,
)
from rankpose_tf.data.pair_maker import PairMaker
from tests.conftest import write_prepared

STRONG = {
    "crop_scale_max": 1.6,
    "scale_probability": 1.0,
    "crop_probability": 1.0,
    "crop_shift": 0.05,
    "noise_probability": 0.5,
    "noise_stddev": 10.0,
    "blur_probability": 0.5,
    "blur_sigma": 1.5,
    "rotation_probability": 0.5,
    "rotation_degrees": 30.0,
    "flip_probability": 0.5,
    "fill_probability": 0.5,
    "brightness_probability": 0.5,
    "brightness": 0.2,
    "contrast_probability": 0.5,
    "contrast": 0.3,
    "grey_probability": 0.5,
    "erase_probability": 0.5,
    "erase_area": 0.3,
    "dark_probability": 0.2,
    "least_light": 0.25,
}


def stream(directory, table, steps, held_out=4, **arguments):
    threshold = identity_split.held_out_threshold(table, held_out)
    count = identity_split.count_training_identities(table, threshold, True)
    options = {"input_size": 32, "batch_size": 6, "threshold": threshold, "round_length": count}
    dataset = pairs.training_pairs(directory, **{**options, **arguments})
    return [
        (first.numpy(), second.numpy(), pose.numpy())
        for (first, second), pose in itertools.islice(dataset, steps)
    ]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def poses_of(directory):
    """Label rows of every identity, by identity."""
    rows = {}
    for batch in pairs.views(directory, 32, 1.4, 16):
        for name, pose in zip(batch["identity"].numpy(), batch["pose"].numpy(), strict=True):
            rows.setdefault(name, []).append(tuple(pose))
    return rows


@pytest.fixture(scope="module")
def augmented(prepared, table):
    """Thirteen steps of 6 pairs, over the ends of three rounds of 20 identities."""
    return stream(prepared, table, 13, seed=7, augmentation=STRONG)


def test_elements_have_the_documented_shapes_and_range(augmented):
    first, second, pose = augmented[0]
    assert first.shape == second.shape == (6, 32, 32, 3) and pose.shape == (6, 2, 3)
    for view in (first, second):
        assert view.min() >= 0 and view.max() <= 255 and view.std() > 10


def test_a_pair_is_two_different_views_of_one_identity(prepared, table):
    rows = poses_of(prepared)
    owner = {pose: name for name, poses in rows.items() for pose in poses}
    for _, _, poses in stream(prepared, table, 10):
        for one, other in poses:
            assert owner[tuple(one)] == owner[tuple(other)]
            assert not np.array_equal(one, other)


def test_one_round_visits_every_training_identity_once_in_a_new_order_each_round(prepared, table):
    owner = {pose: name for name, poses in poses_of(prepared).items() for pose in poses}
    batches = stream(prepared, table, 10, batch_size=4)
    seen = [owner[tuple(pair[0])] for _, _, poses in batches for pair in poses]
    rounds = seen[:20], seen[20:]
    assert len(set(rounds[0])) == len(set(rounds[1])) == 20
    assert rounds[0] != rounds[1]


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(prepared, table, augmented):
    assert_same(augmented[:5], stream(prepared, table, 5, seed=7, augmentation=STRONG))
    one, other = (stream(prepared, table, 1, seed=seed)[0] for seed in (7, 8))
    assert not np.array_equal(one[2], other[2])


def test_a_stream_from_a_later_step_goes_on_exactly(prepared, table, augmented):
    options = {"seed": 7, "augmentation": STRONG}
    assert_same(augmented[7:], stream(prepared, table, 6, start_step=7, **options))


@pytest.mark.parametrize("start", [1, 3, 11])
def test_the_order_goes_on_exactly_in_each_round(prepared, table, start):
    whole = stream(prepared, table, 13)
    assert_same(whole[start:], stream(prepared, table, 13 - start, start_step=start))


def test_held_out_identities_never_train_and_are_all_validated_twice_a_view(prepared, table):
    threshold = identity_split.held_out_threshold(table, 4)
    rows = poses_of(prepared)
    owner = {pose: name for name, poses in rows.items() for pose in poses}
    trained = {owner[tuple(pair[0])] for b in stream(prepared, table, 10) for pair in b[2]}
    validation = pairs.validation_pairs(prepared, input_size=32, batch_size=5, threshold=threshold)
    views = [tuple(pose) for _, pose in validation for pose in pose.numpy().reshape(-1, 3)]
    validated = {owner[pose] for pose in views}
    assert len(validated) == 4 and not validated & trained
    assert sorted(views) == sorted(2 * [pose for name in validated for pose in rows[name]])


def test_held_out_photos_are_the_first_views_of_the_held_out_identities(prepared, table):
    threshold = identity_split.held_out_threshold(table, 4)
    options = {"input_size": 32, "batch_size": 3, "threshold": threshold}
    rows, owner = poses_of(prepared), owners(prepared)
    of_all = pairs.validation_pairs(prepared, **options)
    names = {owner[tuple(p)] for _, pose in of_all for p in pose.numpy()[:, 0]}
    photos = pairs.validation_pairs(prepared, photos=True, **options)
    shown = [tuple(p) for _, pose in photos for p in pose.numpy().reshape(-1, 3)]
    assert sorted(shown) == sorted(2 * [rows[name][0] for name in names])


def test_a_mirrored_copy_is_held_out_with_its_original(tmp_path):
    heads = list(synthetic.identities(6, views=2, seed=1, size=48))
    mirrored = [
        records.Identity(name=f"{head.name}_Flip", group=head.group, views=head.views)
        for head in heads
    ]
    write_prepared(tmp_path, [heads, mirrored])
    table = prepared_folder.read_identity_table(tmp_path)
    threshold = identity_split.held_out_threshold(table, 2)
    assert identity_split.count_training_identities(table, threshold, True) == 2 * (6 - 2)


def test_views_over_99_degrees_are_left_out_and_may_leave_an_identity_without_a_pair(tmp_path):
    heads = list(synthetic.identities(6, views=3, seed=1, size=48))

    def turned(view):
        pose = np.float32([view.pose[0], np.radians(120), view.pose[2]])
        return records.View(name=view.name, image=view.image, pose=pose, box=view.box)

    first = records.Identity(
        name=heads[0].name,
        group=heads[0].group,
        views=(heads[0].views[0], *map(turned, heads[0].views[1:])),
    )
    write_prepared(tmp_path, [[first, *heads[1:]]])
    table = prepared_folder.read_identity_table(tmp_path)
    assert identity_split.count_training_identities(table, -1, True) == 5
    assert identity_split.count_training_identities(table, -1, False) == 6
    for _, _, pose in stream(tmp_path, table, 4, held_out=0):
        assert np.abs(pose).max() < np.radians(99)
    filtered = sum(len(b["name"]) for b in pairs.views(tmp_path, 32, 1.4, 4, True))
    assert filtered == 6 * 3 - 2
    assert sum(len(b["name"]) for b in pairs.views(tmp_path, 32, 1.4, 4, False)) == 6 * 3


def test_views_of_held_out_identities_are_those_of_validation(prepared, table):
    threshold = identity_split.held_out_threshold(table, 4)
    batches = list(pairs.views(prepared, 32, 1.4, 3, True, threshold))
    found = sorted(tuple(pose) for batch in batches for pose in batch["pose"].numpy())
    validation = pairs.validation_pairs(prepared, input_size=32, batch_size=5, threshold=threshold)
    assert found == sorted(tuple(p) for _, pose in validation for p in pose.numpy()[:, 0])
    assert len(found) == identity_split.count_held_out_views(table, threshold, True) == 4 * 4


def test_each_view_of_a_pair_is_rotated_by_itself_with_its_label(prepared, table):
    plain = stream(prepared, table, 3)
    options = {"rotation_probability": 1.0, "rotation_degrees": 30.0}
    turned = stream(prepared, table, 3, augmentation=options)
    angles = []
    for before, after in zip(plain, turned, strict=True):
        change = poses_module.rotation_from_angles(after[2]) @ np.swapaxes(
            poses_module.rotation_from_angles(before[2]), -1, -2
        )
        # A turn about the camera's z axis alone.
        np.testing.assert_allclose(change[..., 2, 2], 1.0, atol=1e-6)
        angles.append(np.degrees(np.arctan2(change[..., 0, 1], change[..., 0, 0])))
    angles = np.concatenate(angles)
    assert np.abs(angles).max() <= 30.001 and angles.min() < -15 and angles.max() > 15
    assert abs(np.corrcoef(angles.T)[0, 1]) < 0.7
    assert np.abs(angles[:, 0] - angles[:, 1]).max() > 15


def test_flipped_pairs_carry_mirrored_labels_in_both_views(prepared, table):
    # Evaluation's crops are of another kind: a square that is moved by nothing is not.
    plain = stream(prepared, table, 3, augmentation={"crop_probability": 1.0})
    flipped = stream(prepared, table, 3, augmentation={"flip_probability": 1.0})
    for before, after in zip(plain, flipped, strict=True):
        np.testing.assert_array_equal(after[0], before[0][:, :, ::-1])
        np.testing.assert_array_equal(after[1], before[1][:, :, ::-1])
        np.testing.assert_array_equal(after[2], before[2] * np.float32([-1, 1, -1]))


def test_without_augmentation_a_training_view_is_the_evaluation_view(prepared, table):
    crops = {}
    for batch in pairs.views(prepared, 32, 1.4, 16):
        for pose, image in zip(batch["pose"].numpy(), batch["image"].numpy(), strict=True):
            crops[tuple(pose)] = image
    for first, second, poses in stream(prepared, table, 2):
        for view, pose in zip(first, poses[:, 0], strict=True):
            np.testing.assert_array_equal(view, crops[tuple(pose)])
        for view, pose in zip(second, poses[:, 1], strict=True):
            np.testing.assert_array_equal(view, crops[tuple(pose)])


def test_the_crop_scale_is_one_for_both_views_of_a_pair(prepared, table):
    options = {"crop_scale_max": 2.4, "scale_probability": 1.0}
    draw = places.Places(**options).draw
    boxes = np.float32([[10, 12, 60, 62], [5, 5, 105, 65]])
    for share in (0.0, 0.3, 0.99):
        views, _ = draw(boxes, np.zeros((2, 3)), [0.0, share] + [0.5] * 14, 32)
        sides = [view.square[2] * 2**view.halved for view in views]
        scale = 1.4 + share * (2.4 - 1.4)
        np.testing.assert_allclose(sides, [50 * scale, 100 * scale], atol=2)


def test_a_pairs_scale_lies_in_its_range_which_may_begin_below_the_usual_one():
    options = {"crop_scale_min": 1.2, "crop_scale_max": 1.6}
    certain = places.Places(**options, scale_probability=1.0)
    assert certain.draw_scale(0.9, 0.0) == 1.2
    assert certain.draw_scale(0.0, 0.25) == pytest.approx(1.2 + 0.25 * (1.6 - 1.2))
    half = places.Places(**options, scale_probability=0.5)
    assert half.draw_scale(0.5, 0.25) == 1.4 and half.draw_scale(0.49, 0.25) < 1.4


def few_stream(directory, table, steps, count, **arguments):
    """`stream` over `count` training identities, 4 held out."""
    threshold = identity_split.held_out_threshold(table, 4)
    chosen = identity_split.choose_identities(directory, threshold, True, count)
    return stream(directory, table, steps, chosen=chosen, round_length=count, **arguments)


def owners(directory):
    return {pose: name for name, poses in poses_of(directory).items() for pose in poses}


def test_few_training_identities_are_part_of_more_and_none_is_held_out(prepared, table):
    threshold = identity_split.held_out_threshold(table, 4)
    groups = {row["identity"]: row["group"] for row in table}
    chosen = {}
    for count in (2, 5, 19, 20):
        found = identity_split.choose_identities(prepared, threshold, True, count)
        names = [records.parse_identity(record)["identity"].numpy().decode() for record in found]
        chosen[count] = set(names)
        assert len(chosen[count]) == count
        assert all(identity_split._group_hash(groups[name]) > threshold for name in names)
    assert chosen[2] < chosen[5] < chosen[19] < chosen[20]


def test_few_training_identities_each_train_once_a_round(prepared, table):
    owner = owners(prepared)
    batches = few_stream(prepared, table, 6, 5, batch_size=5)
    rounds = [[owner[tuple(pair[0])] for pair in poses] for _, _, poses in batches]
    assert all(len(set(one)) == 5 and set(one) == set(rounds[0]) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1
    pairs_of_one = [[owner[tuple(pose)] for pose in pair] for b in batches for pair in b[2]]
    assert all(one == other for one, other in pairs_of_one)


def test_asking_for_more_training_identities_than_there_are_says_how_many(prepared, table):
    threshold = identity_split.held_out_threshold(table, 4)
    with pytest.raises(RankPoseError, match="training_identities: expected at most 20.*21; 0 is"):
        identity_split.choose_identities(prepared, threshold, True, 21)


def test_holding_out_too_many_identities_is_an_error(table):
    with pytest.raises(RankPoseError, match="validation_identities: expected 0 to 22.*received 23"):
        identity_split.held_out_threshold(table, 23)


def damaged(change):
    """A record of two views after `change` of its parts."""
    example = tf.train.Example.FromString(
        records.encode_identity(synthetic.identity(0, views=2, seed=1, size=48))
    )
    change(example.features.feature)
    return example.SerializeToString()


DAMAGE = {
    "an empty picture": lambda f: f["images"].bytes_list.value.__setitem__(0, b""),
    "no picture": lambda f: f["images"].bytes_list.value.__setitem__(0, b"picture"),
    "a picture that is missing": lambda f: f["images"].bytes_list.value.pop(),
    "a box that is cut short": lambda f: f["boxes"].float_list.value.pop(),
    "a box without end": lambda f: f["boxes"].float_list.value.__setitem__(2, np.inf),
    "a box that is no number": lambda f: f["boxes"].float_list.value.__setitem__(2, np.nan),
    "poses that are no numbers": lambda f: f["poses"].float_list.value.__setitem__(1, np.nan),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damage_within_a_record_is_what_an_input_pipeline_tells_of(change):
    dataset = pairs.training_pairs(
        "",
        chosen=[damaged(change)],
        round_length=1,
        input_size=16,
        batch_size=1,
        augmentation=STRONG,
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="IteratorGetNext"):
        next(iter(dataset))


def test_what_is_no_record_is_told_too():
    maker = PairMaker(0, 0, input_size=16, crop_scale=1.4, augmentation=STRONG)
    with pytest.raises(ValueError, match="a record is damaged"):
        maker.views(0, [b"no record"])


def test_probabilities_of_zero_are_no_augmentation(prepared, table):
    none = dict.fromkeys((name for name in STRONG if name.endswith("_probability")), 0.0)
    plain = stream(prepared, table, 1)
    assert_same(plain, stream(prepared, table, 1, augmentation={**STRONG, **none}))
