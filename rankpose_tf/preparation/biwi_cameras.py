"""rgb.cal and depth.cal of a BIWI sequence: where its two cameras stand.

Each holds rows of numbers, blank lines between: the camera's matrix (3 rows), its distortion (1
row), rotation R (3 rows) and translation t in mm (1 row), width and height. A point x of the
common frame is R x + t for the camera. The depth camera's R is I in the published set, so that
frame is the depth camera's own.
"""

from typing import NamedTuple

import numpy as np

from rankpose_tf.core.errors import RankPoseError

_ROTATION_TOLERANCE = 1e-2


class Camera(NamedTuple):
    """The colour camera, seen from the depth camera.

    Attributes:
      intrinsics: (3, 3) float64; from mm to pixels.
      rotation: (3, 3) float64; from the depth camera's axes (x right, y down, z away) to its own.
      translation: (3,) float64 mm; a point is rotation @ point + translation.
    """

    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    def project(self, point):
        """A point of the depth camera's frame, (3,) mm -> (2,) pixels x, y and distance, mm."""
        moved = self.rotation @ point + self.translation
        pixels = self.intrinsics @ moved
        with np.errstate(divide="ignore", invalid="ignore"):
            return pixels[:2] / pixels[2], moved[2]


def read(source, colour, depth=None):
    """The colour camera of one sequence.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      colour: name of rgb.cal in it.
      depth: name of depth.cal in it; None is one that stands in the common frame.

    Returns:
      `Camera`.

    Raises:
      RankPoseError: if a file is unreadable or of another format.
    """
    intrinsics, rotation, translation = _parsed(source, colour)
    if depth is None:
        return Camera(intrinsics, rotation, translation)
    _, depth_rotation, depth_translation = _parsed(source, depth)
    turn = rotation @ depth_rotation.T
    return Camera(intrinsics, turn, translation - turn @ depth_translation)


def _parsed(source, name):
    """Matrix (3, 3), R (3, 3) and t (3,) of a .cal file."""
    try:
        lines = source.read(name).decode().splitlines()
        rows = [[float(value) for value in line.split()] for line in lines if line.strip()]
        intrinsics, rotation = np.array(rows[0:3]), np.array(rows[4:7])
        translation = np.array(rows[7])
        good = translation.shape == (3,) and intrinsics.shape == (3, 3) and is_rotation(rotation)
    except (OSError, ValueError, IndexError):
        good = False
    if not (good and np.all(np.isfinite(intrinsics)) and np.all(np.isfinite(translation))):
        raise RankPoseError(
            f"source: {name!r} is no calibration of BIWI; expected rows of numbers: a 3x3 matrix, "
            "the distortion, a 3x3 rotation, a translation and the size; unpack the set again"
        )
    return intrinsics, rotation, translation


def is_rotation(matrix):
    """Whether a matrix is (3, 3), orthonormal to a hundredth, and no mirror."""
    if np.shape(matrix) != (3, 3) or not np.all(np.isfinite(matrix)):
        return False
    error = np.abs(matrix @ np.transpose(matrix) - np.eye(3)).max()
    return bool(error < _ROTATION_TOLERANCE and np.linalg.det(matrix) > 0)
