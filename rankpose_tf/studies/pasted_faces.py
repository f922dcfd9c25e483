"""Pictures with several faces of known places and sizes, and pictures without any.

Parts of pictures of faces are shrunk and pasted onto a cloudy ground, where they do not cover one
another. The first on each ground touches an edge with its face; the others lie anywhere, also
across the borders of what a detector may cut the picture into.
"""

import cv2
import numpy as np

from rankpose_tf.core import crop

# Side of the part that is pasted, over that of the landmark box.
_AROUND = 2.0
_MOST = 6
_ATTEMPTS = 60
# Points that a ground is made of, across; finer ones are weaker.
_GROUNDS = (4, 8, 16)


def pictures(faces, share, count, shape, generator):
    """Yields pictures with up to six faces.

    Args:
      faces: list of (image (H, W, 3) uint8 RGB, landmark box (4,)), taken in turn.
      share: longer side of a face's landmark box, of the picture's width.
      count: faces in all.
      shape: (height, width) of the pictures, pixels.
      generator: `numpy.random.Generator`.

    Yields:
      image (height, width, 3) uint8 RGB, and squares (N, 4) around the landmark boxes, pixels.
    """
    number = 0
    while number < count:
        most = min(_MOST, count - number)
        ahead = [faces[(number + index) % len(faces)] for index in range(most)]
        picture, squares = _filled(ahead, share * shape[1], ground(*shape, generator), generator)
        number += len(squares)
        yield picture, squares


def _filled(faces, side, picture, generator):
    """The picture with as many of the faces, in their order, as find room; their squares (N, 4)."""
    taken, squares = [], []
    for _ in range(_ATTEMPTS):
        if len(squares) == len(faces):
            break
        part, square = shrunk(*faces[len(squares)], side)
        corner = _corner(part, square, picture.shape, generator, at_edge=not squares)
        place = _within((*corner, *(corner + part.shape[1::-1])), picture.shape)
        if any(_meet(place, other) for other in taken):
            continue
        (left, top, right, bottom), (x, y) = place, corner
        picture[top:bottom, left:right] = part[top - y : bottom - y, left - x : right - x]
        taken.append(place)
        squares.append(square + np.tile(corner, 2))
    return picture, np.array(squares)


def ground(height, width, generator):
    """Cloudy colours, (height, width, 3) uint8."""
    picture = np.full((height, width, 3), generator.uniform(70, 180), np.float32)
    for points in _GROUNDS:
        coarse = generator.uniform(-1, 1, (points, points, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        picture += 120 / points * (smooth + 2 * smooth.mean(axis=2, keepdims=True))
    return np.clip(picture, 0, 255).astype(np.uint8)


def shrunk(image, box, side):
    """The surroundings of a face, made so large that its box has a longer side of `side`.

    Args:
      image: (H, W, 3) uint8 RGB.
      box: (4,) landmark box, pixels.
      side: pixels.

    Returns:
      (h, w, 3) uint8, and the square around the landmark box in it (4,), pixels.
    """
    around = _within(crop.square_around(box, _AROUND), image.shape)
    left, top, right, bottom = around
    part = np.ascontiguousarray(image[top:bottom, left:right])
    scale = side / max(box[2] - box[0], box[3] - box[1])
    size = tuple(max(1, round(scale * length)) for length in part.shape[1::-1])
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    scales = np.tile(np.array(size) / part.shape[1::-1], 2)
    square = crop.square_around((box - np.tile(around[:2], 2)) * scales, 1.0)
    return cv2.resize(part, size, interpolation=method), square


def _corner(part, square, shape, generator, at_edge):
    """Where a part goes: anywhere within the picture, or its face at one of the edges."""
    sides = np.array(shape[1::-1])
    room = sides - part.shape[1::-1]
    corner = np.rint(generator.uniform(np.minimum(room, 0), np.maximum(room, 0))).astype(int)
    # Of one that is larger than the picture, the face stays inside.
    least, most = -np.floor(square[:2]), sides - np.ceil(square[2:])
    if at_edge:
        axis = int(generator.integers(2))
        corner[axis] = (least if generator.random() < 0.5 else most)[axis]
    return np.clip(corner, least, np.maximum(most, least)).astype(int)


def _within(box, shape):
    """left, top, right, bottom as whole numbers within a picture of (height, width)."""
    height, width = shape[:2]
    left, top, right, bottom = np.rint(box).astype(int)
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _meet(box, other):
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def without_faces(faces, count, size, generator):
    """Yields pictures (size, size, 3) uint8 without a face: grain of photos, shapes, noise.

    Args:
      faces: list of (image, box), whose colours and grain are taken.
      count: pictures.
      size: pixels.
      generator: `numpy.random.Generator`.
    """
    from rankpose_tf.training import error_views

    kinds = (error_views.waves, error_views.shapes, error_views.noise)
    for number in range(count):
        image, box = faces[number % len(faces)]
        face = error_views.Face(image, box, np.zeros(3))
        view = kinds[number % len(kinds)](face, size, 2.0, generator)
        yield np.clip(np.rint(view), 0, 255).astype(np.uint8)
