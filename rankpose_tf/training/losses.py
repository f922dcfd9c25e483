"""Losses of RankPose (BMVC 2020), equations (4)-(7), and the figures reported beside them.

Everywhere: `pose_true` and `pose_pred` are (B, 2, 3), radians: B pairs, the two views of a pair,
and yaw, pitch, roll. Each function returns one value per pair, (B,); the mean over them is the
paper's 1/N sum, and Keras takes it.
"""

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core.pose import ANGLES
from rankpose_tf.training.recipe import LOSS_UNITS

# Error from which "huber" costs linearly, degrees; no other was tried.
HUBER_DEGREES = 10.0


def regression_loss(pose_true, pose_pred, huber=None):
    """Squared error of both views, equation (4); Huber's bound is ours.

    ||t_i1 - y_i1||^2 + ||t_i2 - y_i2||^2

    With `huber`, an error e beyond it costs huber * (2 |e| - huber) instead of e^2, its tangent:
    labels that are far off then pull no harder than an error of `huber`.

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.
      huber: error from which the cost grows linearly, same unit; None for no bound.

    Returns:
      (B,), the unit squared: summed over views and angles.
    """
    return tf.reduce_sum(_cost(pose_true - pose_pred, huber), axis=(1, 2))


def _cost(error, huber):
    """Square of an error, or beyond `huber` the square's tangent."""
    if huber is None:
        return tf.square(error)
    size = tf.abs(error)
    return tf.where(size <= huber, tf.square(error), huber * (2.0 * size - huber))


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


def loss_terms(pose_true, pose_pred, loss_unit="radians", regression="squared"):
    """Both terms of the loss in the unit it is computed in.

    Args:
      pose_true: (B, 2, 3) labels, radians.
      pose_pred: (B, 2, 3) predictions, radians.
      loss_unit: "radians" or "degrees".
      regression: "squared", equation (4), or "huber", linear from `HUBER_DEGREES` on.

    Returns:
      Regression and ranking, (B,) each.
    """
    unit = LOSS_UNITS[loss_unit]
    huber = np.radians(HUBER_DEGREES) * unit if regression == "huber" else None
    true, pred = pose_true * unit, pose_pred * unit
    return regression_loss(true, pred, huber), ranking_loss(true, pred)


def combined_loss(pose_true, pose_pred, beta=0.5, **terms):
    """beta * regression + (1 - beta) * ranking, equation (7).

    Args:
      pose_true: (B, 2, 3) labels, radians.
      pose_pred: (B, 2, 3) predictions, radians.
      beta: weight of the regression loss, 0 to 1; 1 is regression alone.
      **terms: keyword arguments of `loss_terms`.

    Returns:
      (B,).
    """
    regression, ranking = loss_terms(pose_true, pose_pred, **terms)
    return beta * regression + (1.0 - beta) * ranking


@keras.saving.register_keras_serializable(package="rankpose_tf")
class RankPoseLoss(keras.losses.Loss):
    """`combined_loss` with its unit, as Keras takes it.

    Labels and predictions arrive in radians. With loss_unit="degrees" both are scaled before the
    equations, which weights regression 57 times more against ranking: the regression loss is
    quadratic in the unit, the ranking loss linear.

    Args:
      beta: weight of the regression loss, 0 to 1; 1 is regression alone.
      loss_unit, regression: see `loss_terms`. `Recipe` checks all three.
    """

    def __init__(
        self,
        beta=0.5,
        loss_unit="radians",
        regression="squared",
        name="rankpose_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.beta = beta
        self.terms = {"loss_unit": loss_unit, "regression": regression}

    def call(self, pose_true, pose_pred):
        return combined_loss(pose_true, pose_pred, self.beta, **self.terms)

    def get_config(self):
        return {**super().get_config(), "beta": self.beta, **self.terms}


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
    """One term of the loss by itself, in the loss's own unit: "regression" or "ranking".

    Args:
      part: which.
      loss_unit: "radians" or "degrees".
      **terms: other keyword arguments of `loss_terms`.
    """

    def __init__(self, part="regression", loss_unit="radians", name=None, dtype=None, **terms):
        super().__init__(name=name or part, dtype=dtype)
        self.part = part
        self.terms = {"loss_unit": loss_unit, **terms}

    def update_state(self, pose_true, pose_pred, sample_weight=None):
        both = loss_terms(pose_true, pose_pred, **self.terms)
        super().update_state(both[("regression", "ranking").index(self.part)])

    def get_config(self):
        return {**super().get_config(), "part": self.part, **self.terms}


def training_metrics(**terms):
    """The figures shown while training: loss parts, MAE in degrees, share of ordered pairs.

    Args:
      **terms: keyword arguments of `loss_terms`.
    """
    return [
        LossPart("regression", **terms),
        LossPart("ranking", **terms),
        *(MeanAbsoluteDegrees(angle) for angle in ANGLES),
        MeanAbsoluteDegrees("mean"),
        OrderAccuracy(name="ordered"),
    ]
