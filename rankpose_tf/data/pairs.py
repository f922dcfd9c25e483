"""Identity shards -> tf.data: training pairs, validation pairs, and single views.

A training element is ((view_1, view_2), pose): two different views of one identity, or views of
two identities, each (B, size, size, 3) RGB 0..255, uint8 where it is augmented, float32 where it is
not, and pose (B, 2, 3) radians; yaw, pitch, roll.

The stream is endless and a function of the seed and the position alone: pair k of a run is the
same pair, augmented the same way, however often the run was stopped on the way to it. One pass
over the usable identities is a round; rounds follow each other without a seam.
"""

import tensorflow as tf

from rankpose_tf.data import (
    identity_split,
    prepared_folder,
    records,
    square_crops,
    two_faces,
)
from rankpose_tf.data.pair_maker import PairMaker

# Identities that are permuted at a time: 300W-LP's are about 0.4 MB each, so 100 MB a buffer.
_SHUFFLE_IDENTITIES = 256
_SHARDS_AT_ONCE = 8
# A call of Python costs as much as half a small picture.
_PAIRS_AT_ONCE = 8
# What a view is made of, in records.
_PARTS = ("images", "boxes", "poses")


def training_pairs(
    directory,
    *,
    input_size,
    batch_size,
    seed=0,
    start_step=0,
    threshold=-1,
    round_length,
    chosen=None,
    filter_angles=True,
    minimum_views=2,
    pairs="identity",
    first_view_probability=0.0,
    crop_scale=1.4,
    augmentation=None,
    worker=(0, 1),
):
    """Endless batches of augmented pairs, from any step on.

    Args:
      directory: prepared shards.
      input_size: side of the crops, pixels.
      batch_size: pairs in a batch, B.
      seed: of the order, the choice of views and the augmentation.
      start_step: batches to leave out, so that a resumed run goes on where it was. They are
        skipped before anything is decoded.
      threshold: from `held_out_threshold`.
      round_length: how many identities train: from `count_training_identities`; of `chosen`,
        their number.
      chosen: from `choose_identities`; None is all.
      filter_angles: leave out views with an angle over 99 degrees.
      minimum_views: identities with fewer usable views are left out; 2 or more for "identity".
      pairs: "identity": two views of one. "any": the second is of another identity, the one that
        follows in the round; the identities are those of "identity", each first once a round.
        "photos": as "any", of the first view of each alone, so each of those twice a round.
      first_view_probability: share of the pairs that are made to have the identity's first view,
        see `two_views.draw`; of "identity" alone.
      crop_scale: side of the square crop over the longer side of the box.
      augmentation: fields of `places.Places` and `looks.Looks`; None is none at all.
      worker: index of this worker and how many there are. Each reads its own shards, or its own
        part of `chosen`; `round_length` is of them (`of_worker`), `batch_size` and `start_step` of
        its batches.

    Returns:
      tf.data.Dataset of ((view_1, view_2), pose).
    """
    everything = prepared_folder.list_shards(directory) if chosen is None else chosen
    source = tf.constant(of_worker(everything, worker))
    run = tf.constant(seed, tf.int64)
    start_round, skipped = divmod(start_step * batch_size, round_length)
    any_two = two_faces.asked_for(pairs, round_length, first_view_probability)
    maker = PairMaker(
        seed,
        worker[0],
        input_size=input_size,
        crop_scale=crop_scale,
        filter_angles=filter_angles,
        pairs=pairs,
        first_view_probability=first_view_probability,
        augmentation=augmentation,
    )

    @identity_split.as_written
    def one_round(index):
        order = tf.stack([run, index])
        serialized = tf.data.Dataset.from_tensor_slices(_shuffle(source, order))
        if chosen is None:
            serialized = serialized.interleave(
                tf.data.TFRecordDataset,
                cycle_length=min(_SHARDS_AT_ONCE, len(source)),
                num_parallel_calls=1,
            )
            rules = threshold, False, filter_angles, minimum_views
            serialized = identity_split.of_side(serialized, *rules)
        blocks = serialized.batch(_SHUFFLE_IDENTITIES).enumerate()
        blocks = blocks.map(lambda n, block: _shuffle(block, tf.random.fold_in(order, n)))
        return two_faces.beside_the_next(blocks.unbatch()) if any_two else blocks.unbatch()

    rounds = tf.data.Dataset.range(start_round, tf.int64.max)
    stream = rounds.flat_map(one_round).skip(skipped)
    together = max(n for n in range(1, _PAIRS_AT_ONCE + 1) if batch_size % n == 0)
    positions = tf.data.Dataset.counter(start_step * batch_size, together)
    parts = tf.data.Dataset.zip(positions, stream.batch(together, drop_remainder=True))
    if maker.augmented:
        made = _augmented_pairs(parts, maker, input_size)
    else:
        made = _plain_pairs(parts, maker, input_size, crop_scale)
    made = made.rebatch(batch_size, drop_remainder=True)
    return _ordered(made).prefetch(tf.data.AUTOTUNE)


def _augmented_pairs(parts, maker, size):
    """Pairs of parts of a stream, as many together."""
    shape = None, size, size, 3

    @identity_split.as_written
    def make(place, serialized):
        kinds = tf.uint8, tf.uint8, tf.float32
        one, other, poses = tf.numpy_function(
            maker.views, [place, serialized], kinds, stateful=False
        )
        views = tf.ensure_shape(one, shape), tf.ensure_shape(other, shape)
        return views, tf.ensure_shape(poses, (None, 2, 3))

    return parts.map(make, num_parallel_calls=tf.data.AUTOTUNE)


