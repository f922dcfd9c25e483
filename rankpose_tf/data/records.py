"""Identity shards: the form in which every data set is stored between `prepare` and training.

One record is one identity with all its views, so that a pair is drawn by one map over a
sequential read, and only the two views that were drawn are decoded. TensorFlow is imported where
it is needed only.
"""

import dataclasses
import math

import numpy as np

from rankpose_tf.core import files, pose


@dataclasses.dataclass(frozen=True)
class View:
    """One picture of an identity.

    Attributes:
      name: its path in the source.
      image: JPEG or PNG bytes, as in the source.
      pose: (3,) float32 yaw, pitch, roll, radians.
      box: (4,) float32 left, top, right, bottom of the face, pixels; may reach outside.
    """

    name: str
    image: bytes
    pose: np.ndarray
    box: np.ndarray


@dataclasses.dataclass(frozen=True)
class Identity:
    """All views of one head.

    Attributes:
      name: unique in its data set.
      group: identities of one group are held out together; `AFW_Flip/X` has the group `AFW/X`.
      views: tuple of `View`, V of them.
    """

    name: str
    group: str
    views: tuple


def within_limit(poses):
    """Which poses the 99-degree filter of the protocols admits.

    Args:
      poses: (V, 3) array or tensor; yaw, pitch, roll, radians.

    Returns:
      (V,) bool, of the same kind as `poses`: all three angles are within the limit.
    """
    inside = abs(poses) <= math.radians(pose.LIMIT_DEGREES)
    return inside[:, 0] & inside[:, 1] & inside[:, 2]


def encode_identity(identity):
    """One `Identity` as the bytes of a tf.train.Example.

    Its features: identity, group, names (V,), images (V,), poses (3V,), boxes (4V,).
    """
    import tensorflow as tf

    def texts(values):
        values = [v if isinstance(v, bytes) else v.encode(errors="replace") for v in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def numbers(rows):
        values = np.asarray(rows, np.float32).reshape(-1)
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    views = identity.views
    feature = {
        "identity": texts([identity.name]),
        "group": texts([identity.group]),
        "names": texts([view.name for view in views]),
        "images": texts([view.image for view in views]),
        "poses": numbers([view.pose for view in views]),
        "boxes": numbers([view.box for view in views]),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(
        deterministic=True
    )


def parse_identity(serialized):
    """Reads one record, eagerly or inside Dataset.map; pictures stay encoded.

    Args:
      serialized: () string tensor, bytes of `encode_identity`.

    Returns:
      Dict of tensors: identity (), group (), names (V,), images (V,) strings; poses (V, 3)
      yaw, pitch, roll, radians; boxes (V, 4) left, top, right, bottom, pixels.
    """
    import tensorflow as tf

    def many(dtype, shape=()):
        return tf.io.FixedLenSequenceFeature(shape, dtype, allow_missing=True)

    return tf.io.parse_single_example(
        serialized,
        {
            "identity": tf.io.FixedLenFeature((), tf.string),
            "group": tf.io.FixedLenFeature((), tf.string),
            "names": many(tf.string),
            "images": many(tf.string),
            "poses": many(tf.float32, (3,)),
            "boxes": many(tf.float32, (4,)),
        },
    )


def parse_labels(serialized):
    """Groups and poses of many records, whose pictures are not looked at.

    Args:
      serialized: (N,) string tensor.

    Returns:
      Groups (N,) strings, and poses (N, None, 3), a ragged tensor; yaw, pitch, roll, radians.
    """
    import tensorflow as tf

    parsed = tf.io.parse_example(
        serialized,
        {
            "group": tf.io.FixedLenFeature((), tf.string),
            "poses": tf.io.RaggedFeature(tf.float32),
        },
    )
    angles = parsed["poses"]
    splits = angles.row_splits // 3
    return parsed["group"], tf.RaggedTensor.from_row_splits(
        tf.reshape(angles.values, (-1, 3)), splits, validate=False
    )


def read_views(serialized):
    """What pairs are made of, of one record, without TensorFlow's tensors.

    Args:
      serialized: bytes of `encode_identity`.

    Returns:
      Lists of V: images, bytes; boxes, left, top, right, bottom, pixels; poses, yaw, pitch, roll,
      radians.
    """
    import tensorflow as tf

    feature = tf.train.Example.FromString(serialized).features.feature
    boxes, poses = feature["boxes"].float_list.value[:], feature["poses"].float_list.value[:]
    return (
        feature["images"].bytes_list.value,
        [boxes[start : start + 4] for start in range(0, len(boxes), 4)],
        [poses[start : start + 3] for start in range(0, len(poses), 3)],
    )


def write_shard(path, identities):
    """Writes identities to one TFRecord file, whole or not at all.

    Args:
      path: of the finished file; its folder must exist.
      identities: iterable of `Identity`, taken one at a time.
    """
    import tensorflow as tf

    with files.replaced(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        for identity in identities:
            writer.write(encode_identity(identity))
