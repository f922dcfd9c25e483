"""What RankPose adds to Keras: the bounded output, the tower's preprocessing, empty batches.

Output space transformations of "RankPose: Learning Generalised Feature with Rank Supervision
for Head Pose Estimation" (BMVC 2020), section 3.1, equations (1)-(3).
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError

TRANSFORMS = ("linear", "cosine", "arccos")

# Below these the exact expressions lose float32 or blow up; both are far outside what a trained
# network visits: a feature vector of norm 1e-4, a prediction within 0.6 degrees of +-90.
_SMALLEST_SQUARED_NORM = 1e-8
_SMALLEST_SQUARED_SINE = 1e-4

# ImageNet means of keras.applications' "caffe" mode, in its BGR order.
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


@tf.custom_gradient
def shifted_arccos(cosine):
    """Angle of a cosine, shifted to be symmetric: arccos(x) - pi/2, equation (3).

    Computed as -atan2(x, sqrt((1 - x)(1 + x))), which is the same function, is exact near +-1
    and converts to TFLite, where tf.acos does not.

    The derivative -1/sqrt(1 - x^2) is infinite at +-1. Here 1 - x^2 is held at 1e-4 or more:
    exact for angles up to 89.4 degrees, at most 100 beyond, and never zero, so that a
    prediction at the border, or rounded past it, is still pulled back inside.

    Args:
      cosine: any shape, nominally within [-1, 1]; values rounded past it count as +-1.

    Returns:
      Radians within [-pi/2, pi/2], same shape.
    """
    bounded = tf.clip_by_value(cosine, -1.0, 1.0)
    squared_sine = (1.0 - bounded) * (1.0 + bounded)

    def gradient(upstream):
        return -upstream * tf.math.rsqrt(tf.maximum(squared_sine, _SMALLEST_SQUARED_SINE))

    return -tf.atan2(bounded, tf.sqrt(squared_sine)), gradient


def unit_length(vectors, axis):
    """Vectors scaled to unit L2 norm along `axis`; a zero vector stays zero, gradient finite."""
    squared_norm = tf.reduce_sum(tf.square(vectors), axis=axis, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squared_norm, _SMALLEST_SQUARED_NORM))


@keras.saving.register_keras_serializable(package="rankpose_tf")
class NormalizedDense(keras.layers.Layer):
    """Output layer with one weight column per angle, equations (1)-(3).

    linear: Y = W^T F, unbounded. cosine: Y = (pi/2) W'^T F'. arccos: Y = arccos(W'^T F') - pi/2,
    where F' and each column of W' have unit length. No bias: equation (1) has none, and a bias
    would move the bounds of the other two.

    With `separate`, which is not in the paper, each angle has a part of the features to itself, of
    unit length by itself. A single unit vector bounds the angles together: for orthogonal columns
    sin(yaw)^2 + sin(pitch)^2 + sin(roll)^2 <= 1, so no feature stands for a profile that also looks
    up. (Near +-90 degrees of yaw, pitch and roll are often large.)

    Args:
      units: how many angles; 3.
      transform: "linear", "cosine" or "arccos".
      separate: feature d is of angle d modulo `units` alone.

    Call:
      features (B, D) -> radians (B, units); for cosine and arccos within [-pi/2, pi/2].

    Raises:
      RankPoseError: for a transform of another name.
    """

    def __init__(self, units=3, transform="arccos", separate=False, **kwargs):
        # Angles of nearly parallel vectors need float32 whatever the tower computes in.
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if transform not in TRANSFORMS:
            raise RankPoseError(
                f"transform: expected one of {', '.join(TRANSFORMS)}, received {transform!r}"
            )
        self.units = units
        self.transform = transform
        self.separate = separate

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer="glorot_uniform"
        )

    def call(self, features):
        if self.transform == "linear":
            return tf.matmul(features, self.kernel * self._share(features))
        if self.transform == "cosine":
            return (np.pi / 2) * self.cosines(features)
        return shifted_arccos(self.cosines(features))

    def cosines(self, features):
        """W'^T F', what cosine and arccos are made of: (B, D) -> (B, units) within [-1, 1]."""
        if not self.separate:
            return tf.matmul(unit_length(features, axis=-1), unit_length(self.kernel, axis=0))
        share = self._share(features)
        squared_norms = tf.matmul(tf.square(features), share)
        lengths = tf.math.rsqrt(tf.maximum(squared_norms, _SMALLEST_SQUARED_NORM))
        return tf.matmul(features, unit_length(self.kernel * share, axis=0)) * lengths

    def _share(self, features):
        """Which features are of which angle: 1 or 0, (D, units), or 1 for all."""
        if not self.separate:
            return 1.0
        owner = np.arange(features.shape[-1])[:, np.newaxis] % self.units
        return tf.constant(owner == np.arange(self.units), tf.float32)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        config = {"units": self.units, "transform": self.transform, "separate": self.separate}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="rankpose_tf")
class AntialiasedResize(keras.layers.Layer):
    """Fits pictures into the tower's square input, with antialiasing.

    Faces to be predicted are often several times larger than the tower's input, and plain
    bilinear sampling would show the tower patterns that training never did. A picture that is
    not square is fitted whole, black beside it as where a training crop leaves its picture:
    stretching it would turn the head. Pictures that already have the size pass untouched, at no
    cost.

    Args:
      size: side of the output, pixels.

    Call:
      images (B, H, W, 3) -> (B, size, size, 3), same value range.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, images):
        if tuple(images.shape[1:3]) == (self.size, self.size):
            return images
        sides = tf.cast(tf.shape(images)[1:3], tf.float32)
        scale = self.size / tf.reduce_max(sides)
        fitted = tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=(self.size, self.size),
            scale=tf.stack([scale, scale]),
            translation=(self.size - sides * scale) / 2,
            kernel_type="triangle",
            antialias=True,
        )
        return tf.cast(fitted, images.dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="rankpose_tf")
