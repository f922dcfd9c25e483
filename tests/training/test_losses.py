"""Equations (4)-(7) and the figures shown beside them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.training import losses


def pair(first, second):
    """One pair whose three angles are all `first` in view 1 and `second` in view 2."""
    return tf.constant([[[first] * 3, [second] * 3]], tf.float32)


@pytest.fixture
def random_pairs():
    generator = np.random.default_rng(0)
    return generator.normal(size=(2, 6, 2, 3)).astype(np.float32)


def test_regression_loss_sums_angles_and_views():
    truth, predicted = pair(0.0, 0.0), pair(1.0, 2.0)
    np.testing.assert_allclose(losses.regression_loss(truth, predicted), [3 * 1**2 + 3 * 2**2])


def test_two_negative_angles_in_wrong_order_are_penalised():
    truth, predicted = pair(-0.5, -0.1), pair(-0.1, -0.5)
    np.testing.assert_allclose(losses.ranking_loss(truth, predicted), [3 * (0.5 - 0.1)], rtol=1e-6)


def test_two_negative_angles_in_right_order_cost_nothing():
    assert losses.ranking_loss(pair(-0.5, -0.1), pair(-0.9, -0.2)).numpy() == [0.0]


def test_equal_labels_have_zero_loss_and_zero_gradient():
    truth, predicted = pair(0.3, 0.3), pair(1.0, -1.0)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = losses.ranking_loss(truth, predicted)
    assert loss.numpy() == [0.0]
    np.testing.assert_array_equal(tape.gradient(loss, predicted), np.zeros((1, 2, 3)))


def test_ranking_matches_equation_6_case_by_case(random_pairs):
    truth, predicted = random_pairs
    expected = np.zeros(len(truth))
    for i in range(len(truth)):
        for d in range(3):
            if truth[i, 1, d] < truth[i, 0, d]:
                expected[i] += max(0.0, predicted[i, 1, d] - predicted[i, 0, d])
            elif truth[i, 1, d] > truth[i, 0, d]:
                expected[i] += max(0.0, predicted[i, 0, d] - predicted[i, 1, d])
    np.testing.assert_allclose(losses.ranking_loss(truth, predicted), expected, rtol=1e-5)


def test_ranking_gradient_pushes_the_pair_apart_into_the_right_order():
    predicted = tf.Variable(pair(0.2, -0.2))
    with tf.GradientTape() as tape:
        loss = losses.ranking_loss(pair(0.0, 1.0), predicted)
    slope = tape.gradient(loss, predicted).numpy()
    assert (slope[0, 0] > 0).all() and (slope[0, 1] < 0).all()


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_gradient_matches_finite_differences(random_pairs, beta):
    truth, predicted = random_pairs.astype(np.float64)

    def value(p):
        return float(tf.reduce_mean(losses.combined_loss(truth, p, beta)))

    watched = tf.constant(predicted)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        loss = tf.reduce_mean(losses.combined_loss(truth, watched, beta))
    slope = tape.gradient(loss, watched).numpy()
    for index in [(0, 0, 0), (2, 1, 1), (5, 0, 2)]:
        step = np.zeros_like(predicted)
        step[index] = 1e-6
        numeric = (value(predicted + step) - value(predicted - step)) / 2e-6
        np.testing.assert_allclose(slope[index], numeric, atol=1e-6)


def test_extreme_predictions_give_finite_losses():
    assert np.isfinite(losses.combined_loss(pair(1.5, -1.5), pair(-1e6, 1e6))).all()


def test_combined_loss_is_equation_7(random_pairs):
    truth, predicted = random_pairs
    expected = 0.3 * losses.regression_loss(truth, predicted) + 0.7 * losses.ranking_loss(
        truth, predicted
    )
    np.testing.assert_allclose(losses.combined_loss(truth, predicted, 0.3), expected, rtol=1e-6)


def test_degrees_weight_regression_57_times_more_against_ranking(random_pairs):
    truth, predicted = random_pairs
    factor = 180 / np.pi
    expected = 0.5 * (
        factor**2 * losses.regression_loss(truth, predicted)
        + factor * losses.ranking_loss(truth, predicted)
    )
    loss = losses.RankPoseLoss(beta=0.5, loss_unit="degrees", reduction="none")
    np.testing.assert_allclose(loss(truth, predicted), expected, rtol=1e-4)


def test_keras_loss_is_the_mean_over_pairs_and_survives_its_config(random_pairs):
    truth, predicted = random_pairs
    loss = losses.RankPoseLoss(beta=0.7, loss_unit="radians")
    expected = np.mean(losses.combined_loss(truth, predicted, 0.7))
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    np.testing.assert_allclose(copy(truth, predicted), expected, rtol=1e-5)


def test_huber_is_the_square_up_to_its_bound_and_its_tangent_beyond():
    bound = 0.2
    for error in (-1.0, -0.2, 0.05, 0.2, 0.2001, 3.0):
        cost = float(losses.regression_loss(pair(0.0, 0.0), pair(0.0, error), huber=bound)[0])
        tangent = bound**2 + 2 * bound * (abs(error) - bound)
        assert cost == pytest.approx(3 * (error**2 if abs(error) <= bound else tangent), rel=1e-5)


def test_no_error_pulls_harder_than_the_bound_of_huber():
    predicted = tf.Variable(pair(0.1, 50.0))
    with tf.GradientTape() as tape:
        loss = losses.regression_loss(pair(0.0, 0.0), predicted, huber=0.2)
    expected = [[[2 * 0.1] * 3, [2 * 0.2] * 3]]
    np.testing.assert_allclose(tape.gradient(loss, predicted), expected, rtol=1e-5)


@pytest.mark.parametrize("unit", list(losses.LOSS_UNITS))
def test_the_bound_of_huber_is_in_degrees_in_either_unit(unit):
    loss = losses.RankPoseLoss(1.0, unit, regression="huber")
    scale = losses.LOSS_UNITS[unit] / losses.LOSS_UNITS["degrees"]
    for error, cost in ((3.0, 3.0**2), (25.0, 10.0 * (2 * 25.0 - 10.0))):
        found = loss(pair(0.0, 0.0), pair(0.0, np.radians(error)))
        np.testing.assert_allclose(found, 3 * cost * scale**2, rtol=1e-4)


def test_options_of_the_loss_survive_its_config_and_reach_its_parts(random_pairs):
    truth, predicted = random_pairs
    terms = {"loss_unit": "degrees", "regression": "huber"}
    loss = losses.RankPoseLoss(0.25, **terms)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    np.testing.assert_allclose(copy(truth, predicted), loss(truth, predicted), rtol=1e-6)
    regression, ranking = (
        keras.metrics.deserialize(keras.metrics.serialize(metric))
        for metric in losses.training_metrics(**terms)[:2]
    )
    for metric in (regression, ranking):
        metric.update_state(truth, predicted)
    expected = 0.25 * regression.result() + 0.75 * ranking.result()
    np.testing.assert_allclose(loss(truth, predicted), expected, rtol=1e-4)
    assert abs(loss(truth, predicted) - losses.RankPoseLoss(0.25, "degrees")(truth, predicted)) > 1


def test_metrics_report_degrees_per_angle_over_batches_of_different_size():
    metric = losses.MeanAbsoluteDegrees("pitch")
    truth = np.zeros((3, 2, 3), np.float32)
    predicted = truth.copy()
    predicted[:, :, 1] = np.radians([[1, 2], [3, 4], [5, 6]])
    metric.update_state(truth[:2], predicted[:2])
    metric.update_state(truth[2:], predicted[2:])
    np.testing.assert_allclose(metric.result(), np.mean([1, 2, 3, 4, 5, 6]), rtol=1e-5)


def test_order_accuracy_leaves_ties_out():
    metric = losses.OrderAccuracy()
    truth = tf.constant([[[0.0, 0.0, 0.0], [1.0, -1.0, 0.0]]])
    predicted = tf.constant([[[0.0, 0.0, 0.0], [0.5, 0.5, 9.0]]])
    metric.update_state(truth, predicted)
    assert float(metric.result()) == 1 / 2


def test_loss_parts_add_up_to_the_loss(random_pairs):
    truth, predicted = random_pairs
    parts = [losses.LossPart("regression", "degrees"), losses.LossPart("ranking", "degrees")]
    for part in parts:
        part.update_state(truth, predicted)
    loss = losses.RankPoseLoss(0.25, "degrees")(truth, predicted)
    np.testing.assert_allclose(0.25 * parts[0].result() + 0.75 * parts[1].result(), loss, rtol=1e-4)
