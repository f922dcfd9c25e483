"""What is drawn for pairs: nothing twice, and for each view its own."""

import itertools

import numpy as np
import pytest

from rankpose_tf.data import records, synthetic
from rankpose_tf.data.pair_maker import PairMaker


@pytest.fixture(scope="module")
def record():
    """Of an identity with the same picture and box twice, and two labels."""
    head = synthetic.identity(0, views=2, seed=1, size=48)
    first, second = head.views
    same = records.View(second.name, first.image, second.pose, first.box)
    return records.encode_identity(records.Identity(head.name, head.group, (first, same)))


def drawn(record, worker, first, count):
    maker = PairMaker(7, worker, input_size=32, crop_scale=1.4)
    return [draws for *_, draws in maker._choose(first, [record] * count)]


def test_no_number_is_drawn_twice_and_a_pairs_follow_from_its_place(record):
    whole = drawn(record, 0, 0, 16)
    assert drawn(record, 0, 8, 8) == whole[8:]
    calls = [drawn(record, worker, first, 8) for worker in (0, 1) for first in (0, 8)]
    numbers = np.ravel(calls)
    assert len(np.unique(numbers)) == len(numbers)


def test_each_view_of_a_pair_is_changed_by_itself(record):
    changes = {"brightness_probability": 1.0, "brightness": 0.2}
    maker = PairMaker(7, 0, input_size=32, crop_scale=1.4, augmentation=changes)
    one, other, _ = maker.views(0, [record] * 4)
    means = [views.mean(axis=(1, 2, 3)) for views in (one, other)]
    assert np.abs(means[0] - means[1]).min() > 1.0


def test_views_have_noise_of_their_own(record):
    changes = {"noise_probability": 1.0, "noise_stddev": 40.0}
    options = {"input_size": 32, "crop_scale": 1.4}
    noisy = PairMaker(7, 0, **options, augmentation=changes).views(0, [record] * 4)
    clean = PairMaker(7, 0, **options, augmentation={"crop_probability": 1.0})
    clean = clean.views(0, [record] * 4)
    noise = [np.float64(n) - c for n, c in zip(noisy[:2], clean[:2], strict=True)]
    alike = np.corrcoef(np.concatenate(noise).reshape(8, -1)) - np.eye(8)
    assert np.abs(alike).max() < 0.2


def test_the_views_of_two_identities_are_drawn_independently(record):
    maker = PairMaker(7, 0, input_size=32, crop_scale=1.4, pairs="any")
    _, _, poses = maker.chosen(0, [(record, record)] * 40)
    labels = sorted(set(map(tuple, poses.reshape(-1, 3).tolist())))
    pairs = {tuple(labels.index(tuple(pose)) for pose in pair) for pair in poses.tolist()}
    assert pairs == set(itertools.product((0, 1), repeat=2))
