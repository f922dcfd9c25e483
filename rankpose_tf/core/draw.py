"""Poses and boxes drawn on pictures, and pictures tiled to a grid."""

import cv2
import numpy as np

from rankpose_tf.core.pose import rotation_from_angles

# Red: towards the head's left (picture's right at rest); green: up; blue: out of the nose.
AXIS_COLOURS = ((255, 0, 0), (0, 200, 0), (40, 80, 255))
# Of the cube: the face's side, the back of the head, and the four edges between them.
CUBE_COLOURS = ((255, 220, 0), (40, 80, 255), (160, 160, 160))
_BOX_COLOUR = (240, 240, 240)
# Beside lines, so that they are seen on skin and on snow.
_SHADE = (20, 20, 20)
# cv2 draws at sixteenths of a pixel, so that lines do not jump from frame to frame.
_SHIFT = 4


def draw_axes(image, angles, centre=None, length=None):
    """Draws the head's three axes: x red, y (up) green, z (out of the nose) blue.

    Each is an arrow; one that points at the viewer is a dot.

    Args:
      image: (H, W, 3) uint8 RGB; left as it is.
      angles: (3,) degrees; yaw, pitch, roll.
      centre: (2,) pixels x, y of the origin; the picture's centre by default.
      length: of an axis seen side on, pixels; a third of the picture's shorter side by default.

    Returns:
      (H, W, 3) uint8 RGB, a new picture.
    """
    drawn, centre, length = _placed(image, centre, length, 1 / 3)
    put_axes(drawn, angles, centre, length, max(1, round(length / 25)))
    return drawn


def draw_cube(image, angles, centre=None, length=None):
    """Draws a cube that turns with the head: face's side yellow, back blue, edges between grey.

    Args:
      image: (H, W, 3) uint8 RGB; left as it is.
      angles: (3,) degrees; yaw, pitch, roll.
      centre: (2,) pixels x, y of the cube's centre; the picture's centre by default.
      length: of an edge seen side on, pixels; half the picture's shorter side by default.

    Returns:
      (H, W, 3) uint8 RGB, a new picture.
    """
    drawn, centre, length = _placed(image, centre, length, 1 / 2)
    put_cube(drawn, angles, centre, length, max(1, round(length / 40)))
    return drawn


def put_axes(image, angles, centre, length, thickness):
    """As `draw_axes`, into the image, with lines of so many pixels."""
    axes = rotation_from_angles(np.radians(angles))
    # The farthest first, so that what points at the viewer lies on top.
    for index in np.argsort(axes[2]):
        along = length * axes[:2, index] * (1, -1)
        _arrow(image, centre, along, max(3.0, length / 7), AXIS_COLOURS[index], thickness)


def put_cube(image, angles, centre, length, thickness):
    """As `draw_cube`, into the image, with lines of so many pixels."""
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = np.array([np.insert(square, 2, side, axis=1) for side in (1, -1)]) * length / 2
    seen = corners @ rotation_from_angles(np.radians(angles)).T
    points = centre + seen[..., :2] * (1, -1)
    front, back, between = CUBE_COLOURS
    shapes = [(seen[0, :, 2].mean(), front, points[0]), (seen[1, :, 2].mean(), back, points[1])]
    shapes += [(seen[:, i, 2].mean(), between, points[:, i]) for i in range(4)]
    # The farthest first, so that what is nearer to the viewer lies on top.
    for _, colour, outline in sorted(shapes, key=lambda shape: shape[0]):
        _outline(image, outline, colour, thickness)


def put_box(image, box, thickness):
    """Draws a box (4,), left, top, right, bottom, into the image, with lines of so many pixels."""
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    _outline(image, corners, _BOX_COLOUR, thickness)


def _placed(image, centre, length, part):
    """Copy, centre (2,) and length, pixels; by default the middle, and a part of the side."""
    height, width = image.shape[:2]
    centre = np.array([width / 2, height / 2] if centre is None else centre, np.float64)
    return image.copy(), centre, min(height, width) * part if length is None else length


def _fixed(points):
    """Pixels -> the whole numbers that cv2 takes for them."""
    return np.ascontiguousarray(np.round(np.asarray(points) * 2**_SHIFT), np.int32)


def _strokes(colour, thickness):
    """Pairs of colour and pixels by which it is wider on each side; the last one lies on top."""
    # Beside a thin line a shade would be most of what is seen.
    shade = [(_SHADE, max(1.0, thickness / 5))] if thickness > 2 else []
    return [*shade, (colour, 0.0)]


def _outline(image, points, colour, thickness):
    """Draws a closed line through points (N, 2), shaded, into the image."""
    for stroke, more in _strokes(colour, thickness):
        width = thickness + round(2 * more)
        cv2.polylines(image, [_fixed(points)], True, stroke, width, cv2.LINE_AA, _SHIFT)


def _arrow(image, start, along, head, colour, thickness):
    """Draws an arrow, shaded, into the image; its head has a length and is a dot seen from ahead.

    Args:
      start, along: (2,) pixels x, y.
      head: length of the head, pixels.
    """
    length = np.hypot(*along)
    tip = start + along
    for stroke, more in _strokes(colour, thickness):
        if length <= head:
            radius = round((head / 3 + more) * 2**_SHIFT)
            cv2.circle(image, _fixed(tip).tolist(), radius, stroke, -1, cv2.LINE_AA, _SHIFT)
            continue
        ahead = along / length
        aside = ahead[::-1] * (1, -1)
        neck = tip - head * ahead
        ends = _fixed([start, neck]).tolist()
        cv2.line(image, *ends, stroke, thickness + round(2 * more), cv2.LINE_AA, _SHIFT)
        half = (head / 2.4 + more) * aside
        corners = [tip + more * ahead, neck - more * ahead + half, neck - more * ahead - half]
        cv2.fillConvexPoly(image, _fixed(corners), stroke, cv2.LINE_AA, _SHIFT)


def grid(images, columns):
    """Tiles pictures of one size, row by row; missing ones are black.

    Args:
      images: sequence of (H, W, 3) uint8.
      columns: pictures in a row.

    Returns:
      (rows * H, columns * W, 3) uint8.
    """
    tiles = list(images)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)


def greyed(before, drawn):
    """A drawing whose colours are grey, on a picture whose own stay.

    Args:
      before: (H, W, 3) uint8 RGB.
      drawn: the same with lines on it.

    Returns:
      (H, W, 3) uint8 RGB.
    """
    grey = cv2.cvtColor(cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    changed = (before != drawn).any(axis=2, keepdims=True)
    return np.where(changed, grey, drawn)
