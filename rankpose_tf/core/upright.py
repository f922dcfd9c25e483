"""Faces that lie on their side: the picture is turned upright around them, and the answer back.

The network saw few faces rolled by more than 30 degrees. With the points e_1, e_2 of the eyes (left
and right in the picture of an upright face) and m of the mouth, pixels, y down, and
d = m - (e_1 + e_2) / 2:

    v = e_2 - e_1 + (d_y, -d_x)        angle = atan2(v_y, v_x)      clockwise as seen; 0 is upright
    turn = angle where |angle| > 25 degrees, else 0
    R = Rz(turn) R'                    R': the network's answer for the picture turned by -turn

The line through the eyes and that from the eyes to the mouth, turned by a right angle, each
weighted by its length: of a profile the eyes lie behind each other and say nothing. Places are
pixels from the picture's corner, so that the first pixel's centre is (0.5, 0.5). export/web has the
same rule (docs/web.md).
"""

import math

import numpy as np

from rankpose_tf.core.pose import angles_from_rotation, rotation_from_angles

# Up to here the network's answers for turned and for unturned faces are as good.
LIMIT = 25.0
# Sides of what is turned, pixels: a larger face is shrunk by a whole factor before, which its crop
# would do anyway. It bounds the memory that a large picture takes.
_LARGEST = 2048


def angle(eye, other_eye, mouth):
    """By how much a face is turned from upright.

    Args:
      eye, other_eye: (2,) pixels; left and right in the picture once the face is upright.
      mouth: (2,) pixels.

    Returns:
      Degrees within +-180, clockwise as seen.
    """
    eye, other_eye, mouth = (np.asarray(point, np.float64) for point in (eye, other_eye, mouth))
    down = mouth - (eye + other_eye) / 2
    x, y = other_eye - eye + (down[1], -down[0])
    return math.degrees(math.atan2(y, x))


def beyond_limit(degrees):
    """The turn that a face of this angle gets: the angle, or 0.0 where that is small."""
    return degrees if abs(degrees) > LIMIT else 0.0


def distance(degrees):
    """Size of an angle within 0..180, whatever number of whole turns is in it."""
    return abs(degrees - 360.0 * round(degrees / 360.0))


def rotation(degrees):
    """(2, 2) matrix that turns (x, y), y down, clockwise as seen."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]])


def surroundings(image, centre, side, turn, margin=0.0):
    """The square around a place, turned upright.

    Place (u, v) of the result is place centre + shrink * rotation(turn) ((u, v) - n / 2) of the
    picture, n being the side of the result; between pixels in straight lines, black outside.

    Args:
      image: (H, W, 3) uint8 RGB.
      centre: (2,) x, y, pixels.
      side: of the square, pixels.
      turn: degrees.
      margin: as much is added on each side, pixels.

    Returns:
      (n, n, 3) uint8, and shrink: 1, or more where the square is larger than 2048 pixels.
    """
    import cv2

    shrink = max(1, math.ceil(side / _LARGEST))
    pixels = math.ceil(side / shrink) + 2 * math.ceil(margin / shrink)
    part, corner = _cut(image, centre, shrink * pixels, shrink)
    middle = (np.asarray(centre, np.float64) - corner) / shrink
    matrix = rotation(turn)
    # cv2 counts from the first pixel's centre.
    shift = middle - matrix @ np.full(2, (pixels - 1) / 2) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    affine = np.column_stack([matrix, shift])
    return cv2.warpAffine(part, affine, (pixels, pixels), flags=flags), shrink


def _cut(image, centre, side, shrink):
    """The part of a picture that a turned square can reach, shrunk; and its corner (2,), pixels."""
    import cv2

    reach = side / math.sqrt(2.0) + 2 * shrink
    sides = np.array(image.shape[1::-1])
    first = np.clip(np.floor(centre - reach), 0, sides - 1).astype(int)
    end = np.clip(np.ceil(centre + reach), first + 1, sides).astype(int)
    part = np.ascontiguousarray(image[first[1] : end[1], first[0] : end[0]])
    if shrink > 1:
        # Whole blocks of pixels, so that places stay where they are.
        missing = -(end - first) % shrink
        part = np.pad(part, [(0, missing[1]), (0, missing[0]), (0, 0)])
        size = tuple(int(length) // shrink for length in part.shape[1::-1])
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return part, first


def upright_square(image, square, turn, size):
    """A square of a picture and what is in it, turned upright, for `crop.crop_and_resize`.

    Args:
      image: (H, W, 3) uint8 RGB.
      square: (4,) left, top, right, bottom, pixels; it is turned around its centre.
      turn: degrees.
      size: side of the crop that will be made, pixels; one of its pixels is the margin.

    Returns:
      (n, n, 3) uint8, and the square in it (4,).
    """
    square = np.asarray(square, np.float64)
    centre, side = (square[:2] + square[2:]) / 2, float(square[2] - square[0])
    part, shrink = surroundings(image, centre, side, turn, margin=side / size)
    start, end = (len(part) + np.array([-1, 1]) * side / shrink) / 2
    return part, np.array([start, start, end, end])


def turned_back(angles, turns):
    """Poses in the picture of poses in its upright parts: R = Rz(turn) R'.

    Args:
      angles: (N, 3) degrees; yaw, pitch, roll.
      turns: (N,) degrees; poses of those with turn 0 stay as they are.

    Returns:
      (N, 3) degrees.
    """
    angles = np.array(angles, np.float64).reshape(-1, 3)
    turns = np.asarray(turns, np.float64).reshape(-1)
    rolled = turns != 0
    if rolled.any():
        about_z = np.radians(turns[rolled])[:, np.newaxis] * (0.0, 0.0, 1.0)
        upright = rotation_from_angles(np.radians(angles[rolled]))
        answers = angles_from_rotation(rotation_from_angles(about_z) @ upright)
        angles[rolled] = np.degrees(answers)
    return angles


def turned_errors(errors, turns):
    """Expected errors in the picture of those in its upright parts.

    A turn by t mixes yaw and pitch, which err independently: in the picture yaw errs by the root of
    (cos t yaw)^2 + (sin t pitch)^2, and pitch the other way round. Exact of a face that looks into
    the camera.

    Args:
      errors: (N, 3) degrees; yaw, pitch, roll.
      turns: (N,) degrees.

    Returns:
      (N, 3) degrees.
    """
    yaw, pitch, roll = np.array(errors, np.float64).reshape(-1, 3).T
    turns = np.radians(np.asarray(turns, np.float64).reshape(-1))
    c, s = np.cos(turns), np.sin(turns)
    return np.stack([np.hypot(c * yaw, s * pitch), np.hypot(s * yaw, c * pitch), roll], axis=1)
