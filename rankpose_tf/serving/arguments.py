"""Checks of what callers pass to the clients of TF Serving, and the reading of their pictures."""

import itertools
import math
import numbers
import os
import pathlib
import reprlib

import numpy as np

from rankpose_tf.core.errors import RankPoseError


def pictures(images):
    """`images` if it is several; RankPoseError for one, or what can't be gone through."""
    if isinstance(images, bytes | bytearray | memoryview | str | os.PathLike):
        raise RankPoseError("images: expected a list, received one picture; pass [image]")
    if not hasattr(images, "__iter__") or hasattr(images, "read"):
        raise RankPoseError(
            f"images: expected a list of bytes or paths, received {type(images).__name__}"
        )
    return images


def boxes_of(boxes):
    """Boxes as an array of float32; of an empty list (0, 4)."""
    try:
        boxes = np.asarray(boxes, np.float32)
        return boxes.reshape(0, 4) if boxes.shape == (0,) else boxes
    except (TypeError, ValueError) as error:
        raise RankPoseError(
            f"boxes: expected (N, 4) numbers, received {reprlib.repr(boxes)}"
        ) from error


def in_step(images, boxes):
    """Yields (picture, (4,) box), one of each for the other."""
    absent = object()
    for image, box in itertools.zip_longest(images, boxes, fillvalue=absent):
        if image is absent or box is absent:
            more = "more" if image is absent else "fewer"
            raise RankPoseError(f"boxes: expected one box a picture, received {more}")
        numbers_of_box = boxes_of(box)
        if numbers_of_box.shape != (4,):
            raise RankPoseError(
                f"boxes: expected (4,) left, top, right, bottom, received {numbers_of_box.shape}"
            )
        yield image, numbers_of_box


def require_whole(name, value, least):
    """Refuses what is no whole number from `least` on."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise RankPoseError(f"{name}: expected a whole number from {least}, received {value!r}")


def checked_deadline(seconds):
    """`seconds`, if a request can take so long."""
    if not isinstance(seconds, numbers.Real):
        raise RankPoseError(f"deadline: expected seconds, received {seconds!r}")
    if not 0 < seconds < math.inf:
        raise RankPoseError(f"deadline: expected seconds above 0, received {seconds}")
    return seconds


def content(image):
    """Bytes of a picture given as such or as a path."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    try:
        return pathlib.Path(os.path.expanduser(image)).read_bytes()
    except TypeError as error:
        raise RankPoseError(
            f"images: expected bytes or a path, received {type(image).__name__}; decoded pictures "
            "go to predict_arrays"
        ) from error
    except OSError as error:
        raise RankPoseError(f"images: {str(image)!r} can't be read: {error.strerror}") from error
