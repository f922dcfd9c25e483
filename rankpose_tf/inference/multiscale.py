"""Small faces as well as large ones: one network proposes, another confirms and measures.

BlazeFace's short-range model finds the large faces in the whole picture. Its back-camera model
looks at the whole picture too and, of a larger one, at overlapping square tiles; each face that
it proposes beside those is looked at again by the short-range model, enlarged and turned upright.
That second look gives box and points, so that one rule serves every face. Where the looks leave a
doubt, the back-camera model looks once more, at the face in its wider surroundings.

There are at most 12 tiles, whatever the picture's size: time and memory are bounded.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import upright
from rankpose_tf.inference import rolled

# Sides of the least tile, pixels, which the network sees at about its own size; a smaller picture
# is seen whole at half its size or more.
_TILE = 276
_UNTILED = 512
_MOST_TILES = 12
# Share of a tile that the next one shows again: larger faces are seen in the whole picture.
_OVERLAP = 0.25
# A face of less of the longer side is only proposed by the near network's look at the whole.
_LARGE = 0.2
# A proposal of less is not looked at; a small face needs this much of both networks' scores
# together, and with less than the other needs this much in the far network's third look.
LEAST_PROPOSAL = 0.2
_LEAST_SUM = 0.9
_SURE_SUM = 1.5
_LEAST_THIRD = 0.65
# What the far network has to give a face of which the near one is not sure.
_LEAST_UNSURE = 0.5
# Mean distance of the points that both networks see at one face, over the side of its box.
_POINTS_APART = 0.2
# Degrees by which they may see it turned apart.
_TURNED_APART = 45.0
# The first points: eyes, nose and mouth, not the ears.
_COMPARED = 4
# Side of the square of the third look, over the side of the near network's box.
_WIDE = 5.0
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
    return _faces(backends, image, regions(*image.shape[1::-1]), ())


def follower(backends):
    """Makes a function of one video's frames, in their order -> list of `rolled.Found`.

    The far network looks at one part of each frame, the next one in turn, so that a new small face
    is found within 13 frames; where a face was in the frame before, the near one looks again.
    """
    before, frames = [], itertools.count()

    def find_next(image):
        parts = regions(*image.shape[1::-1])
        part = parts[next(frames) % len(parts)]
        before[:] = _faces(backends, image, [part], tuple(before))
        return list(before)

    return find_next


def _faces(backends, image, parts, before):
    near, far = backends
    looks, proposals = with_small(backends, image, parts, before)
    return [
        face
        for face in rolled.settled(near, image, looks, before)
        if _is_likely(near, face, before, proposals)
        or _third_look(far, image, face) >= _LEAST_UNSURE
    ]


def _is_likely(near, face, before, proposals):
    """Whether the near network is sure of a face, or it was there before, or was proposed too."""
    if face.score >= near.sure or rolled.is_followed(face, before):
        return True
    # Where a face is turned, the picture as it is may show its mouth for its eyes.
    is_upright = not upright.beyond_limit(face.turn)
    seen = (p.score >= _LEAST_UNSURE for p in proposals if rolled.is_same(p, face))
    return is_upright and any(seen)


def _third_look(far, image, face):
    """The far network's score of a face in its wide surroundings, seen about the same way up."""
    seen = rolled.again(far, image, face, _WIDE)
    if seen is None or upright.distance(seen.turn - face.turn) > _TURNED_APART:
        return 0.0
    return seen.score


def with_small(backends, image, parts, before=()):
    """The faces that the whole picture shows, and the small ones of some of its parts.

    Args:
      backends: `Backends`.
      image: (H, W, 3) uint8 RGB.
      parts: (left, top, right, bottom) of each, pixels.
      before: faces of the frame before, which are looked for where they were.

    Returns:
      List of `rolled.Look`, no two at one face, and the far network's proposals.
    """
    near, far = backends
    seen, least = rolled.seen(near, image), _LARGE * max(image.shape[:2])
    is_large = [(face.box[2:] - face.box[:2]).max() >= least for face in seen]
    large = list(itertools.compress(seen, is_large))
    small = [face for face, size in zip(seen, is_large, strict=True) if not size]
    proposals = _proposals(far, image, parts)
    likely = [rolled.Look(face) for face in large if _is_likely(near, face, before, proposals)]
    looks = _with_known(near, image, likely, before)
    for proposal in sorted(small + proposals, key=lambda face: -face.score)[:_MOST_LOOKS]:
        if not has(looks, proposal):
            face = rolled.again(near, image, proposal)
            if face and not has(looks, face) and _is_face(far, image, proposal, face):
                looks.append(rolled.Look(face, face))
    # What is not likely comes last: it may be no face, and cover many that are.
    return looks + [rolled.Look(face) for face in large if not has(looks, face)], proposals


def _with_known(near, image, looks, before):
    """The looks, with those at faces of the frame before that are where they were."""
    looks = list(looks)
    for old in before:
        face = None if has(looks, old) else rolled.again(near, image, old)
        if face and not has(looks, face):
            looks.append(rolled.Look(face, face))
    return looks


def _is_face(far, image, proposal, face):
    """Whether a proposal and the second look at it are of one face, and sure enough."""
    both = proposal.score + face.score
    apart = np.hypot(*(proposal.points - face.points).T)[:_COMPARED].mean()
    if both < _LEAST_SUM or apart > _POINTS_APART * (face.box[2:] - face.box[:2]).max():
        return False
    return both >= _SURE_SUM or _third_look(far, image, face) >= _LEAST_THIRD


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
