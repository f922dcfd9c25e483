"""Losses of RankPose (BMVC 2020), equations (4)-(7), and the figures reported beside them.

Everywhere: `pose_true` and `pose_pred` are (B, 2, 3), radians: B pairs, the two views of a pair,
and yaw, pitch, roll. Each function returns one value per pair, (B,); the mean over them is the
paper's 1/N sum, and Keras takes it.
"""

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES

LOSS_UNITS = {"radians": 1.0, "degrees": 180.0 / np.pi}
REGRESSIONS = ("squared", "huber")


def regression_loss(pose_true, pose_pred, weights=1.0, huber=None):
    """Squared error of both views, equation (4); weights and Huber's bound are ours.

    ||t_i1 - y_i1||^2 + ||t_i2 - y_i2||^2

    With `huber`, an error e beyond it costs huber * (2 |e| - huber) instead of e^2, its tangent:
    labels that are far off then pull no harder than an error of `huber`.

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.
      weights: (B, 2, 3) of what each angle's error costs, such as the square of
        `gimbal_weights`; or a number.
      huber: error from which the cost grows linearly, same unit; None for no bound.

    Returns:
      (B,), the unit squared: summed over views and angles.
    """
    return tf.reduce_sum(weights * _cost(pose_true - pose_pred, huber), axis=(1, 2))


def difference_loss(pose_true, pose_pred, weights=1.0, huber=None):
    """Squared error of how far the head turned between the views of a pair; ours.

    ||(t_i2 - t_i1) - (y_i2 - y_i1)||^2

    Views rendered from one photo share the error of the pose that was fitted to it; their
    difference was set by the renderer and has none.

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.
      weights: (B, 3) of what each angle's error costs; or a number.
      huber: as in `regression_loss`.

    Returns:
      (B,), the unit squared: summed over angles.
    """
    error = (pose_true[:, 1] - pose_true[:, 0]) - (pose_pred[:, 1] - pose_pred[:, 0])
    return tf.reduce_sum(weights * _cost(error, huber), axis=1)


def _cost(error, huber):
    """Square of an error, or beyond `huber` the square's tangent."""
    if huber is None:
        return tf.square(error)
    size = tf.abs(error)
    return tf.where(size <= huber, tf.square(error), huber * (2.0 * size - huber))


def gimbal_weights(pose_true):
    """1 for yaw, cos(yaw) for pitch and roll: what these two still tell of a turned head.

    For R = Rx(pitch) Ry(yaw) Rz(roll), a small change turns the head by an angle ds with
    ds^2 = dyaw^2 + dpitch^2 + droll^2 - 2 sin(yaw) dpitch droll. At a yaw of 90 degrees
    pitch and roll turn about one axis: ds^2 holds their difference alone, and a picture can't
    tell which of the two it shows. The turn that a change of one leaves, when the other is free
    to make up for it, is the minimum over droll, at droll = sin(yaw) dpitch: cos(yaw)^2 dpitch^2.

    Args:
      pose_true: (B, 2, 3) labels, radians.

    Returns:
      (B, 2, 3), 0..1; errors in proportion to the angle are weighted with it, squares with its
      square.
    """
    turn = tf.abs(tf.cos(pose_true[..., :1]))
    return tf.concat([tf.ones_like(turn), turn, turn], axis=-1)


def ranking_loss(pose_true, pose_pred, weights=1.0):
    """Penalty on pairs in the wrong order, equation (5).

    sum_d max(0, -sgn(t_i2d - t_i1d) * (y_i2d - y_i1d))

    Signed predictions are ranked, as printed. Equal labels have sgn 0 and give neither loss nor
    gradient; equation (6) read literally would pull such a pair together.

    Args:
      pose_true: (B, 2, 3) labels.
      pose_pred: (B, 2, 3) predictions, same unit.
      weights: (B, 3) of what each angle's wrong order costs; or a number.

    Returns:
      (B,), same unit: summed over angles.
    """
    order = tf.sign(pose_true[:, 1] - pose_true[:, 0])
    wrong = tf.nn.relu(-order * (pose_pred[:, 1] - pose_pred[:, 0]))
    return tf.reduce_sum(weights * wrong, axis=1)


