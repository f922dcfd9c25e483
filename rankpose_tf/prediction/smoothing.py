"""Poses of one face over time, without jitter: the One-Euro filter on the rotation.

Casiez, Roussel and Vogel, "1 Euro filter: a simple speed-based low-pass filter for noisy input in
interactive systems", CHI 2012: a first-order low-pass filter whose cutoff rises with the speed, so
that a still face does not shake and a turning one does not lag. It works on the rotation,
since the angles of a face that turns through yaw = +-90 degrees jump by 180 degrees
though the face does not. The speed is that of the measurements; of a face that turns steadily the
filtered pose, from which the paper's pseudo-code takes it, would overstate it.

Angles are (3,) degrees in the order yaw, pitch, roll; times are seconds.
"""

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import DOUBTED
from rankpose_tf.core.pose import angles_from_rotation, rotation_from_angles

# Chosen by tests/prediction/test_smoothing.py: of a still face with noise of 1 to 3 degrees more
# than 70% of the jitter is gone, and a turn of 90 degrees a second lags by less than 60 ms, with
# room in both.
MINIMUM_CUTOFF = 0.5
BETA = 0.04
DERIVATIVE_CUTOFF = 1.0
# Degrees: up to this expected error a measurement counts in full; most faces that are seen well
# have less.
_BELIEVED = 5.0


class RotationSmoother:
    """The One-Euro filter on the rotation of one face.

    With time step t and cutoff f, alpha = 1 / (1 + 1 / (2 pi f t)): the speed, a rotation vector
    a second between successive measurements, is low-passed with `derivative_cutoff`; its length
    gives f = minimum_cutoff + beta * speed, and the filtered rotation goes the part alpha of the
    shortest turn (slerp) towards the measurement. A steady turn lags by 1 / (2 pi f) seconds.

    A measurement that the model doubts counts less: of the turn from the filtered rotation to it
    only the part min(1, (5 / E)^2) is believed, E being the mean expected error in degrees, as
    inverse variances weigh. One with E over 20 that comes first is given back and not kept.

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

    def filter(self, angles, time, error=None):
        """Takes the next measurement.

        Args:
          angles: (3,) degrees.
          time: seconds, of any origin.
          error: (3,) expected errors, degrees; None believes it.

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
        measured = _rotations().from_matrix(rotation_from_angles(np.radians(angles)))
        expected = 0.0 if error is None else float(np.mean(error))
        if self._time is None and expected > DOUBTED:
            return angles
        if self._time is None or time < self._time:
            self.reset()
            self._time, self._measured, self._filtered = time, measured, measured
            return angles
        if expected > _BELIEVED:
            turn = (self._filtered.inv() * measured).as_rotvec()
            measured = self._filtered * _rotations().from_rotvec((_BELIEVED / expected) ** 2 * turn)
        if time > self._time:
            self._step(measured, time - self._time)
            self._time, self._measured = time, measured
        return np.degrees(angles_from_rotation(self._filtered.as_matrix()))

    def _step(self, measured, seconds):
        """Moves the filtered rotation towards a measurement `seconds` after the last."""
        velocity = np.degrees((self._measured.inv() * measured).as_rotvec()) / seconds
        self._velocity += _alpha(self._derivative_cutoff, seconds) * (velocity - self._velocity)
        cutoff = self._minimum_cutoff + self._beta * np.linalg.norm(self._velocity)
        turn = (self._filtered.inv() * measured).as_rotvec()
        self._filtered *= _rotations().from_rotvec(_alpha(cutoff, seconds) * turn)


def _rotations():
    """SciPy's class, whose import takes longer than the poses of a picture, which need none."""
    from scipy.spatial.transform import Rotation

    return Rotation


def _alpha(cutoff, seconds):
    """Weight of the newest value in a first-order low-pass filter of `cutoff` Hz."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff * seconds))
