"""Random erasing: a rectangle of a training view is covered, as a hand or hair may (TensorFlow).

"Random Erasing Data Augmentation" (Zhong et al., AAAI 2020), whose smallest area, 2 % of the
picture, and aspect ratios are kept. Pictures and seeds are as in augment.py.
"""

import math

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError

_LEAST_AREA = 0.02
_LARGEST_RATIO = 1.0 / 0.3


def random_erase(image, seed, probability, area):
    """Fills a rectangle that lies inside the picture, with a probability.

    Its area is drawn evenly from 2 % to `area`, its ratio of height to width evenly on a
    logarithmic scale from 0.3 to 1 / 0.3, its place evenly. It is filled by one colour with a
    share, drawn too, of noise: from plain to noise alone, since a network learns to spot any
    one filling.

    Args:
      image: (H, W, 3) float32, 0..255.
      seed: (2,) int tensor.
      probability: of erasing, 0..1.
      area: largest share of the picture, 0.02..1.

    Returns:
      (H, W, 3) float32, 0..255.

    Raises:
      RankPoseError: for a probability or area outside its range.
    """
    for name, value, least in (("probability", probability, 0.0), ("area", area, _LEAST_AREA)):
        if not least <= value <= 1.0:
            raise RankPoseError(f"{name}: expected a number from {least:g} to 1, received {value}")
    image = tf.convert_to_tensor(image, tf.float32)
    if probability == 0:
        return image
    chance, *draws = tf.unstack(tf.random.stateless_uniform((9,), seed, alg="philox"))

    def erased():
        # The noise must not be made of the same random bits as the place and the colour.
        noise = tf.random.stateless_uniform(
            tf.shape(image), tf.random.fold_in(seed, 1), alg="philox"
        )
        colour, grain = tf.stack(draws[4:7]), draws[7]
        filling = 255.0 * (colour + grain * (noise - colour))
        return tf.where(_rectangle(tf.shape(image)[:2], draws[:4], area), filling, image)

    return tf.cond(chance < probability, erased, lambda: image)


def _rectangle(size, draws, area):
    """Which pixels of a picture of `size` (2,) are erased, (H, W, 1) bool."""
    share = _LEAST_AREA + (area - _LEAST_AREA) * draws[0]
    ratio = tf.exp(math.log(_LARGEST_RATIO) * (2.0 * draws[1] - 1.0))
    # A large rectangle can't be as long as that.
    ratio = tf.clip_by_value(ratio, share, 1.0 / share)
    rows, columns = (
        _between(count, side, place)
        for count, side, place in zip(
            tf.unstack(size),
            (tf.sqrt(share * ratio), tf.sqrt(share / ratio)),
            draws[2:],
            strict=True,
        )
    )
    return rows[:, tf.newaxis, tf.newaxis] & columns[tf.newaxis, :, tf.newaxis]


def _between(count, side, place):
    """Pixels (count,) whose centres are inside a stretch of `side`, a share of them all."""
    centres = (tf.range(tf.cast(count, tf.float32)) + 0.5) / tf.cast(count, tf.float32)
    first = (1.0 - side) * place
    return (centres >= first) & (centres < first + side)
