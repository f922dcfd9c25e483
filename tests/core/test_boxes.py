"""How far boxes of faces overlap."""

import numpy as np

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
