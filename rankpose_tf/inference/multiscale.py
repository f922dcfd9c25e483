"""Small faces as well as large ones: one network proposes, another confirms and measures.

BlazeFace's short-range model finds the large faces in the whole picture. Its back-camera model
looks at the whole picture too and, of a larger one, at overlapping square tiles; each face that
it proposes beside those is looked at again by the short-range model, enlarged and turned upright.
That second look gives box and points, so that one rule serves every face, and it counts as a
face if both networks together are sure enough and no surer face has its place.

There are at most 12 tiles, whatever the picture's size: time and memory are bounded.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from rankpose_tf.inference import rolled

# Sides of the least tile, pixels, which the network sees at about its own size; a smaller picture
# is seen whole at half its size or more.
_TILE = 288
_UNTILED = 512
_MOST_TILES = 12
# Share of a tile that the next one shows again: larger faces are seen in the whole picture.
_OVERLAP = 0.25
# A face of less of the longer side is only proposed by the near network's look at the whole.
_LARGE = 0.2
# A proposal of less is not looked at; a face needs this much of both networks' scores together.
LEAST_PROPOSAL = 0.2
_LEAST_SUM = 1.0
# Boxes of which more of the smaller one is shared are of one face: half a face cut by a tile's
# edge, or an eye.
_SHARED = 0.5
# Proposals that are looked at, the best; it bounds the time that a picture of patterns takes.
_MOST_LOOKS = 200


class Backends(NamedTuple):
    """The two networks, as `rolled.Backend`: `near` confirms and measures, `far` proposes."""

    near: rolled.Backend
    far: rolled.Backend


def find(backends, image):
    """Finds faces.

    Args:
      backends: `Backends`.
      image: (H, W, 3) uint8 RGB.

    Returns:
      List of `rolled.Found`.
    """
    looks = with_small(backends, image, regions(*image.shape[1::-1]))
    return rolled.settled(backends.near, image, looks)


def follower(backends):
    """Makes a function of one video's frames, in their order -> list of `rolled.Found`.

    The far network looks at one part of each frame, the next one in turn, so that a new small face
    is found within 13 frames; where a face was in the frame before, the near one looks again.
    """
    before, frames = [], itertools.count()

    def find_next(image):
        parts = regions(*image.shape[1::-1])
        part = parts[next(frames) % len(parts)]
        looks = with_small(backends, image, [part], before)
        before[:] = rolled.settled(backends.near, image, looks, tuple(before))
        return list(before)

    return find_next


def with_small(backends, image, parts, before=()):
    """The faces that the whole picture shows, and the small ones of some of its parts.

    Args:
      backends: `Backends`.
      image: (H, W, 3) uint8 RGB.
      parts: (left, top, right, bottom) of each, pixels.
      before: faces of the frame before, which are looked for where they were.

    Returns:
      List of `rolled.Look`, no two at one face.
    """
    seen, least = rolled.seen(backends.near, image), _LARGE * max(image.shape[:2])
    is_large = [(face.box[2:] - face.box[:2]).max() >= least for face in seen]
    looks = [rolled.Look(face) for face in itertools.compress(seen, is_large)]
    small = [face for face, large in zip(seen, is_large, strict=True) if not large]
    for old in before:
        face = None if has(looks, old) else rolled.again(backends.near, image, old)
        if face and not has(looks, face):
            looks.append(rolled.Look(face, face))
    proposals = sorted(small + _proposals(backends.far, image, parts), key=lambda face: -face.score)
    for proposal in proposals[:_MOST_LOOKS]:
        if not has(looks, proposal):
            face = rolled.again(backends.near, image, proposal)
            if face and proposal.score + face.score >= _LEAST_SUM and not has(looks, face):
                looks.append(rolled.Look(face, face))
    return looks


def _proposals(far, image, parts):
    """What the far network finds in each part, as places in the picture."""
    faces = []
    for left, top, right, bottom in parts:
        for face in rolled.seen(far, np.ascontiguousarray(image[top:bottom, left:right])):
            corner = np.array([left, top])
            moved = face._replace(box=face.box + np.tile(corner, 2), points=face.points + corner)
            faces.append(moved)
    return faces


def has(looks, face):
    """Whether one of `rolled.Look` is at this face, or at one that it is a part of."""
    return any(_shared(look.face.box, face.box) > _SHARED for look in looks)


def _shared(box, other):
    """Area of the intersection over that of the smaller box."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    areas = np.prod(box[2:] - box[:2]), np.prod(other[2:] - other[:2])
    return np.prod(np.maximum(sides, 0.0)) / min(areas)


def regions(width, height):
    """Parts of a picture that the far network looks at: the whole, and tiles where those help.

    Args:
      width, height: pixels.

    Returns:
      List of (left, top, right, bottom), pixels: the picture, then at most 12 squares (less where
      the picture is narrower) that overlap by a quarter at least, the least that are so few.
    """
    whole = [(0, 0, width, height)]
    if max(width, height) <= _UNTILED:
        return whole
    side = _TILE
    while len(_starts(width, side)) * len(_starts(height, side)) > _MOST_TILES:
        side = math.ceil(side * 1.02)
    return whole + [
        (left, top, min(left + side, width), min(top + side, height))
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]


def _starts(length, side):
    """Where tiles begin on a line, evenly spread from end to end."""
    room = max(length - side, 0)
    count = 1 + math.ceil(room / (side * (1.0 - _OVERLAP)))
    return [round(room * index / max(count - 1, 1)) for index in range(count)]
