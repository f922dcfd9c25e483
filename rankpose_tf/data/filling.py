"""Random filling of the black that rendering leaves beside a head (TensorFlow).

Views that were turned in 3-D, as those of 300W-LP, are black where the photo showed nothing, in
wedges whose shape tells how far the head was turned. A network reads that, and no camera shows it.
Pictures and seeds are as in augment.py.
"""

import functools

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError

# JPEG leaves grain in black areas; hardly any photo is as dark over a whole area.
_BLACK = 12.0
# Pixels: what is narrower is a pupil or a nostril, and stays.
_LEAST_WIDTH = 5
# Colours along each side, which run into each other.
_COLOURS = 4


def random_fill(image, seed, probability):
    """Fills areas of black by smooth random colours, with a probability.

    An area is filled with the pixel around it, which the resizing mixed with black.

    Args:
      image: (H, W, 3) float32, 0..255.
      seed: (2,) int tensor.
      probability: of filling, 0..1.

    Returns:
      (H, W, 3) float32, 0..255.

    Raises:
      RankPoseError: for a probability outside 0..1.
    """
    if not 0.0 <= probability <= 1.0:
        raise RankPoseError(f"probability: expected a number from 0 to 1, received {probability}")
    image = tf.convert_to_tensor(image, tf.float32)
    if probability == 0:
        return image
    chance = tf.random.stateless_uniform((), seed, alg="philox")

    def filled():
        # The colours must not be made of the same random bits as the decision.
        colours = tf.random.stateless_uniform(
            (_COLOURS, _COLOURS, 3), tf.random.fold_in(seed, 1), maxval=255.0, alg="philox"
        )
        colours = tf.image.resize(colours, tf.shape(image)[:2])
        return tf.where(black_areas(image), tf.ensure_shape(colours, image.shape), image)

    return tf.cond(chance < probability, filled, lambda: image)


def black_areas(image):
    """Where a picture is black over an area, and one pixel around.

    Args:
      image: (H, W, 3), 0..255.

    Returns:
      (H, W, 1) bool.
    """
    black = tf.reduce_max(tf.cast(image, tf.float32), axis=-1, keepdims=True) <= _BLACK
    # Outside of the picture counts as black, so that areas at its border stay.
    middle = _any_within(~black, _LEAST_WIDTH)
    return _any_within(~middle, _LEAST_WIDTH + 2)


def _any_within(mask, width):
    """Whether any pixel of a square of `width` around each is set, (H, W, 1) bool."""
    # One or of shifted pictures after the other: pooling takes ten times as long on one channel.
    around = width // 2
    rows, columns = tf.shape(mask)[0], tf.shape(mask)[1]
    mask = tf.pad(mask, [[around, around], [around, around], [0, 0]])
    mask = functools.reduce(tf.logical_or, [mask[at : at + rows] for at in range(width)])
    return functools.reduce(tf.logical_or, [mask[:, at : at + columns] for at in range(width)])
