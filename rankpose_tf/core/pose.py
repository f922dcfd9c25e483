"""Angles, rotations and the axis convention that everything in the package shares.

          y (up)             Seen by the camera. x points to the picture's right, y up, z out of
          |                  the picture towards the viewer; a head that looks straight into the
          |                  camera has the rotation I, its own axes along these.
          o---- x (right)
         /                   yaw   > 0: the face turns to the picture's left, its own right.
        z (to the viewer)    pitch > 0: the chin goes up.
                             roll  > 0: the ear goes to the head's own left shoulder.

The rotation is that of 300W-LP and AFLW2000-3D (3DDFA): R = Rx(pitch) Ry(yaw) Rz(roll), it takes
a point of the head to the camera's axes. It was checked on views that are turned around the
head's own vertical axis: R_0^T R_i is then a turn about y (tests/core/test_pose.py).

Angles are (..., 3) radians in the order yaw, pitch, roll.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from rankpose_tf.core import expected_error
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ANGLES, ExpectedError

# The protocols of AFLW2000-3D leave out a picture with an angle beyond it.
LIMIT_DEGREES = 99.0


def rotation_from_angles(angles):
    """Rotation matrices of 3DDFA's convention, Rx(pitch) Ry(yaw) Rz(roll).

    Args:
      angles: (..., 3) radians; yaw, pitch, roll.

    Returns:
      (..., 3, 3) float64; columns are the head's x, y and z axes seen by the camera.
    """
    yaw, pitch, roll = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    rows = [
        [cy * cr, cy * sr, -sy],
        [sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy],
        [cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_from_rotation(rotation):
    """The angles of rotation matrices, yaw within +-90 degrees.

    At yaw = +-90 degrees only pitch + roll or pitch - roll is defined; roll is then given as 0.
    Near it pitch is what rounding left of cos(yaw). Roll is therefore taken from the rotation that
    pitch leaves: rows 1 and 2 of Rx(pitch)^T R are those of Ry(yaw) Rz(roll), of which row 1 is
    (-sin(roll), cos(roll), 0). The two then err by the same, and the rotation comes back.

    Args:
      rotation: (..., 3, 3).

    Returns:
      (..., 3) radians; yaw, pitch, roll.
    """
    r = np.asarray(rotation, np.float64)
    cosine = np.hypot(r[..., 0, 0], r[..., 0, 1])
    locked = cosine < 1e-9
    yaw = np.arctan2(-r[..., 0, 2], cosine)
    pitch = np.where(
        locked,
        np.arctan2(-r[..., 2, 1], r[..., 1, 1]),
        np.arctan2(r[..., 1, 2], r[..., 2, 2]),
    )
    sp, cp = np.sin(pitch), np.cos(pitch)
    sine, cosine = sp * r[..., 2, 0] - cp * r[..., 1, 0], cp * r[..., 1, 1] - sp * r[..., 2, 1]
    roll = np.where(locked, 0.0, np.arctan2(sine, cosine))
    return np.stack([yaw, pitch, roll], axis=-1)


def geodesic_distance(first, second):
    """Angle of the turn that takes one rotation to the other.

    From the Frobenius norm, |A - B| = 2 sqrt(2) sin(angle / 2), and the trace: exact near 0,
    where arccos of the trace is not, and near pi, where arcsin of the norm is not.

    Args:
      first: (..., 3, 3).
      second: (..., 3, 3).

    Returns:
      (...) radians within [0, pi].
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    sine = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8.0)
    trace = np.sum(a * b, axis=(-2, -1))
    cosine = np.sqrt(np.clip((1.0 + trace) / 4.0, 0.0, 1.0))
    return 2.0 * np.arctan2(sine, cosine)


