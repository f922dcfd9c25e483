"""Pictures of one colour through a whole tower: finite poses, losses and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.models import towers
from rankpose_tf.training import losses

SIZE = 32
COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255), "one colour": (200, 30, 90)}
BLACK, WHITE, COLOURED = (np.full((4, SIZE, SIZE, 3), c, np.float32) for c in COLOURS.values())
# Labels that differ, are equal, and lie at the transforms' borders.
LABELS = np.array([[0.0, 0.5], [0.3, 0.3], [-np.pi / 2, np.pi / 2], [1.0, -1.0]], np.float32)
LABELS = np.repeat(LABELS[..., np.newaxis], 3, axis=2)


@pytest.fixture(
    params=[
        *(("float32", transform) for transform in ("linear", "cosine", "arccos")),
        ("mixed_float16", "arccos"),
        ("mixed_bfloat16", "arccos"),
    ],
    ids=str,
)
def siamese(request):
    policy, transform = request.param
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    try:
        tower = towers.build_tower("compact", SIZE, transform, "none")
        yield towers.build_siamese(tower, SIZE)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_poses_losses_gradients_and_weights_are_finite_and_so_are_poses_after(siamese):
    optimizer = keras.optimizers.Adam(1e-3)
    is_float16 = keras.mixed_precision.global_policy().compute_dtype == "float16"
    if is_float16:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    variables = siamese.trainable_variables
    noise = np.random.default_rng(0).uniform(0, 255, BLACK.shape).astype(np.float32)
    among_others = np.concatenate([BLACK[:1], WHITE[:1], noise[:2]])
    for pair in ([BLACK, BLACK], [WHITE, WHITE], [COLOURED, COLOURED], [BLACK, WHITE],
                 [among_others, noise]):  # fmt: skip
        with tf.GradientTape(persistent=True) as tape:
            poses = siamese(pair, training=True)
            loss = tf.reduce_mean(losses.combined_loss(LABELS, poses))
            scaled = optimizer.scale_loss(loss)
        assert np.isfinite(poses).all() and np.isfinite(loss)
        # A batch of nothing but one colour, which no pixel varies, is too steep for float16: Keras
        # leaves the step out.
        if not is_float16 or pair[1] is noise:
            gradients = tape.gradient(loss, variables)
            assert all(np.isfinite(part.numpy()).all() for part in gradients)
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        assert all(np.isfinite(weight.numpy()).all() for weight in siamese.weights)
    tower = towers.single_image_model(siamese)
    for pictures in (BLACK, WHITE, COLOURED):
        poses = tower(pictures, training=False).numpy()
        assert np.isfinite(poses).all()
        # Equal pictures have equal poses, but for the order of sums.
        np.testing.assert_allclose(poses, poses[:1].repeat(4, axis=0), atol=1e-6)
