"""Boxes of faces: left, top, right, bottom in pixels."""

import numpy as np

from rankpose_tf.core.errors import RankPoseError

# Pixels; float32 still tells halves of them apart there.
LARGEST_COORDINATE = 2.0**22


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


def read(box):
    """Boxes as a user gives them.

    Args:
      box: numbers, (4,) or (N, 4), N may be 0: an empty list too.

    Returns:
      The same, float64; whether they are boxes of an extent is not looked at.

    Raises:
      RankPoseError: for anything else.
    """
    try:
        boxes = np.asarray(box, np.float64)
    except (TypeError, ValueError) as error:
        raise RankPoseError(f"box: expected numbers, received {box!r}") from error
    if boxes.shape == (0,):
        return boxes.reshape(0, 4)
    if boxes.ndim not in (1, 2) or boxes.shape[-1] != 4:
        raise RankPoseError(
            f"box: expected shape (4,) or (B, 4): left, top, right, bottom in pixels; received "
            f"{boxes.shape}"
        )
    return boxes


def require_extent(boxes):
    """Refuses boxes (4,) or (N, 4) of which one is not finite or has no extent."""
    wrong = ~np.all(np.abs(boxes) < LARGEST_COORDINATE, axis=-1)  # NaN is not below it either.
    wrong |= np.any(boxes[..., 2:] <= boxes[..., :2], axis=-1)
    if wrong.any():
        first = np.atleast_2d(boxes)[np.flatnonzero(wrong)[0]].tolist()
        raise RankPoseError(
            f"box: expected finite left, top, right, bottom with left < right and top < bottom, "
            f"received {first}"
        )


def require_inside(box, picture):
    """Refuses a box (4,) of which no part is in the picture (H, W, 3), or in shares of it."""
    height, width = picture.shape[:2]
    if in_shares(box):
        raise RankPoseError(
            f"box: expected pixels, received {box.tolist()}, which are shares of the picture; "
            f"multiply them by its width {width} and height {height}"
        )
    if is_outside(box, width, height):
        raise RankPoseError(
            f"box: expected a part of it within the picture of {width} x {height} pixels, received "
            f"{box.tolist()}"
        )


def in_shares(boxes):
    """Whether all boxes (..., 4) are within 0..1: shares of a picture, or of one pixel."""
    return bool(np.all((boxes >= 0) & (boxes <= 1)))


def is_outside(box, width, height):
    """Whether no part of a box (4,) is in a picture of so many pixels."""
    return bool(np.any(box[:2] >= (width, height)) or np.any(box[2:] <= 0))


def _area(boxes):
    """Area of boxes (..., 4), 0 if turned inside out."""
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
