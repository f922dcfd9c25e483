"""Poses of one face over time, without jitter: the One-Euro filter on the rotation.

Casiez, Roussel and Vogel, "1 Euro filter: a simple speed-based low-pass filter for noisy input in
interactive systems", CHI 2012: a first-order low-pass filter whose cutoff rises with the speed, so
that a still face does not shake and a turning one does not lag. It works on the rotation as a
quaternion, since the angles of a face that turns through yaw = +-90 degrees jump by 180 degrees
though the face does not. The speed is that of the measurements; of a face that turns steadily the
filtered pose, from which the paper's pseudo-code takes it, would overstate it.

Angles are (3,) degrees in the order yaw, pitch, roll; times are seconds.
"""

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import angles_from_rotation

# Chosen by tests/prediction/test_smoothing.py: of a still face with noise of 1 to 3 degrees more
# than 70% of the jitter is gone, and a turn of 90 degrees a second lags by less than 60 ms, with
# room in both.
MINIMUM_CUTOFF = 0.5
BETA = 0.04
DERIVATIVE_CUTOFF = 1.0


class RotationSmoother:
    """The One-Euro filter on the rotation of one face.

    With time step t and cutoff f, alpha = 1 / (1 + 1 / (2 pi f t)): the speed, a rotation vector
    a second between successive measurements, is low-passed with `derivative_cutoff`; its length
    gives f = minimum_cutoff + beta * speed, and the filtered rotation goes the part alpha of the
    shortest turn (slerp) towards the measurement. A steady turn lags by 1 / (2 pi f) seconds.

    The first measurement is given back as it is. One that is not finite is given back too and
    otherwise ignored. At a time equal to the last nothing can move (t = 0), so the last filtered
    pose is given; at an earlier time (a video that was wound back) the filter starts anew.

    Args:
      minimum_cutoff: Hz, of a face that does not move; lower is stiller.
      beta: Hz per degree a second; higher lags less.
      derivative_cutoff: Hz, of the speed.
    """

    def __init__(
        self, minimum_cutoff=MINIMUM_CUTOFF, beta=BETA, derivative_cutoff=DERIVATIVE_CUTOFF
    ):
        for name, value in (
            ("minimum_cutoff", minimum_cutoff),
            ("derivative_cutoff", derivative_cutoff),
        ):
            if not value > 0.0:
                raise RankPoseError(f"{name}: expected Hz above 0, received {value}")
        if not beta >= 0.0:
            raise RankPoseError(f"beta: expected 0 or more, received {beta}")
        self._minimum_cutoff = minimum_cutoff
        self._beta = beta
        self._derivative_cutoff = derivative_cutoff
        self.reset()

    def reset(self):
        """Forgets the face: the next measurement is the first."""
        self._time = None
        self._measured = self._filtered = None
        self._velocity = np.zeros(3)

    def filter(self, angles, time):
        """Takes the next measurement.

        Args:
          angles: (3,) degrees.
          time: seconds, of any origin.

        Returns:
          (3,) degrees, float64, the filtered pose; yaw within +-90.

        Raises:
          RankPoseError: if `angles` is not three numbers or `time` is not finite.
        """
        angles = np.asarray(angles, np.float64)
        if angles.shape != (3,):
            raise RankPoseError(
                f"angles: expected (3,) degrees, yaw, pitch, roll, received {angles.shape}"
            )
        if not np.isfinite(time):
            raise RankPoseError(f"time: expected seconds, received {time}")
        if not np.all(np.isfinite(angles)):
            return angles
        measured = _quaternion(angles)
        if self._time is None or time < self._time:
            self.reset()
            self._time, self._measured, self._filtered = time, measured, measured
            return angles
        if time > self._time:
            self._step(measured, time - self._time)
            self._time, self._measured = time, measured
        return _angles(self._filtered)

    def _step(self, measured, seconds):
        """Moves the filtered rotation towards a measurement `seconds` after the last."""
        velocity = np.degrees(_turn(self._measured, measured)) / seconds
        self._velocity += _alpha(self._derivative_cutoff, seconds) * (velocity - self._velocity)
        cutoff = self._minimum_cutoff + self._beta * np.linalg.norm(self._velocity)
        part = _alpha(cutoff, seconds) * _turn(self._filtered, measured)
        moved = _product(self._filtered, _from_vector(part))
        # Rounding errors of millions of products would otherwise add up.
        self._filtered = moved / np.linalg.norm(moved)


def _alpha(cutoff, seconds):
    """Weight of the newest value in a first-order low-pass filter of `cutoff` Hz."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff * seconds))


def _quaternion(angles):
    """Unit quaternion (w, x, y, z) of (3,) degrees; Rx(pitch) Ry(yaw) Rz(roll) of pose.py.

    The convention's turns are clockwise about the axes, hence the minus.
    """
    yaw, pitch, roll = -np.radians(angles)
    about_x, about_y, about_z = (
        _from_vector(np.array(vector)) for vector in ((pitch, 0, 0), (0, yaw, 0), (0, 0, roll))
    )
    return _product(_product(about_x, about_y), about_z)


def _angles(quaternion):
    """(3,) degrees of a unit quaternion."""
    w, *vector = quaternion
    x, y, z = vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation = np.eye(3) + 2.0 * (w * cross + cross @ cross)
    return np.degrees(angles_from_rotation(rotation))


def _product(one, other):
    """Quaternion of the turn `other` followed by `one`."""
    # Plain numbers: on arrays of 3 the calls of NumPy cost ten times the arithmetic.
    (a, b, c, d), (w, x, y, z) = one.tolist(), other.tolist()
    return np.array(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ]
    )


def _from_vector(vector):
    """Quaternion of a rotation vector (3,), radians."""
    half = np.linalg.norm(vector) / 2.0
    # np.sinc(x) is sin(pi x) / (pi x), finite at 0.
    return np.concatenate([[np.cos(half)], vector / 2.0 * np.sinc(half / np.pi)])


def _turn(start, end):
    """Rotation vector (3,), radians, of the shortest turn from `start` to `end`, by its axes."""
    turn = _product(start * (1.0, -1.0, -1.0, -1.0), end)
    # q and -q are one rotation; of the two turns the one under 180 degrees is meant.
    turn = -turn if turn[0] < 0.0 else turn
    sine = np.linalg.norm(turn[1:])
    if sine < 1e-12:
        return np.zeros(3)
    return turn[1:] * (2.0 * np.arctan2(sine, turn[0]) / sine)
