"""Square crops as TensorFlow operations: the same in evaluation and the SavedModel.

The crop rule of the whole package is `square_around` and `crop_and_resize`. Coordinates are
continuous pixels: pixel i spans i..i+1, the whole image is (0, 0, W, H). Python numbers out of
range raise RankPoseError.
"""

import math

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError


def decode(image_bytes):
    """Decodes a JPEG, PNG, BMP or (first frame) GIF.

    Args:
      image_bytes: () string, the file's content.

    Returns:
      (H, W, 3) uint8 RGB.

    Raises:
      tf.errors.InvalidArgumentError: when the bytes are no picture.
    """
    image = tf.io.decode_image(image_bytes, channels=3, expand_animations=False)
    image.set_shape((None, None, 3))
    return image


def square_around(box, scale):
    """Square around a box's centre, `scale` times the box's longer side.

    Args:
      box: (4,) left, top, right, bottom, pixels.
      scale: number or () tensor; the authors' tests use 1.4, their training 1.4 to 1.6.

    Returns:
      (4,) float32 left, top, right, bottom; may reach outside the image. A box without an extent
      counts as one pixel, so that the side is never zero.

    Raises:
      RankPoseError: for a Python number `scale` that is not above 0.
    """
    if isinstance(scale, (int, float)) and not 0.0 < scale < math.inf:
        raise RankPoseError(f"scale: expected a number above 0, such as 1.4, received {scale}")
    box = tf.cast(box, tf.float32)
    longer = tf.maximum(tf.reduce_max(box[2:] - box[:2]), 1.0)
    half = 0.5 * tf.cast(scale, tf.float32) * longer
    centre = 0.5 * (box[:2] + box[2:])
    return tf.concat([centre - half, centre + half], axis=0)


def crop_and_resize(image, square, size):
    """Cuts a square out of an image and resizes it, in one antialiased op.

    Antialiased, because test faces of over 300 pixels shrink five times and training crops
    perhaps 1.7 times: plain bilinear sampling would skip most of a large face's pixels and show
    the network grain that it never trained on. The square need not lie on whole pixels.

    Args:
      image: (H, W, 3), 0..255, uint8 or float32.
      square: (4,) left, top, right, bottom, pixels; may reach outside the image.
      size: side of the result, pixels.

    Returns:
      (size, size, 3) float32, 0..255; black where the square is outside the image.

    Raises:
      RankPoseError: for a size below 1.
    """
    if isinstance(size, (int, float)) and (size < 1 or size != int(size)):
        raise RankPoseError(f"size: expected a whole number of pixels from 1, received {size}")
    square = tf.cast(square, tf.float32)
    left_top = square[:2]
    scale = tf.cast(size, tf.float32) / (square[2:] - left_top)
    # The op wants (y, x), and a translation in pixels of the result.
    cropped = tf.raw_ops.ScaleAndTranslate(
        images=tf.convert_to_tensor(image)[tf.newaxis],
        size=(size, size),
        scale=scale[::-1],
        translation=(-left_top * scale)[::-1],
        kernel_type="triangle",
        antialias=True,
    )[0]
    return tf.ensure_shape(cropped, (size, size, 3))