class CaffePreprocessing(keras.layers.Layer):
    """RGB 0..255 -> BGR minus the ImageNet mean, which ResNet50's ImageNet weights want.

    Call:
      images (B, H, W, 3) RGB, 0..255 -> (B, H, W, 3) BGR, about -124..151.
    """

    def call(self, images):
        mean = tf.constant(_CAFFE_MEAN_BGR, dtype=images.dtype)
        return tf.reverse(images, axis=[-1]) - mean

    def compute_output_shape(self, input_shape):
        return input_shape


def any_batch(function):
    """`function` of one picture or more, for any number of pictures, none included.

    oneDNN's convolutions lose the shape of an empty batch (TensorFlow uses them by itself where
    the CPU has VNNI), and TFLite's XNNPACK refuses one. So a black picture is joined to every
    batch and cut off before the network, but where it is the only one: then its row is cut off
    behind. A batch whose length is known while tracing is left alone.

    Nothing of no size is ever joined, TFLite's calibration for int8 corrupts its memory there;
    and nothing is padded by a length known at run time, TensorFlow no longer knows the other
    sides then, and one picture took 3 times as long.

    Args:
      function: (B, H, W, 3) -> tensor, or structure of tensors, (B, ...).

    Returns:
      Function of the same arguments and results.
    """

    def call(images):
        if images.shape[0]:
            return function(images)
        # Element by element: behind tf.unstack LiteRT no longer knows the length before it runs,
        # and its Python interpreter then refuses to give out empty outputs.
        shape = tf.shape(images)
        sides = [images.shape[axis] or shape[axis] for axis in (1, 2, 3)]
        images = tf.concat([images, tf.zeros([1, *sides], images.dtype)], axis=0)
        outputs = function(tf.slice(images, [0, 0, 0, 0], [tf.maximum(shape[0], 1), *sides]))
        return tf.nest.map_structure(lambda rows: rows[: shape[0]], outputs)

    return call


@keras.saving.register_keras_serializable(package="rankpose_tf")
class AnyBatch(keras.Model):
    """A functional model that answers an empty batch with none, see `any_batch`.

    Args: as of a functional `keras.Model`: one input, (B, H, W, 3), and outputs (B, ...).
    """

    def call(self, inputs, training=None, mask=None):
        return any_batch(functools.partial(super().call, training=training, mask=mask))(inputs)
