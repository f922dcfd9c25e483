"""Moved crops, flip, blur, noise and light: one stateless function each (TensorFlow).

The paper's recipe is random crop, random scale, Gaussian noise and Gaussian blur; brightness,
contrast, grey and flip are ours and optional. The crop itself is in square_crops.py.

Everywhere: `image` is (H, W, 3) RGB float32, 0..255, of a size that may be unknown while a graph
is built; results of the random functions are clipped to that range. Coordinates are continuous
pixels: pixel i spans i..i+1, the whole image is (0, 0, W, H). `seed` is a (2,) int tensor; the
same seed gives the same result, and two calls that are to be independent need two seeds.
`probability` is how often the function changes anything, 0..1; at 0 the image comes back as it is.
Python numbers out of range raise RankPoseError.
"""

import math

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError

_MIRRORED_SIGNS = (-1.0, 1.0, -1.0)


def jitter_square(square, seed, shift):
    """Random crop: moves the square, so that the picture is still sampled only once.

    Args:
      square: (4,) left, top, right, bottom, pixels.
      seed: (2,) int tensor.
      shift: largest move per axis, as a share of the side; 0 leaves the square as it is.

    Returns:
      (4,) float32, of the same size.

    Raises:
      RankPoseError: for a negative shift.
    """
    _require_at_least_zero("shift", shift)
    square = tf.cast(square, tf.float32)
    if shift == 0:
        return square
    move = _uniform(seed, 2, -shift, shift) * (square[2:] - square[:2])
    return square + tf.concat([move, move], axis=0)


def gaussian_blur(image, kernel_size, sigma):
    """Gaussian blur, equal to tensorflow-addons' `gaussian_filter2d` with its default padding.

    Separable: one pass of `kernel_size` weights exp(-x^2 / (2 sigma^2)), normalised to sum 1,
    along each axis. Borders are reflected without repeating the edge pixel.

    Args:
      image: (H, W, 3) float32, any range; H and W above kernel_size // 2.
      kernel_size: odd number of pixels.
      sigma: number or () tensor, pixels; near 0 the image stays as it is.

    Returns:
      (H, W, 3) float32.

    Raises:
      RankPoseError: for an even kernel_size or one below 1, or a negative Python number sigma.
    """
    if kernel_size < 1 or kernel_size % 2 != 1:
        raise RankPoseError(f"kernel_size: expected an odd whole number, received {kernel_size}")
    if isinstance(sigma, (int, float)):
        _require_at_least_zero("sigma", sigma)
    reach = int(kernel_size) // 2
    # At 0.001 every weight but the middle one is 0 in float32.
    sigma = tf.maximum(tf.cast(sigma, tf.float32), 1e-3)
    offsets = tf.range(-reach, reach + 1, dtype=tf.float32)
    weights = tf.nn.softmax(-tf.square(offsets) / (2.0 * tf.square(sigma)))
    shape = tf.shape(image)
    padded = tf.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="REFLECT")
    rows = tf.add_n([weights[k] * padded[k : k + shape[0]] for k in range(2 * reach + 1)])
    blurred = tf.add_n([weights[k] * rows[:, k : k + shape[1]] for k in range(2 * reach + 1)])
    return tf.ensure_shape(blurred, image.shape)


def random_blur(image, seed, probability, sigma_max):
    """Gaussian blur of a strength drawn evenly from 0..sigma_max.

    Args:
      image: (H, W, 3) float32, 0..255; H and W above 3 * sigma_max + 1.
      sigma_max: largest standard deviation, pixels.
    """
    _require_at_least_zero("sigma_max", sigma_max)
    kernel_size = 2 * math.ceil(3.0 * sigma_max) + 1

    def blurred(strength):
        return gaussian_blur(image, kernel_size, sigma_max * strength)

    return _sometimes(image, seed, probability, blurred)


