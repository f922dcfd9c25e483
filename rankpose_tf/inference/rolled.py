"""Faces whatever way up they are, out of a detector that knows upright ones.

What it finds in the picture as it is counts where it is sure. Where a face is missing or unsure,
the picture's other three quarter turns are looked at as well: BlazeFace also "finds" faces that
are upside down, with the eyes at the mouth, and is less sure of them. Each candidate is looked at
again, turned upright by its eyes and mouth; of those that overlap, the one stays that both looks
bear out best. A face rolled by more than `upright.LIMIT` gets the box and points of its second
look. The rule and its limits are those of export/web (docs/web.md 'Rolled faces').
"""

from typing import NamedTuple

import numpy as np

from rankpose_tf.core import upright
from rankpose_tf.core.boxes import overlaps

# Of two looks that are about as sure the one at the picture as it is counts.
_HANDICAP = 0.06
# A look at a turned picture is for faces that are upright there, give or take this, degrees,
# and that it sees about as surely as the picture as it is shows them.
_UPRIGHT = 60.0
_LAG = 0.05
# What only a turned picture shows needs this much of the scores of both looks together.
_LEAST_TURNED = 1.3
# Degrees by which a face may have turned from one frame of a video to the next.
_FRAME_TURN = 30.0
_SAME_FACE = 0.3
# Side of the square that is looked at again, over the side of the detector's box.
_SECOND_LOOK = 3.0


class Backend(NamedTuple):
    """A detector's own function, and how it is to be understood.

    Attributes:
      find: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, K, 2), scores (N,), pixels.
      eyes_and_mouth: points (K, 2) -> eye, other eye, mouth, each (2,).
      sure: score that an upright face mostly exceeds, and one that is upside down does not.
    """

    find: object
    eyes_and_mouth: object
    sure: float


class Found(NamedTuple):
    """A face: box (4,) and points (K, 2), pixels; score; turn that sets it upright, degrees."""

    box: np.ndarray
    points: np.ndarray
    score: float
    turn: float = 0.0


class Look(NamedTuple):
    """A face, and how a second look has it; None where there was none yet."""

    face: Found
    again: Found | None = None


def find(backend, image, before=()):
    """Finds faces.

    Args:
      backend: `Backend`.
      image: (H, W, 3) uint8 RGB.
      before: what this gave for the frame before, of a video: a face that is where one was then,
        and as much turned, is taken for sure.

    Returns:
      List of `Found`, the surest first.
    """
    return settled(backend, image, [Look(face) for face in seen(backend, image)], before)


def follower(backend):
    """Makes a function of one video's frames, in their order -> list of `Found`."""
    before = []

    def find_next(image):
        before[:] = find(backend, image, tuple(before))
        return list(before)

    return find_next


def settled(backend, image, looks, before=()):
    """What `find` makes of the faces that the picture as it is showed.

    Args:
      backend, image, before: as for `find`.
      looks: list of `Look`, no two at one face.

    Returns:
      List of `Found`, the surest first.
    """
    faces = [look.face for look in looks]
    if not faces or not all(f.score >= backend.sure or is_followed(f, before) for f in faces):
        turned = [Look(face) for face in _in_quarter_turns(backend, image, faces)]
        looks = _surest(backend, image, looks, turned)
    return [_upright(backend, image, look) for look in looks]


def seen(backend, image):
    """Faces that have an extent, with the angle of each as turn."""
    return [
        Found(box, points, float(score), upright.angle(*backend.eyes_and_mouth(points)))
        for box, points, score in zip(*backend.find(image), strict=True)
        if np.all(box[2:] > box[:2])
    ]


def is_followed(face, before):
    """Whether a face is where one of `before` was, and about as much turned."""
    turn = upright.beyond_limit(face.turn)
    return any(
        is_same(face, old) and upright.distance(turn - old.turn) <= _FRAME_TURN for old in before
    )


def is_same(face, other):
    """Whether two boxes are of one face."""
    return overlaps([face.box], [other.box])[0, 0] > _SAME_FACE


def _in_quarter_turns(backend, image, known):
    """Faces that only the turned picture shows, or shows about as surely, upright."""
    sides, faces = np.array(image.shape[1::-1]), []
    for quarters in (1, 2, 3):
        # np.rot90 turns against the clock: what lies a quarter clockwise is upright then.
        turned = np.ascontiguousarray(np.rot90(image, quarters))
        for face in seen(backend, turned):
            if upright.distance(face.turn) > _UPRIGHT:
                continue
            middle = np.array(turned.shape[1::-1]) / 2
            face = _back(face, 90.0 * quarters, middle, sides / 2)
            if all(not is_same(face, old) or face.score >= old.score - _LAG for old in known):
                faces.append(face)
    return faces


def _back(face, degrees, middle, centre, scale=1.0):
    """A face of a turned picture, in the picture itself; boxes keep their longer side."""
    matrix = scale * upright.rotation(degrees)

    def back(place):
        return centre + (place - middle) @ matrix.T

    box_centre = back((face.box[:2] + face.box[2:]) / 2)
    half = scale * (face.box[2:] - face.box[:2]).max() / 2
    box = np.concatenate([box_centre - half, box_centre + half])
    turn = face.turn + degrees
    return Found(box, back(face.points), face.score, turn - 360.0 * round(turn / 360.0))


def _surest(backend, image, looks, turned):
    """Of the candidates for each face the one that a second look bears out best, with that look."""
    ranked = []
    for handicap, candidates in ((0.0, looks), (_HANDICAP, turned)):
        for face, known in candidates:
            second = known or again(backend, image, face)
            both = face.score + (second.score if second else 0.0)
            if candidates is looks or both >= _LEAST_TURNED:
                ranked.append((both / 2 - handicap, Look(face, second)))
    ranked.sort(key=lambda candidate: -candidate[0])
    kept = []
    for _, look in ranked:
        if not any(is_same(look.face, other.face) for other in kept):
            kept.append(look)
    return kept


def again(backend, image, face, around=_SECOND_LOOK):
    """The face once more, in its surroundings turned upright; None where it isn't found there.

    Args:
      backend, image: as for `find`.
      face: `Found`, whose turn is its angle.
      around: side of the square that is looked at, over that of the box.
    """
    centre, side = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]).max()
    part, scale = upright.surroundings(image, centre, around * side, face.turn)
    middle = np.full(2, len(part) / 2)

    def away(other):
        return scale * np.hypot(*((other.box[:2] + other.box[2:]) / 2 - middle))

    nearest = min(seen(backend, part), key=away, default=None)
    if nearest is None or away(nearest) > side / 2:
        return None
    return _back(nearest, face.turn, middle, centre, scale)


def _upright(backend, image, look):
    """The face with its turn, and as its second look has it where it is turned."""
    face, second = look
    turn = upright.beyond_limit(face.turn)
    if turn:
        better = second or again(backend, image, face) or face
        face = face._replace(box=better.box, points=better.points)
    return face._replace(turn=turn)
