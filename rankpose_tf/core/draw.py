"""Poses drawn on pictures, and pictures tiled to a grid."""

import cv2
import numpy as np

from rankpose_tf.core.pose import rotation_from_angles

# Red: towards the head's left (picture's right at rest); green: up; blue: out of the nose.
AXIS_COLOURS = ((255, 0, 0), (0, 200, 0), (40, 80, 255))
# Of the cube: the face's side, the back of the head, and the four edges between them.
CUBE_COLOURS = ((255, 220, 0), (40, 80, 255), (160, 160, 160))


def draw_axes(image, angles, centre=None, length=None):
    """Draws the head's three axes: x red, y (up) green, z (out of the nose) blue.

    Args:
      image: (H, W, 3) uint8 RGB; left as it is.
      angles: (3,) degrees; yaw, pitch, roll.
      centre: (2,) pixels x, y of the origin; the picture's centre by default.
      length: of an axis seen side on, pixels; a third of the picture's shorter side by default.

    Returns:
      (H, W, 3) uint8 RGB, a new picture.
    """
    height, width = image.shape[:2]
    centre = np.array([width / 2, height / 2] if centre is None else centre, np.float64)
    length = min(height, width) / 3 if length is None else length
    axes = rotation_from_angles(np.radians(angles))
    drawn = image.copy()
    # The farthest first, so that what points at the viewer lies on top.
    for index in np.argsort(axes[2]):
        tip = centre + length * axes[:2, index] * (1, -1)
        start, end = (tuple(int(round(v)) for v in point) for point in (centre, tip))
        thickness = max(1, int(round(length / 25)))
        cv2.line(drawn, start, end, AXIS_COLOURS[index], thickness, cv2.LINE_AA)
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
    height, width = image.shape[:2]
    centre = np.array([width / 2, height / 2] if centre is None else centre, np.float64)
    length = min(height, width) / 2 if length is None else length
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = np.array([np.insert(square, 2, side, axis=1) for side in (1, -1)]) * length / 2
    seen = corners @ rotation_from_angles(np.radians(angles)).T
    points = np.round(centre + seen[..., :2] * (1, -1)).astype(np.int32)
    front, back, between = CUBE_COLOURS
    shapes = [(seen[0, :, 2].mean(), front, points[0]), (seen[1, :, 2].mean(), back, points[1])]
    shapes += [(seen[:, i, 2].mean(), between, points[:, i]) for i in range(4)]
    drawn = image.copy()
    thickness = max(1, int(round(length / 40)))
    # The farthest first, so that what is nearer to the viewer lies on top.
    for _, colour, outline in sorted(shapes, key=lambda shape: shape[0]):
        cv2.polylines(drawn, [np.ascontiguousarray(outline)], True, colour, thickness, cv2.LINE_AA)
    return drawn


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
