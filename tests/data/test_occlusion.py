"""Random erasing, eagerly and inside Dataset.map."""

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import occlusion
from tests.data.test_augment import mapped, picture

SEED = (7, 11)


@pytest.fixture(scope="module")
def rectangles():
    """(top, bottom, left, right), pixels, of 200 erased rectangles of a white 60 x 40 picture."""
    white = tf.fill((60, 40, 3), 256.0)
    seeds = tf.data.Dataset.range(200).map(lambda s: tf.stack([s, tf.constant(3, tf.int64)]))
    found = []
    for erased in seeds.map(lambda s: occlusion.random_erase(white, s, 1.0, 0.4)):
        inside = (erased.numpy() != 256.0).any(axis=-1)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        # Filled, without a hole, and nothing beside it.
        assert inside.sum() == (box[1] - box[0]) * (box[3] - box[2])
        assert inside[box[0] : box[1], box[2] : box[3]].all()
        found.append(box)
    return np.array(found)


def test_area_and_aspect_ratio_stay_in_their_range(rectangles):
    heights, widths = rectangles[:, 1] - rectangles[:, 0], rectangles[:, 3] - rectangles[:, 2]
    shares = heights * widths / (60 * 40)
    # Sides are whole pixels, half a pixel off at either end.
    slack = (0.5 / 60 + 0.5 / 40) * 2
    assert shares.min() > 0.02 - 0.2 * slack and shares.max() < 0.4 + slack
    assert abs(shares.mean() - (0.02 + 0.4) / 2) < 4 * (0.38 / np.sqrt(12)) / np.sqrt(200)
    ratios = (heights / 60) / (widths / 40)
    assert np.log(ratios).max() < np.log(1 / 0.3) + 0.3 and np.log(ratios).min() > np.log(0.3) - 0.3
    assert ratios.max() > 2 and ratios.min() < 0.5
    assert abs(np.log(ratios).mean()) < 4 * (np.log(1 / 0.3) / np.sqrt(3)) / np.sqrt(200)


def test_a_rectangle_may_lie_anywhere_and_is_not_cut_by_the_border(rectangles):
    centres = (rectangles[:, ::2] + rectangles[:, 1::2]) / 2 / (60, 40)
    assert np.abs(centres.mean(axis=0) - 0.5).max() < 4 * 0.2 / np.sqrt(200)
    assert centres.min() < 0.25 and centres.max() > 0.75
    assert (rectangles[:, 0] == 0).mean() < 0.2


def test_what_lies_beside_the_rectangle_is_left_and_the_filling_is_in_range():
    image = picture(32, 32)
    plain = noisy = 0
    for seed in range(40):
        erased = occlusion.random_erase(image, (seed, 1), 1.0, 0.3).numpy()
        inside = (erased != image).any(axis=-1)
        assert 0.01 < inside.mean() < 0.36
        assert erased.min() >= 0.0 and erased.max() <= 255.0
        spread = erased[inside].std(axis=0).mean()
        plain += spread < 15
        noisy += spread > 50
    assert plain > 3 and noisy > 3


def test_inside_map_equals_eager_and_a_seed_repeats():
    def call(image, seed):
        return occlusion.random_erase(image, seed, 1.0, 0.3)

    eager = call(picture(), SEED)
    np.testing.assert_allclose(mapped(call, picture(), np.int64(SEED)), eager, atol=1e-3)
    np.testing.assert_array_equal(call(picture(), SEED), eager)
    assert not np.array_equal(call(picture(), (8, 11)), eager)


def test_share_of_erased_pictures_is_the_probability():
    image = picture(12, 12)
    seeds = tf.data.Dataset.range(400).map(lambda s: tf.stack([s, tf.constant(3, tf.int64)]))
    changed = seeds.map(
        lambda s: tf.reduce_any(occlusion.random_erase(image, s, 0.3, 0.5) != image)
    )
    share = np.mean([bool(value) for value in changed])
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)


def test_probability_zero_returns_the_picture_itself():
    image = tf.constant(picture())
    assert occlusion.random_erase(image, SEED, 0.0, 0.3) is image


def test_a_whole_picture_may_be_erased():
    seeds = [occlusion.random_erase(picture(), (s, 0), 1.0, 1.0).numpy() for s in range(40)]
    assert max((erased != picture()).any(axis=-1).mean() for erased in seeds) > 0.8


@pytest.mark.parametrize(
    ("probability", "area", "message"),
    [
        (1.5, 0.3, "probability: expected a number from 0 to 1, received 1.5"),
        (0.5, 0.0, "area: expected a number from 0.02 to 1, received 0.0"),
        (0.5, 1.2, "area: expected"),
    ],
)
def test_a_wrong_argument_is_named(probability, area, message):
    with pytest.raises(RankPoseError, match=message):
        occlusion.random_erase(picture(), SEED, probability, area)