def _plain_pairs(parts, maker, size, crop_scale):
    """Pairs of parts of a stream as evaluation sees them, one at a time in batches of one."""

    @identity_split.as_written
    def choose(place, serialized):
        images, boxes, poses = tf.numpy_function(
            maker.chosen, [place, serialized], [tf.string, *[tf.float32] * 2], stateful=False
        )
        shapes = (None, 2), (None, 2, 4), (None, 2, 3)
        return tuple(map(tf.ensure_shape, (images, boxes, poses), shapes))

    @identity_split.as_written
    def crops(images, boxes, poses):
        return _plain_pair(images, boxes, size, crop_scale), poses

    chosen = parts.map(choose, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
    return chosen.map(crops, num_parallel_calls=tf.data.AUTOTUNE).batch(1)


def _plain_pair(images, boxes, size, crop_scale):
    """Two views as evaluation and use see them, (size, size, 3) float32 each."""
    return tuple(
        square_crops.crop_and_resize(
            square_crops.decode(images[index]),
            square_crops.square_around(boxes[index], crop_scale),
            size,
        )
        for index in range(2)
    )


def of_worker(everything, worker):
    """The part of a list that one of several workers reads: every so many."""
    index, workers = worker
    return everything[index::workers]


def _shuffle(values, seed):
    """A permutation of `values` that is a function of `seed` (2,) alone.

    Dataset.shuffle is not used: its seed must be a Python number once a global seed is set.
    """
    return tf.random.experimental.stateless_shuffle(values, seed)


def _ordered(dataset):
    """Data order must not depend on which thread is faster."""
    options = tf.data.Options()
    options.deterministic = True
    return dataset.with_options(options)


def validation_pairs(
    directory,
    *,
    input_size,
    batch_size,
    threshold,
    filter_angles=True,
    minimum_views=2,
    crop_scale=1.4,
    photos=False,
):
    """Every usable view of the held-out identities exactly twice, each beside the next one.

    The view of an identity that has one is beside itself.

    Errors averaged over these pairs are therefore the errors averaged over the views.

    Args:
      photos: the first view of each identity alone, beside itself.
      The others as for `training_pairs`; nothing is augmented.

    Returns:
      tf.data.Dataset of ((view_1, view_2), pose), finite, in a fixed order.
    """

    @identity_split.as_written
    def neighbours(serialized):
        record = records.parse_identity(serialized)
        usable = identity_split.usable_views(record["poses"], filter_angles)
        usable = usable[:1] if photos else usable
        chosen = tf.stack([usable, tf.roll(usable, -1, axis=0)], axis=1)
        return tf.data.Dataset.from_tensor_slices(
            tuple(tf.gather(record[key], chosen) for key in _PARTS)
        )

    @identity_split.as_written
    def crops(images, boxes, poses):
        return _plain_pair(images, boxes, input_size, crop_scale), poses

    held_out = identity_split.held_out_records(directory, threshold, filter_angles, minimum_views)
    # Told how many there are, Keras neither warns that the data ran out nor counts them itself.
    table = prepared_folder.read_identity_table(directory)
    views_of_each = identity_split.usable_counts(
        table, threshold, filter_angles, True, minimum_views
    )
    count = len(views_of_each) if photos else sum(views_of_each)
    pairs = held_out.flat_map(neighbours).apply(tf.data.experimental.assert_cardinality(count))
    pairs = pairs.map(crops, num_parallel_calls=tf.data.AUTOTUNE)
    return _ordered(pairs.batch(batch_size)).prefetch(tf.data.AUTOTUNE)


def views(
    directory, size, crop_scale, batch_size, filter_angles=True, threshold=None, minimum_views=2
):
    """Every view once, in the order of the shards, for evaluation.

    Args:
      directory: prepared shards.
      size: side of the crops, pixels.
      crop_scale: side of the square crop over the longer side of the box.
      batch_size: views in a batch, B.
      filter_angles: leave out views with an angle over 99 degrees.
      threshold: from `held_out_threshold`, for the views that `validation_pairs` shows alone;
        None for all identities.
      minimum_views: as for `validation_pairs`, with a threshold.

    Returns:
      tf.data.Dataset of dicts: name (B,), identity (B,), image (B, size, size, 3) RGB 0..255,
      pose (B, 3) radians.
    """

    @identity_split.as_written
    def flat(serialized):
        record = records.parse_identity(serialized)
        usable = identity_split.usable_views(record["poses"], filter_angles)
        chosen = {
            key: tf.gather(record[key], usable) for key in ("names", "images", "boxes", "poses")
        }
        chosen["identity"] = tf.repeat(record["identity"], tf.size(usable))
        return tf.data.Dataset.from_tensor_slices(chosen)

    @identity_split.as_written
    def crop(view):
        square = square_crops.square_around(view["boxes"], crop_scale)
        return {
            "name": view["names"],
            "identity": view["identity"],
            "image": square_crops.crop_and_resize(
                square_crops.decode(view["images"]), square, size
            ),
            "pose": view["poses"],
        }

    serialized = tf.data.TFRecordDataset(prepared_folder.list_shards(directory))
    if threshold is not None:
        rules = threshold, True, filter_angles, minimum_views
        serialized = identity_split.of_side(serialized, *rules)
    single = serialized.flat_map(flat).map(crop, num_parallel_calls=tf.data.AUTOTUNE)
    return _ordered(single.batch(batch_size)).prefetch(tf.data.AUTOTUNE)
