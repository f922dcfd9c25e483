"""What holds of the ranking loss whatever the labels are, and of gradients at the worst inputs."""

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.models import layers
from rankpose_tf.training import losses

GENERATOR = np.random.default_rng(0)
# In steps of 1/64, so that a shift of 2 is exact, and with ties.
TRUE, PREDICTED = (GENERATOR.integers(-64, 65, (2, 500, 2, 3)) / 64).astype(np.float32)


def ranking(true, predicted):
    return losses.ranking_loss(tf.constant(true), tf.constant(predicted)).numpy()


def test_a_constant_on_both_labels_changes_no_ranking():
    np.testing.assert_array_equal(ranking(TRUE + 2.0, PREDICTED), ranking(TRUE, PREDICTED))


def test_swapped_views_have_the_same_ranking_loss():
    swapped = ranking(TRUE[:, ::-1], PREDICTED[:, ::-1])
    np.testing.assert_array_equal(swapped, ranking(TRUE, PREDICTED))


def test_the_ranking_loss_is_zero_exactly_where_all_orders_are_right():
    label = np.sign(TRUE[:, 1] - TRUE[:, 0])
    wrong = label * (PREDICTED[:, 1] - PREDICTED[:, 0]) < 0
    assert 0 < wrong.any(axis=1).sum() < len(wrong)
    np.testing.assert_array_equal(ranking(TRUE, PREDICTED) > 0, wrong.any(axis=1))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("transform", layers.TRANSFORMS)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 6e4])
def test_gradients_are_finite_for_features_of_any_length_in_any_precision(policy, transform, scale):
    head = layers.NormalizedDense(3, transform, dtype=policy)
    features = tf.Variable(scale * np.ones((4, 8), np.float32))
    with tf.GradientTape() as tape:
        poses = tf.reshape(head(features), (2, 2, 3))
        loss = tf.reduce_sum(losses.combined_loss(tf.ones((2, 2, 3)), poses))
    gradients = tape.gradient(loss, [features, head.kernel])
    assert poses.dtype == tf.float32
    assert all(np.isfinite(part.numpy()).all() for part in [loss, *gradients])
