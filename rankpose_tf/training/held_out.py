"""Where a finished model errs on the identities it was chosen by, and never trained on.

The figure that training chooses by is over all views, and most sets hold many more turned heads
than a camera sees. So a run also reports each bin of yaw, and the pictures as they were taken:
300W-LP and sets made like it name those STEM_0, and the views rendered from them STEM_1 and so on.
"""

import itertools
import pathlib

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, pairs, prepared_folder
from rankpose_tf.evaluation import metrics
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.models import saving
from rankpose_tf.training.flags_cfg import from_flagfile
from rankpose_tf.training.recipe import Recipe


def errors(path, data, threshold, *, filter_angles=True, minimum_views=2, batch_size=64):
    """Errors of a trained model on the held-out identities of its training set.

    Args:
      path: workdir or .keras file; its crop scale is used.
      data: prepared shards that it was trained on.
      threshold: from `identity_split.held_out_threshold`.
      filter_angles: leave out views with an angle over 99 degrees.
      minimum_views: identities with fewer usable views are left out.
      batch_size: pictures at once.

    Returns:
      JSON-able dict, degrees: images, mae, by_yaw as in `metrics.summarise`; first_views, the same
      of the pictures as they were taken (None where no name tells); ordered, the share of (pair,
      angle) in the order of the labels, each view beside the next of its identity (None where no
      labels differ).
    """
    network, description = saving.load_model(path)
    table = prepared_folder.read_identity_table(data)
    views = pairs.views(
        *(data, description["input_size"], description["crop_scale"]),
        *(batch_size, filter_angles, threshold, minimum_views),
    )
    expected = identity_split.count_held_out_views(table, threshold, filter_angles, minimum_views)
    predictions = evaluation.predict(network, views, data, expected)
    names, true, predicted = (predictions[key] for key in ("names", "true", "predicted"))
    figures = metrics.summarise(true, predicted, names)
    first = np.array([pathlib.PurePath(name).stem.endswith("_0") for name in names])
    taken = metrics.summarise(true[first], predicted[first]) if first.any() else None
    shown = ("images", "mae", "by_yaw")
    return {
        **{key: figures[key] for key in shown},
        "first_views": taken and {key: taken[key] for key in shown},
        "ordered": _share_in_order(predictions["identities"], true, predicted),
    }


def _share_in_order(identities, true, predicted):
    """`ordered` of `errors`, whatever pairs the chosen epoch was validated on: photos have none."""
    beside = []
    for _, group in itertools.groupby(range(len(identities)), identities.__getitem__):
        first, *others = group
        beside += [*others, first]
    right, differs = order_of(true, true[beside], predicted, predicted[beside])
    return float(right[differs].mean()) if differs.any() else None


def order_of(true, other_true, predicted, other_predicted):
    """Which pairs are in the order of their labels, as `losses.OrderAccuracy` counts them.

    Args:
      true: (N, 3) labels of one view of each pair.
      other_true: (N, 3), of the other.
      predicted: (N, 3) poses of the one.
      other_predicted: (N, 3), of the other.

    Returns:
      (N, 3) bool, in order; (N, 3) bool, whether there is one: labels that are equal have none.
    """
    order = np.sign(other_true - true)
    return order == np.sign(other_predicted - predicted), order != 0


def recipe_of(model, description, advice="pass the workdir of its run, with its flags.cfg"):
    """What of a run's recipe decides which identities train: of its model, or its flags.cfg.

    Args:
      model: path of a workdir or .keras file.
      description: what stands beside its network.
      advice: what to do about a model that does not tell.

    Raises:
      RankPoseError: for such a model.
    """
    told, flags = description.get("recipe"), pathlib.Path(model, "flags.cfg")
    if told is None and flags.is_file():
        told = vars(from_flagfile(flags.read_text(encoding="utf-8")))
    if told is None:
        raise RankPoseError(
            f"model: {str(model)!r} does not say which identities it never saw; {advice}"
        )
    names = ("validation_identities", "filter_angles", "pairs")
    return Recipe(**{name: told[name] for name in names if name in told})
