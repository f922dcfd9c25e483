"""Which identities train, which are held out, and which of their views the protocol admits."""

import heapq

import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records, shards

_HASH_BUCKETS = 2**62
# Identities: 300W-LP's are about 0.4 MB each.
_LOOKED_AT = 64
# Nothing here is control flow in Python over tensors. To rewrite it all the same, as tf.data does
# unless told, takes more time than the graphs themselves.
as_written = tf.autograph.experimental.do_not_convert


def held_out_threshold(table, count):
    """Splits identities by a hash of their group, the same for every run and every seed.

    A picture and its mirrored copy are one group and stay on one side.

    Args:
      table: rows of `prepared_folder.read_identity_table`.
      count: how many groups to hold out for validation.

    Returns:
      The largest held-out hash; -1 where none is held out.

    Raises:
      RankPoseError: if fewer than two groups would remain for training.
    """
    groups = sorted({row["group"] for row in table})
    if not 0 <= count <= len(groups) - 2:
        raise RankPoseError(
            f"validation_identities: expected 0 to {max(0, len(groups) - 2)} for a data set of "
            f"{len(groups)} identities, received {count}"
        )
    if count == 0:
        return -1
    return int(sorted(_group_hash(tf.constant(groups)).numpy())[count - 1])


def _group_hash(groups):
    return tf.strings.to_hash_bucket_fast(groups, _HASH_BUCKETS)


def _identity_hash(serialized):
    name = records.parse_identity(serialized)["identity"]
    return tf.strings.to_hash_bucket_fast(name, _HASH_BUCKETS)


def count_training_identities(table, threshold, filter_angles, minimum_views=2):
    """Identities that give training pairs: not held out, with enough usable views."""
    return len(usable_counts(table, threshold, filter_angles, False, minimum_views))


def choose_identities(directory, threshold, filter_angles, count, minimum_views=2):
    """The `count` training identities whose names have the smallest hashes.

    The same for every seed, and a part of what any larger count chooses.

    Returns:
      List of their records, bytes; few, because they are held in memory.

    Raises:
      RankPoseError: if there are fewer.
    """
    everything = tf.data.TFRecordDataset(prepared_folder.list_shards(directory))
    serialized = of_side(everything, threshold, False, filter_angles, minimum_views)
    hashed = serialized.map(lambda record: (_identity_hash(record), record))
    with shards.told(directory):
        chosen = heapq.nsmallest(count, hashed.as_numpy_iterator())
    if len(chosen) < count:
        raise RankPoseError(
            f"training_identities: expected at most {len(chosen)}, which {str(directory)!r} has "
            f"beside the held-out ones, received {count}; 0 is all"
        )
    return [record for _, record in chosen]


def held_out_records(directory, threshold, filter_angles=True, minimum_views=2):
    """tf.data.Dataset of the serialized identities that validation is over, as in the shards."""
    serialized = tf.data.TFRecordDataset(prepared_folder.list_shards(directory))
    return of_side(serialized, threshold, True, filter_angles, minimum_views)


def count_held_out_views(table, threshold, filter_angles, minimum_views=2):
    """Views that validation is over: the usable ones of held-out identities."""
    return sum(usable_counts(table, threshold, filter_angles, True, minimum_views))


def usable_counts(table, threshold, filter_angles, held_out, minimum_views):
    """Usable views of each identity that has enough of them, on one side of the split."""
    column = "views_within_limit" if filter_angles else "views"
    hashes = _group_hash(tf.constant([row["group"] for row in table])).numpy()
    return [
        row[column]
        for h, row in zip(hashes, table, strict=True)
        if (h <= threshold) == held_out and row[column] >= minimum_views
    ]


def usable_views(poses, filter_angles):
    """Indices (U,) of the views whose labels the protocol admits."""
    admitted = records.within_limit(poses) if filter_angles else tf.ones(tf.shape(poses)[:1], bool)
    return tf.reshape(tf.where(admitted), [-1])


def of_side(serialized, threshold, held_out, filter_angles, minimum_views=2):
    """The records of one side of the split that have enough usable views, in their order.

    Many are looked at together: one by one, the choice would cost as much as a small picture.

    Args:
      serialized: tf.data.Dataset of records.
      threshold: from `held_out_threshold`.
      held_out: which side.
      filter_angles: whether a view over 99 degrees counts as unusable.
      minimum_views: usable views that an identity needs.

    Returns:
      tf.data.Dataset of records.
    """

    @as_written
    def keep(block):
        groups, poses = records.parse_labels(block)
        angles = poses.values
        usable = records.within_limit(angles) if filter_angles else tf.ones_like(angles[:, 0], bool)
        counts = tf.reduce_sum(tf.cast(poses.with_values(usable), tf.int32), axis=1)
        right_side = (_group_hash(groups) <= threshold) == held_out
        return tf.boolean_mask(block, right_side & (counts >= minimum_views))

    return serialized.batch(_LOOKED_AT).map(keep).unbatch()


def usable_records(directory, threshold=None, held_out=False, filter_angles=True, minimum_views=2):
    """Yields the identities of one side of the split, for what trains on no pairs.

    Args:
      directory: prepared shards.
      threshold: from `held_out_threshold`; None for all identities, those of one view too.
      held_out: which side.
      filter_angles: leave out views with an angle over 99 degrees.
      minimum_views: usable views that an identity of a side needs.

    Yields:
      Dict of NumPy arrays as `records.parse_identity`, usable views alone.
    """
    serialized = tf.data.TFRecordDataset(prepared_folder.list_shards(directory))
    if threshold is not None:
        serialized = of_side(serialized, threshold, held_out, filter_angles, minimum_views)
    for record in shards.readable(serialized.map(records.parse_identity), directory):
        usable = usable_views(record["poses"], filter_angles)
        parts = ("names", "images", "boxes", "poses")
        yield {key: tf.gather(record[key], usable).numpy() for key in parts}