def loss_terms(
    pose_true,
    pose_pred,
    loss_unit="radians",
    regression="squared",
    huber_degrees=10.0,
    gimbal_weighting=False,
    difference_weight=0.0,
):
    """Both terms of the loss in the unit it is computed in.

    Args:
      pose_true: (B, 2, 3) labels, radians.
      pose_pred: (B, 2, 3) predictions, radians.
      loss_unit: "radians" or "degrees".
      regression: "squared", equation (4), or "huber".
      huber_degrees: error from which "huber" grows linearly, in degrees whatever the unit.
      gimbal_weighting: weight pitch and roll by `gimbal_weights`; their order by the weight of
        the view that is turned further.
      difference_weight: of `difference_loss`, which is added to the regression.

    Returns:
      Regression and ranking, (B,) each.
    """
    unit = LOSS_UNITS[loss_unit]
    huber = np.radians(huber_degrees) * unit if regression == "huber" else None
    true, pred = pose_true * unit, pose_pred * unit
    weights = gimbal_weights(pose_true) if gimbal_weighting else tf.ones_like(pose_true)
    of_pair = tf.reduce_min(weights, axis=1)
    regression = regression_loss(true, pred, tf.square(weights), huber)
    if difference_weight:
        regression += difference_weight * difference_loss(true, pred, tf.square(of_pair), huber)
    return regression, ranking_loss(true, pred, of_pair)


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
      loss_unit, regression, huber_degrees, gimbal_weighting, difference_weight: see `loss_terms`.

    Raises:
      RankPoseError: for a beta outside 0..1, a huber_degrees that is not above 0, a negative
        difference_weight, or an unknown name.
    """

    def __init__(
        self,
        beta=0.5,
        loss_unit="radians",
        regression="squared",
        huber_degrees=10.0,
        gimbal_weighting=False,
        difference_weight=0.0,
        name="rankpose_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not 0.0 <= beta <= 1.0:
            raise RankPoseError(f"beta: expected a number from 0 to 1, received {beta}")
        if not huber_degrees > 0.0:
            raise RankPoseError(f"huber_degrees: expected more than 0, received {huber_degrees}")
        if not difference_weight >= 0.0:
            raise RankPoseError(
                f"difference_weight: expected 0 or more, received {difference_weight}"
            )
        for argument, value, names in (
            ("loss_unit", loss_unit, LOSS_UNITS),
            ("regression", regression, REGRESSIONS),
        ):
            if value not in names:
                raise RankPoseError(
                    f"{argument}: expected one of {', '.join(names)}, received {value!r}"
                )
        self.beta = beta
        self.terms = {
            "loss_unit": loss_unit,
            "regression": regression,
            "huber_degrees": huber_degrees,
            "gimbal_weighting": gimbal_weighting,
            "difference_weight": difference_weight,
        }

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
    """One term of the loss by itself, in the loss's own unit: "mse" (regression) or "ranking".

    Args:
      part: which.
      loss_unit: "radians" or "degrees".
      **terms: other keyword arguments of `loss_terms`.
    """

    def __init__(self, part="mse", loss_unit="radians", name=None, dtype=None, **terms):
        super().__init__(name=name or part, dtype=dtype)
        self.part = part
        self.terms = {"loss_unit": loss_unit, **terms}

    def update_state(self, pose_true, pose_pred, sample_weight=None):
        both = loss_terms(pose_true, pose_pred, **self.terms)
        super().update_state(both[("mse", "ranking").index(self.part)])

    def get_config(self):
        return {**super().get_config(), "part": self.part, **self.terms}


def training_metrics(**terms):
    """The figures shown while training: loss parts, MAE in degrees, share of ordered pairs.

    Args:
      **terms: keyword arguments of `loss_terms`.
    """
    return [
        LossPart("mse", **terms),
        LossPart("ranking", **terms),
        *(MeanAbsoluteDegrees(angle) for angle in ANGLES),
        MeanAbsoluteDegrees("mean"),
        OrderAccuracy(name="ordered"),
    ]