def random_noise(image, seed, probability, stddev_max):
    """Gaussian noise, independent per pixel and channel, of a strength from 0..stddev_max.

    Args:
      stddev_max: largest standard deviation, in the image's 0..255.
    """
    _require_at_least_zero("stddev_max", stddev_max)

    def noisy(strength):
        # The noise must not be made of the same random bits as the decision and the strength.
        noise = tf.random.stateless_normal(
            tf.shape(image), seed=tf.random.fold_in(seed, 1), alg="philox"
        )
        return image + stddev_max * strength * noise

    return _sometimes(image, seed, probability, noisy)


def random_brightness(image, seed, probability, strength):
    """Adds one value, drawn evenly from +-strength * 255, to all pixels.

    Args:
      strength: largest change as a share of the range, 0..1.
    """
    _require_share("strength", strength)

    def brightened(draw):
        return image + 255.0 * strength * (2.0 * draw - 1.0)

    return _sometimes(image, seed, probability, brightened)


def random_contrast(image, seed, probability, strength):
    """Stretches the distance from the image's mean by 1 +- strength, drawn evenly.

    Args:
      strength: largest change of the factor, 0..1; at 1 an image may lose all contrast.
    """
    _require_share("strength", strength)

    def stretched(draw):
        mean = tf.reduce_mean(image)
        return mean + (image - mean) * (1.0 + strength * (2.0 * draw - 1.0))

    return _sometimes(image, seed, probability, stretched)


def random_dark(image, seed, probability, least):
    """Takes light away: a share of it stays, drawn evenly on a logarithmic scale, in whole steps.

    Whole, because an 8-bit picture with a sixteenth of the light has 16 of its 256 steps left.

    Args:
      least: smallest share that stays, above 0, up to 1.
    """
    if not 0.0 < least <= 1.0:
        raise RankPoseError(f"least: expected a number above 0, up to 1, received {least}")

    def darkened(draw):
        return tf.round(image * tf.exp(math.log(least) * draw))

    return _sometimes(image, seed, probability, darkened)


def random_grey(image, seed, probability, strength=1.0):
    """Takes colour away.

    Args:
      strength: share of the colour taken away, 0..1; 1 leaves a grey picture.
    """
    _require_share("strength", strength)

    def greyed(_):
        return image + strength * (tf.image.rgb_to_grayscale(image) - image)

    return _sometimes(image, seed, probability, greyed)


def flip(image, pose):
    """Mirrors left and right: yaw and roll change sign, pitch stays.

    Args:
      image: (H, W, 3).
      pose: (3,) yaw, pitch, roll, any unit.

    Returns:
      The mirrored image and its pose.
    """
    return tf.reverse(image, axis=[1]), pose * tf.constant(_MIRRORED_SIGNS)


def random_flip(image, pose, seed, probability):
    """`flip` with a probability. Both views of a pair are flipped alike when given one seed.

    Args:
      pose: (3,) float32 yaw, pitch, roll, any unit.

    Returns:
      Image and pose.
    """
    _require_share("probability", probability)
    image, pose = tf.convert_to_tensor(image), tf.convert_to_tensor(pose)
    if probability == 0:
        return image, pose
    chance = _uniform(seed, 2)[0]
    return tf.cond(chance < probability, lambda: flip(image, pose), lambda: (image, pose))


def _sometimes(image, seed, probability, change):
    """`change(strength)`, clipped to 0..255, with a probability; strength is drawn from 0..1."""
    _require_share("probability", probability)
    image = tf.convert_to_tensor(image, tf.float32)
    if probability == 0:
        return image
    chance, strength = tf.unstack(_uniform(seed, 2))
    return tf.cond(
        chance < probability,
        lambda: tf.clip_by_value(change(strength), 0.0, 255.0),
        lambda: image,
    )


def _uniform(seed, count, low=0.0, high=1.0):
    # Named, because the default generator differs between devices, and pairs with it.
    return tf.random.stateless_uniform((count,), seed, low, high, alg="philox")


def _require_share(name, value):
    if not 0.0 <= value <= 1.0:
        raise RankPoseError(f"{name}: expected a number from 0 to 1, received {value}")


def _require_at_least_zero(name, value):
    if not 0.0 <= value < math.inf:
        raise RankPoseError(f"{name}: expected a number from 0, received {value}")
