"""How far boxes of faces overlap, and which are none."""

import numpy as np
import pytest

from rankpose_tf.core import boxes
from rankpose_tf.core.boxes import overlaps


def box(left, top=0, side=10):
    return [left, top, left + side, top + side]


def test_overlap_is_the_intersection_over_the_union():
    boxes = [box(0), box(5), box(10), box(0, side=5)]
    expected = [[1.0, 50 / 150, 0.0, 25 / 100]]
    np.testing.assert_allclose(overlaps(boxes[:1], boxes), expected)


def test_boxes_without_an_extent_or_a_place_overlap_nothing():
    strange = [[3, 3, 3, 8], [8, 8, 2, 2], [np.nan, 0, 5, 5], [0, 0, np.inf, np.inf]]
    np.testing.assert_array_equal(overlaps(strange, [box(0)]), np.zeros((4, 1)))
    np.testing.assert_array_equal(overlaps(strange[:2], strange[:2]), np.zeros((2, 2)))


def test_boxes_of_users_are_float64_of_their_shape():
    assert boxes.read([1, 2, 3, 4]).dtype == np.float64
    assert boxes.read(np.zeros((0, 4), np.int32)).shape == (0, 4)
    assert boxes.read([]).shape == (0, 4)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.2, 0.2, 0.7, 0.7), np.full((3, 4), 0.5)])
def test_boxes_within_0_and_1_are_shares(box):
    assert boxes.in_shares(np.array(box, np.float64))


@pytest.mark.parametrize("box", [(0, 0, 1, 1.5), (-0.1, 0, 1, 1), (0, 0, np.nan, 1)])
def test_boxes_of_more_are_pixels(box):
    assert not boxes.in_shares(np.array(box, np.float64))


@pytest.mark.parametrize(
    ("box", "outside"),
    [
        ((-9, -9, 1, 1), False),
        ((39, 27, 90, 90), False),
        ((-9, -9, 90, 90), False),
        ((40, 0, 90, 9), True),
        ((0, 28, 9, 90), True),
        ((-9, 0, 0, 9), True),
        ((0, -9, 9, 0), True),
    ],
)
def test_a_box_is_outside_if_it_shares_no_pixel(box, outside):
    assert boxes.is_outside(np.array(box, np.float64), 40, 28) == outside
