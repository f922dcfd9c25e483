"""Losses of RankPose (BMVC 2020), equations (4)-(7), and the figures reported beside them.

Everywhere: `pose_true` and `pose_pred` are (B, 2, 3), radians: B pairs, the two views of a pair,
and yaw, pitch, roll. Each function returns one value per pair, (B,); the mean over them is the
paper's 1/N sum, and Keras takes it.
"""

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.errors import RankPoseError

ANGLES = ("yaw", "pitch", "roll")
LOSS_UNITS = {"radians": 1.0, "degrees": 180.0 / np.pi}


def regression_loss(pose_true, pose_pred):
    """Squared error of both views, equation (4).

    ||t_i1 - y_i1||^2 + ||t_i2 - y_i2||^2

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.

    Returns:
      (B,), the unit squared: summed over views and angles.
    """
    return tf.reduce_sum(tf.square(pose_true - pose_pred), axis=(1, 2))


def ranking_loss(pose_true, pose_pred):
    """Penalty on pairs in the wrong order, equation (5).

    sum_d max(0, -sgn(t_i2d - t_i1d) * (y_i2d - y_i1d))

    Signed predictions are ranked, as printed. Equal labels have sgn 0 and give neither loss nor
    gradient; equation (6) read literally would pull such a pair together.

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.

    Returns:
      (B,), same unit: summed over angles.
    """
    order = tf.sign(pose_true[:, 1] - pose_true[:, 0])
    return tf.reduce_sum(tf.nn.relu(-order * (pose_pred[:, 1] - pose_pred[:, 0])), axis=1)


def combined_loss(pose_true, pose_pred, beta=0.5):
    """beta * regression + (1 - beta) * ranking, equation (7).

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.
      beta: weight of the regression loss, 0 to 1; 1 is regression alone.

    Returns:
      (B,).
    """
    regression = regression_loss(pose_true, pose_pred)
    return beta * regression + (1.0 - beta) * ranking_loss(pose_true, pose_pred)


@keras.saving.register_keras_serializable(package="rankpose_tf")
class RankPoseLoss(keras.losses.Loss):
    """`combined_loss` with its unit, as Keras takes it.

    Labels and predictions arrive in radians. With loss_unit="degrees" both are scaled before the
    equations, which weights regression 57 times more against ranking: the regression loss is
    quadratic in the unit, the ranking loss linear.

    Raises:
      RankPoseError: for a beta outside 0..1 or a unit of another name.
    """

    def __init__(self, beta=0.5, loss_unit="radians", name="rankpose_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0.0 <= beta <= 1.0:
            raise RankPoseError(f"beta: expected a number from 0 to 1, received {beta}")
        if loss_unit not in LOSS_UNITS:
            raise RankPoseError(
                f"loss_unit: expected one of {', '.join(LOSS_UNITS)}, received {loss_unit!r}"
            )
        self.beta = beta
        self.loss_unit = loss_unit

    def call(self, pose_true, pose_pred):
        unit = LOSS_UNITS[self.loss_unit]
        return combined_loss(pose_true * unit, pose_pred * unit, self.beta)

    def get_config(self):
        return {**super().get_config(), "beta": self.beta, "loss_unit": self.loss_unit}


@keras.saving.register_keras_serializable(package="rankpose_tf")
class MeanAbsoluteDegrees(keras.metrics.Mean):
    """Mean absolute error in degrees of one angle, or of all three ("mean"), over both views."""

    def __init__(self, angle="mean", name=None, **kwargs):
        super().__init__(name=name or ("mae" if angle == "mean" else f"mae_{angle}"), **kwargs)
        self.angle = angle

    def update_state(self, pose_true, pose_pred, sample_weight=None):
        error = tf.abs(pose_true - pose_pred) * LOSS_UNITS["degrees"]
        if self.angle != "mean":
            error = error[..., ANGLES.index(self.angle)]
        super().update_state(tf.reshape(error, [-1]))

    def get_config(self):
        return {**super().get_config(), "angle": self.angle}


@keras.saving.register_keras_serializable(package="rankpose_tf")
class OrderAccuracy(keras.metrics.Mean):
    """Share of (pair, angle) predicted in the order of the labels; equal labels are left out."""

    def update_state(self, pose_true, pose_pred, sample_weight=None):
        order_true = tf.sign(pose_true[:, 1] - pose_true[:, 0])
        order_pred = tf.sign(pose_pred[:, 1] - pose_pred[:, 0])
        right = tf.cast(tf.equal(order_true, order_pred), tf.float32)
        super().update_state(right, sample_weight=tf.abs(order_true))


@keras.saving.register_keras_serializable(package="rankpose_tf")
class LossPart(keras.metrics.Mean):
    """One term of the loss by itself, in the loss's own unit: "mse" or "ranking"."""

    def __init__(self, part="mse", loss_unit="radians", name=None, **kwargs):
        super().__init__(name=name or part, **kwargs)
        self.part = part
        self.loss_unit = loss_unit

    def update_state(self, pose_true, pose_pred, sample_weight=None):
        term = {"mse": regression_loss, "ranking": ranking_loss}[self.part]
        unit = LOSS_UNITS[self.loss_unit]
        super().update_state(term(pose_true * unit, pose_pred * unit))

    def get_config(self):
        return {**super().get_config(), "part": self.part, "loss_unit": self.loss_unit}


def training_metrics(loss_unit="radians"):
    """The figures shown while training: loss parts, MAE in degrees, share of ordered pairs."""
    return [
        LossPart("mse", loss_unit),
        LossPart("ranking", loss_unit),
        *(MeanAbsoluteDegrees(angle) for angle in ANGLES),
        MeanAbsoluteDegrees("mean"),
        OrderAccuracy(name="ordered"),
    ]
