"""Boxes of faces: left, top, right, bottom in pixels."""

import numpy as np


def overlaps(boxes, others):
    """Area of the intersection over that of the union, for every pair.

    Args:
      boxes: (N, 4).
      others: (M, 4).

    Returns:
      (N, M) within 0..1; 0 where a box is empty or not finite.
    """
    first, second = np.asarray(boxes, np.float64)[:, None], np.asarray(others, np.float64)[None]
    ends = np.minimum(first[..., 2:], second[..., 2:])
    sides = ends - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    union = _area(first) + _area(second) - shared
    # Also False where NaN is compared.
    meet = (shared > 0.0) & np.isfinite(union)
    return np.where(meet, shared, 0.0) / np.where(meet, union, 1.0)


def _area(boxes):
    """Area of boxes (..., 4), 0 if turned inside out."""
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
