"""The error that a model expects of its own answer, of each angle.

Models without the head that tells it (docs/expected_error.md) have outputs yaw, pitch and roll;
those with it have yaw_error, pitch_error and roll_error too, in degrees.
"""

import dataclasses

import numpy as np

from rankpose_tf.core.errors import RankPoseError

ANGLES = ("yaw", "pitch", "roll")
ERRORS = tuple(f"{angle}_error" for angle in ANGLES)
# Degrees, the mean of the three: a pose beyond is no answer to build on.
DOUBTED = 20.0


def columns(outputs):
    """Which outputs a model's answers are made of, in their order.

    Args:
      outputs: names of the outputs that it has.

    Returns:
      Tuple: yaw, pitch, roll, and the error of each where the model tells it.
    """
    return (*ANGLES, *ERRORS) if set(ERRORS) <= set(outputs) else ANGLES


def columns_of(network):
    """The outputs of a Keras model that `saving.load_model` gave: see `columns`."""
    return (*ANGLES, *ERRORS)[: network.output_shape[-1]]


def numbers(error):
    """An error as `ExpectedError` has it: floats, or (B,) float64.

    Args:
      error: `ExpectedError`, or (3,) or (B, 3) degrees.

    Returns:
      `ExpectedError`.
    """
    return error if isinstance(error, ExpectedError) else ExpectedError.from_array(error)


@dataclasses.dataclass(frozen=True)
class ExpectedError:
    """By how much each angle of a pose may be off: what about two thirds of the errors are within.

    Attributes:
      yaw: degrees; float, or (B,) float64.
      pitch: degrees.
      roll: degrees.
    """

    yaw: float | np.ndarray
    pitch: float | np.ndarray
    roll: float | np.ndarray

    @classmethod
    def from_array(cls, error):
        """An expected error from (3,) or (B, 3) degrees; yaw, pitch, roll.

        Raises:
          RankPoseError: for another shape.
        """
        array = np.asarray(error, np.float64)
        if array.ndim not in (1, 2) or array.shape[-1] != 3:
            raise RankPoseError(f"error: expected shape (3,) or (B, 3), received {array.shape}")
        if array.ndim == 1:
            return cls(*map(float, array))
        return cls(*array.T)

    def as_array(self):
        """(3,) or (B, 3) degrees; yaw, pitch, roll."""
        return np.stack([self.yaw, self.pitch, self.roll], axis=-1)

    @property
    def mean(self):
        """Mean of the three angles, degrees; float, or (B,)."""
        mean = self.as_array().mean(axis=-1)
        return mean if mean.ndim else float(mean)

    @property
    def doubted(self):
        """Whether the mean is over 20 degrees: a picture without a face, or far too poor a one."""
        doubted = np.asarray(self.mean) > DOUBTED
        return doubted if doubted.ndim else bool(doubted)

    def __getitem__(self, index):
        return ExpectedError.from_array(self.as_array()[index])
