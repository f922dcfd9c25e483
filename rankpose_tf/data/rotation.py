"""In-plane rotation of a training view, with the label of the head as it is then seen (TensorFlow).

Turning the picture by an angle turns the camera about its own z axis, so the head's rotation R
becomes Rz(angle) R: pitch and yaw change with roll, unless the head looks straight into the
camera. A rotation of the picture that only adds its angle to roll labels a turned profile wrongly
by as much as it was rotated.

Coordinates, pictures and seeds are as in augment.py; poses are yaw, pitch, roll in radians, in
pose.py's convention. A positive angle turns the picture clockwise, as a positive roll does.
"""

import math

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records, square_crops

# Samples per pixel of the result, along an axis. A picture that shrinks more loses some of its
# pixels; without a bound the face of a large photograph would be held in its own size.
_MOST_SAMPLES = 8


def crop_turned(image, square, angle, size):
    """`square_crops.crop_and_resize` where the angle is 0, `crop_rotated` where it is not.

    Args:
      As for `crop_rotated`.
    """
    return tf.cond(
        tf.equal(angle, 0.0),
        lambda: square_crops.crop_and_resize(image, square, size),
        lambda: crop_rotated(image, square, angle, size),
    )


def crop_rotated(image, square, angle, size):
    """What `square_crops.crop_and_resize` gives of a picture turned around the square's centre.

    The picture is read on a turned grid that is as fine as its pixels, then shrunk as every other
    crop is. A grid of the result's own pixels would skip pixels of a larger picture; turning the
    finished crop would blur it and cut its corners off.

    Args:
      image: (H, W, 3), 0..255, uint8 or float32.
      square: (4,) left, top, right, bottom, pixels; may reach outside the image.
      angle: () radians, clockwise.
      size: side of the result, pixels.

    Returns:
      (size, size, 3) float32, 0..255; black where the turned square is outside the image.
    """
    square = tf.cast(square, tf.float32)
    side = square[2] - square[0]
    count = tf.clip_by_value(tf.math.ceil(side - 1e-3), size, _MOST_SAMPLES * size)
    step = side / count
    cosine, sine = step * tf.cos(angle), step * tf.sin(angle)
    # Pixel i has its centre at i + 0.5; the op counts from centres.
    corner = 0.5 * (1.0 - count)
    left = 0.5 * (square[0] + square[2]) - 0.5 + (cosine + sine) * corner
    top = 0.5 * (square[1] + square[3]) - 0.5 + (cosine - sine) * corner
    grid = tf.cast(count, tf.int32)
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[tf.newaxis],
        transforms=tf.stack([cosine, sine, left, -sine, cosine, top, 0.0, 0.0])[tf.newaxis],
        output_shape=tf.stack([grid, grid]),
        fill_value=0.0,
        interpolation="BILINEAR",
    )[0]
    whole = tf.cast(tf.stack([0, 0, grid, grid]), tf.float32)
    return square_crops.crop_and_resize(turned, whole, size)


def turn_poses(poses, angles):
    """The angles of Rz(angle) R, where R is the rotation of a pose.

    Args:
      poses: (V, 3) float32 radians; yaw, pitch, roll.
      angles: (V,) radians.

    Returns:
      (V, 3) radians, yaw within +-90 degrees.
    """
    cy, cp, cr = tf.unstack(tf.cos(poses), axis=-1)
    sy, sp, sr = tf.unstack(tf.sin(poses), axis=-1)
    cosine, sine = tf.cos(angles), tf.sin(angles)
    # Row 0 of the turned rotation, then the last entries of its rows 1 and 2.
    slope = sp * sy
    r00 = cosine * cy * cr + sine * (slope * cr - cp * sr)
    r01 = cosine * cy * sr + sine * (slope * sr + cp * cr)
    r02 = sine * sp * cy - cosine * sy
    r12 = sine * sy + cosine * sp * cy
    return tf.atan2(
        tf.stack([-r02, r12, r01], axis=-1),
        tf.stack([tf.sqrt(tf.square(r00) + tf.square(r01)), cp * cy, r00], axis=-1),
    )


def random_turns(poses, seed, probability, degrees):
    """Draws by how much each view is turned, evenly from +-`degrees`, and labels it.

    A view stays as it is where its label would leave the 99 degrees of the protocols, or where
    its yaw is beyond 90: the same rotation has other angles with a yaw under 90, and such a label
    would come back as those.

    Args:
      poses: (V, 3) float32 radians; yaw, pitch, roll.
      seed: (2,) int tensor.
      probability: of turning a view, 0..1.
      degrees: largest angle, 0..180.

    Returns:
      Angles (V,), radians, 0 for a view that stays, and poses (V, 3).

    Raises:
      RankPoseError: for a probability or angle outside its range.
    """
    for name, value, most in (("probability", probability, 1), ("degrees", degrees, 180)):
        if not 0.0 <= value <= most:
            raise RankPoseError(f"{name}: expected a number from 0 to {most}, received {value}")
    poses = tf.convert_to_tensor(poses, tf.float32)
    if probability == 0 or degrees == 0:
        return tf.zeros_like(poses[:, 0]), poses
    draws = tf.random.stateless_uniform((2, tf.shape(poses)[0]), seed, alg="philox")
    angles = math.radians(degrees) * (2.0 * draws[1] - 1.0)
    turned = turn_poses(poses, angles)
    allowed = (tf.abs(poses[:, 0]) <= math.pi / 2) & records.within_limit(turned)
    chosen = (draws[0] < probability) & allowed
    return tf.where(chosen, angles, 0.0), tf.where(chosen[:, tf.newaxis], turned, poses)