def mirror(angles):
    """Angles of the picture flipped left to right: yaw and roll change sign.

    Args:
      angles: (..., 3), any unit; yaw, pitch, roll.

    Returns:
      (..., 3), same unit.
    """
    return np.asarray(angles) * np.array([-1.0, 1.0, -1.0])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pose:
    """Which way a head turns: one pose, or a batch of B.

          y (up)        Seen by the camera, a head that looks straight into it:
          |
          |             yaw   > 0   turns to the picture's left, its own right  (about y)
          o---- x       pitch > 0   the chin goes up                            (about x)
         /  (right)     roll  > 0   the ear goes to its own left shoulder       (about z)
        z (to you)

    So a head that is turned to its own left has a negative yaw, and one whose ear lies on its
    right shoulder a negative roll. All three are 0 for a head that looks into the camera.

    Attributes:
      yaw: degrees; float, or (B,) float64.
      pitch: degrees.
      roll: degrees.
      error: `ExpectedError`: by how much each may be off, degrees; None of a model that does not
        say, and of a pose that is no model's answer. Poses are equal whatever it is.

    A batch has a length, can be indexed (a whole number gives one pose, a slice or a mask a
    batch) and gives one pose after the other. Angles that are NaN stay NaN.

    Raises:
      RankPoseError: if the three are not numbers, or (B,) arrays of one length.
    """

    yaw: float | np.ndarray
    pitch: float | np.ndarray
    roll: float | np.ndarray
    error: ExpectedError | None = None

    def __post_init__(self):
        try:
            angles = [np.asarray(angle, np.float64) for angle in self._angles()]
        except (TypeError, ValueError) as error:
            raise RankPoseError(
                f"pose: expected yaw, pitch and roll in degrees, received {self._angles()!r}"
            ) from error
        shapes = [angle.shape for angle in angles]
        if len(set(shapes)) > 1 or len(shapes[0]) > 1:
            raise RankPoseError(
                "pose: expected yaw, pitch and roll to be three numbers or three (B,) arrays, "
                f"received shapes {', '.join(map(str, shapes))}"
            )
        for name, angle in zip(ANGLES, angles, strict=True):
            object.__setattr__(self, name, angle if angle.ndim else float(angle))
        if self.error is not None:
            self._set_error(shapes[0])

    def _set_error(self, shape):
        error = expected_error.numbers(self.error)
        if np.shape(error.yaw) != shape:
            raise RankPoseError(
                f"error: expected shape {(*shape, 3)}, that of the pose, received "
                f"{error.as_array().shape}"
            )
        object.__setattr__(self, "error", error)

    def _angles(self):
        return self.yaw, self.pitch, self.roll

    @classmethod
    def from_array(cls, angles: Any, error: Any = None) -> "Pose":
        """A pose from (3,) or (B, 3) degrees; yaw, pitch, roll. `error`: of the same shape."""
        yaw, pitch, roll = np.moveaxis(_checked("angles", angles, (3,)), -1, 0)
        return cls(yaw, pitch, roll, error)

    @classmethod
    def from_matrix(cls, matrix: Any) -> "Pose":
        """A pose from rotation matrices (3, 3) or (B, 3, 3), as `matrix` gives them."""
        rotation = _checked("matrix", matrix, (3, 3))
        identity = rotation @ np.swapaxes(rotation, -1, -2)
        proper = np.abs(identity - np.eye(3)).max(initial=0) < 1e-3
        if not proper or np.any(np.linalg.det(rotation) < 0):
            raise RankPoseError(
                "matrix: expected rotations, whose columns are perpendicular, of length 1 and "
                "right-handed; received others"
            )
        return cls.from_array(np.degrees(angles_from_rotation(rotation)))

    @classmethod
    def from_quaternion(cls, quaternion: Any) -> "Pose":
        """A pose from quaternions (4,) or (B, 4) in the order w, x, y, z, of any length but 0."""
        # Imported when first needed: it takes longer than all that `load` imports besides.
        from scipy.spatial.transform import Rotation

        values = _checked("quaternion", quaternion, (4,))
        if not np.all(np.sum(values * values, axis=-1) > 0):
            raise RankPoseError("quaternion: expected a length above 0, received 0 or NaN")
        return cls.from_matrix(Rotation.from_quat(np.roll(values, -1, axis=-1)).as_matrix())

    @property
    def matrix(self) -> np.ndarray:
        """Rotation (3, 3) or (B, 3, 3); its columns are the head's x, y and z axes."""
        return rotation_from_angles(np.radians(self.as_array()))

    def quaternion(self) -> np.ndarray:
        """Unit quaternion (4,) or (B, 4) in the order w, x, y, z, with w >= 0."""
        return np.roll(self._rotation().as_quat(canonical=True), 1, axis=-1)

    def rotation_vector(self) -> np.ndarray:
        """Axis times angle, (3,) or (B, 3) radians, the angle within 0..pi."""
        return self._rotation().as_rotvec()

    def _rotation(self):
        """SciPy's rotation; the turns of 3DDFA are the transposes of its own."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_euler("XYZ", -self.as_array()[..., [1, 0, 2]], degrees=True)

    def as_array(self) -> np.ndarray:
        """(3,) or (B, 3) degrees; yaw, pitch, roll."""
        return np.stack(self._angles(), axis=-1)

    def __len__(self) -> int:
        if isinstance(self.yaw, float):
            raise TypeError("a single pose has no length; as_array() gives its three angles")
        return len(self.yaw)

    def __getitem__(self, index: Any) -> "Pose":
        if isinstance(self.yaw, float):
            raise TypeError("a single pose can't be indexed; use yaw, pitch, roll or as_array()")
        error = None if self.error is None else self.error[index]
        yaw, pitch, roll = (angle[index] for angle in self._angles())
        return Pose(yaw, pitch, roll, error)

    def __iter__(self) -> Iterator["Pose"]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other):
        if not isinstance(other, Pose):
            return NotImplemented
        return np.array_equal(self.as_array(), other.as_array(), equal_nan=True)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self):
        if isinstance(self.yaw, float):
            angles = f"yaw={self.yaw:.2f}, pitch={self.pitch:.2f}, roll={self.roll:.2f}"
            if self.error is None:
                return f"Pose({angles})"
            return f"Pose({angles}, error=({', '.join(f'{e:.1f}' for e in self.error.as_array())}))"
        texts = [
            np.array2string(angle, precision=2, separator=", ", threshold=8, edgeitems=3)
            for angle in self._angles()
        ]
        return f"Pose(yaw={texts[0]}, pitch={texts[1]}, roll={texts[2]})"


def _checked(name, values, trailing):
    """`values` as float64 of shape `trailing` or (B, *trailing)."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise RankPoseError(f"{name}: expected numbers, received {values!r}") from error
    if array.shape[-len(trailing) :] != trailing or array.ndim > len(trailing) + 1:
        batch = ", ".join(map(str, ("B", *trailing)))
        raise RankPoseError(
            f"{name}: expected shape {trailing} or ({batch}), received {array.shape}"
        )
    return array
