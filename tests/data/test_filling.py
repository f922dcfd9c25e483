"""Random filling of black areas, eagerly and inside Dataset.map."""

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import filling
from tests.data.test_augment import mapped, picture

SEED = (7, 11)


def with_black(columns=10):
    image = np.maximum(picture(32, 32), 20).astype(np.float32)
    image[:, :columns] = 3
    return image


def test_a_black_area_is_filled_with_the_pixel_beside_it_and_the_rest_is_left():
    image = with_black()
    filled = filling.random_fill(image, SEED, 1.0).numpy()
    assert (filled[:, :11] != image[:, :11]).all(axis=-1).mean() > 0.99
    np.testing.assert_array_equal(filled[:, 11:], image[:, 11:])
    assert filled.min() >= 0 and filled.max() <= 255 and filled[:, :11].std() > 10


def test_what_is_as_narrow_as_a_pupil_stays():
    image = np.maximum(picture(32, 32), 20).astype(np.float32)
    image[10:14, 10:14] = 0
    image[:, 20:24] = 0
    np.testing.assert_array_equal(filling.random_fill(image, SEED, 1.0), image)
    image[8:14, 8:14] = 0
    assert filling.black_areas(image).numpy().sum() == 8 * 8


def test_a_picture_without_black_is_left_and_so_is_any_at_probability_0():
    image = with_black(0)
    np.testing.assert_array_equal(filling.random_fill(image, SEED, 1.0), image)
    np.testing.assert_array_equal(filling.random_fill(with_black(), SEED, 0.0), with_black())


def test_as_many_are_filled_as_was_asked_for_each_in_its_own_colours():
    image = tf.constant(with_black())
    seeds = tf.data.Dataset.range(300).map(lambda s: tf.stack([s, tf.constant(3, tf.int64)]))
    filled = seeds.map(lambda seed: filling.random_fill(image, seed, 0.3)).as_numpy_iterator()
    changed = [found for found in filled if (found != image.numpy()).any()]
    # Four standard deviations of a binomial.
    assert abs(len(changed) - 90) < 4 * np.sqrt(300 * 0.3 * 0.7)
    assert len({found[0, 0].tobytes() for found in changed}) == len(changed)


def test_a_picture_whose_size_is_not_known_yet_is_filled_too():
    filled = mapped(lambda image: filling.random_fill(image, SEED, 1.0), with_black())
    np.testing.assert_array_equal(filled, filling.random_fill(with_black(), SEED, 1.0))


def test_the_same_seed_fills_alike():
    one, other = (filling.random_fill(with_black(), SEED, 1.0).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("probability", [-0.1, 1.5])
def test_a_probability_out_of_range_is_named(probability):
    with pytest.raises(RankPoseError, match="probability: expected a number from 0 to 1"):
        filling.random_fill(with_black(), SEED, probability)
