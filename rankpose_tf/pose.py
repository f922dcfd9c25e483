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
head's own vertical axis: R_0^T R_i is then a turn about y (tests/test_pose.py).

Angles are (..., 3) radians in the order yaw, pitch, roll.
"""

import numpy as np


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
    roll = np.where(locked, 0.0, np.arctan2(r[..., 0, 1], r[..., 0, 0]))
    return np.stack([yaw, pitch, roll], axis=-1)


def geodesic_distance(one, other):
    """Angle of the turn that takes one rotation to the other.

    From the Frobenius norm, |A - B| = 2 sqrt(2) sin(angle / 2), and the trace: exact near 0,
    where arccos of the trace is not, and near pi, where arcsin of the norm is not.

    Args:
      one: (..., 3, 3).
      other: (..., 3, 3).

    Returns:
      (...) radians within [0, pi].
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    sine = np.linalg.norm(one - other, axis=(-2, -1)) / np.sqrt(8.0)
    trace = np.sum(one * other, axis=(-2, -1))
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
