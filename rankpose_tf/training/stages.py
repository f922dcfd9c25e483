"""Which identities a run trains on, and the streams of pairs that its stages see."""

import functools
import typing

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, prepared_folder
from rankpose_tf.data import pairs as pair_streams

_HELD_OUT = 200


class Split(typing.NamedTuple):
    """Which identities train.

    Attributes:
      threshold: the largest held-out hash.
      held_out: how many are held out.
      chosen: records of the chosen training identities; None is all.
      identities: how many train.
      epoch_steps: steps of an epoch.
      minimum_views: usable views that an identity needs.
    """

    threshold: int
    held_out: int
    chosen: list | None
    identities: int
    epoch_steps: int
    minimum_views: int = 2


class Stage(typing.NamedTuple):
    """Epochs of a run that train alike.

    Attributes:
      until: the run's epoch that the stage ends with.
      stream: makes its training pairs, from any `start_step` on.
      validation: makes its held-out pairs, or returns None where nothing is held out.
      photos: whether they are two photos of two faces, whose order is not trained.
    """

    until: int
    stream: typing.Callable
    validation: typing.Callable
    photos: bool


def split(recipe, data):
    """`Split` of prepared shards.

    Raises:
      RankPoseError: if nothing is left to train on.
    """
    table = prepared_folder.read_identity_table(data)
    held_out = held_out_count(recipe.validation_identities, table)
    threshold = identity_split.held_out_threshold(table, held_out)
    least = _minimum_views(recipe.pairs, data)
    identities = identity_split.count_training_identities(
        table, threshold, recipe.filter_angles, least
    )
    if identities == 0:
        _refuse_to_train_on_none(data, table)
    if held_out and not identity_split.count_held_out_views(
        table, threshold, recipe.filter_angles, least
    ):
        raise RankPoseError(
            f"validation_identities: none of the {held_out} held-out identities of {str(data)!r} "
            f"has {least} usable views to choose the epoch by; pass a larger number, or 0 to keep "
            "the last epoch"
        )
    chosen = None
    if recipe.training_identities:
        chosen = identity_split.choose_identities(
            data, threshold, recipe.filter_angles, recipe.training_identities, least
        )
        identities = len(chosen)
    steps = recipe.steps_per_epoch or max(
        1, identities * recipe.pairs_per_identity // recipe.batch_size
    )
    return Split(threshold, held_out, chosen, identities, steps, least)


def held_out_count(asked, table):
    """How many identities are held out of a set.

    Args:
      asked: -1 for 200, or a fifth of fewer than 400.
      table: rows of `prepared_folder.read_identity_table`.
    """
    if asked >= 0:
        return asked
    groups = len({row["group"] for row in table})
    return _HELD_OUT if groups >= 2 * _HELD_OUT else groups // 5


def _minimum_views(pairs, data):
    """How many usable views an identity needs.

    Two, for the choice of pairs is not to change whose pairs they are; but where identities of one
    view were prepared, pairs of any two faces are of all of them.
    """
    if pairs == "identity":
        return 2
    return min(2, prepared_folder.read_description(data).get("minimum_views", 2))


def _refuse_to_train_on_none(data, table):
    if all(row["views"] < 2 for row in table):
        raise RankPoseError(
            f"data: each identity of {str(data)!r} has one view, and a pair is of two; pass "
            "--pairs=any"
        )
    raise RankPoseError(
        f"data: {str(data)!r} holds no identity with two usable views to train on; "
        "see its dataset.json for what was skipped"
    )


def _round_length(recipe, data, parts, worker):
    """How many identities a worker trains on.

    Raises:
      RankPoseError: if its shards hold none.
    """
    index, workers = worker
    if workers == 1:
        return parts.identities
    if parts.chosen is not None:
        count = len(pair_streams.of_worker(parts.chosen, worker))
    else:
        table = prepared_folder.read_identity_table(data)
        own = [row for row in table if row["shard"] % workers == index]
        rules = parts.threshold, recipe.filter_angles, parts.minimum_views
        count = identity_split.count_training_identities(own, *rules) if own else 0
    if not count:
        raise RankPoseError(
            f"strategy: nothing is left for worker {index} of {workers} to train on; take fewer "
            "workers, or prepare the data into fewer shards"
        )
    return count


def stages(recipe, data, parts, replicas=1, worker=(0, 1)):
    """The stages of a run: on pairs, then on photos.

    Args:
      recipe: `recipe.Recipe`.
      data: prepared shards.
      parts: `Split` of them.
      replicas: devices that share a step; training pairs come in batches of one of them.
      worker: index of this process and how many there are.

    Returns:
      List of two `Stage`; one that ends where it begins has no epochs.

    Raises:
      RankPoseError: if a worker has no identity to train on, or one for the epochs on photos.
    """
    crops = {
        "input_size": recipe.input_size,
        "batch_size": recipe.batch_size,
        "threshold": parts.threshold,
        "filter_angles": recipe.filter_angles,
        "minimum_views": parts.minimum_views,
        "crop_scale": recipe.crop_scale,
    }
    round_length = _round_length(recipe, data, parts, worker)
    if recipe.photo_epochs and round_length < 2:
        raise RankPoseError(
            "photo_epochs: a pair of photos is of two training identities, and there is one; leave "
            "out --photo_epochs, or pass more data"
        )
    stream = functools.partial(
        pair_streams.training_pairs,
        data,
        seed=recipe.seed,
        round_length=round_length,
        chosen=parts.chosen,
        augmentation=recipe.augmentation,
        worker=worker,
        **{**crops, "batch_size": recipe.batch_size // replicas},
    )
    of_pairs = functools.partial(
        stream, pairs=recipe.pairs, first_view_probability=recipe.first_view_probability
    )

    def validation(photos):
        if not parts.held_out:
            return None
        return pair_streams.validation_pairs(data, photos=photos, **crops)

    return [
        Stage(recipe.epochs - recipe.photo_epochs, of_pairs, lambda: validation(False), False),
        Stage(
            recipe.epochs, functools.partial(stream, pairs="photos"), lambda: validation(True), True
        ),
    ]
