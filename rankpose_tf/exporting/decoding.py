"""Encoded pictures -> RGB inside a serving graph, by the rules of core/pictures.py.

As far as TensorFlow goes: JPEG and PNG alone, without EXIF rotation; transparency is laid over
black, and grey of fewer bits than its 16 is as bright as of 8. A graph has no exceptions but
failing ops: `decode` fails where a picture can't be used, and its caller leaves the element out.
"""

import tensorflow as tf

from rankpose_tf.data import square_crops

# A picture of 100 kB can claim to be a gigapixel: its header is read before it is decoded.
MAX_PIXELS = 50_000_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# In a PNG's header: eight bytes of signature, length and name of the first chunk, then these.
_SIDES, _KIND = (16, 8), (24, 2)
_GREY_OF_16_BITS = b"\x10\x00"
# As `pictures.read` has them.
_GREY_BITS = (8, 10, 12, 14)


def decode(content):
    """(H, W, 3) uint8 of a JPEG or PNG that is not too large.

    Args:
      content: () string, the file's content.
    """
    with tf.control_dependencies([tf.debugging.Assert(_pixels(content) <= MAX_PIXELS, [content])]):
        content = tf.identity(content)
    image = tf.cond(
        tf.io.is_jpeg(content), lambda: square_crops.decode(content), lambda: _of_png(content)
    )
    return tf.ensure_shape(image, (None, None, 3))


def _pixels(content):
    """Number of pixels that the header of a JPEG or PNG tells; an error for anything else."""

    def of_jpeg():
        return tf.reduce_prod(tf.cast(tf.io.extract_jpeg_shape(content)[:2], tf.int64))

    def of_png():
        signature = tf.equal(tf.strings.substr(content, 0, len(_SIGNATURE)), _SIGNATURE)
        with tf.control_dependencies([tf.debugging.Assert(signature, ["neither JPEG nor PNG"])]):
            sides = tf.strings.substr(content, *_SIDES)
        return tf.reduce_prod(tf.cast(tf.io.decode_raw(sides, tf.int32, False), tf.int64))

    return tf.cond(tf.io.is_jpeg(content), of_jpeg, of_png)


def _of_png(content):
    deep = tf.equal(tf.strings.substr(content, *_KIND), _GREY_OF_16_BITS)
    return tf.cond(deep, lambda: _deep_grey(content), lambda: _over_black(content))


def _deep_grey(content):
    """Of a PNG of 16 bits of grey: the upper 8 of the least bits that hold its values."""
    values = tf.cast(tf.io.decode_png(content, channels=1, dtype=tf.uint16), tf.int32)
    empty = [tf.cast(tf.reduce_max(values) < 2**bits, tf.int32) for bits in _GREY_BITS]
    grey = tf.cast(tf.bitwise.right_shift(values, 8 - 2 * tf.add_n(empty)), tf.uint8)
    return tf.repeat(grey, 3, axis=2)


def _over_black(content):
    image = tf.io.decode_png(content, channels=4)
    colours, alpha = image[..., :3], image[..., 3:]

    def covered():
        shares = tf.cast(alpha, tf.float32) / 255.0
        return tf.cast(tf.round(tf.cast(colours, tf.float32) * shares), tf.uint8)

    # Most pictures are opaque, and need not be multiplied.
    return tf.cond(tf.reduce_min(alpha) < 255, covered, lambda: tf.identity(colours))
