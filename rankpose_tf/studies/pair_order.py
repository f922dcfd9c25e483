"""Which held-out pairs a model puts in the wrong order: how far apart their labels are.

The ranking loss (BMVC 2020, equation (5)) works on pairs in the wrong order alone. Where the labels
of such a pair are nearly equal, a small error turns them round, and a picture hardly tells.
"""

import numpy as np

from rankpose_tf.core import tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.data import identity_split, pairs, prepared_folder, shards
from rankpose_tf.models import saving
from rankpose_tf.training import held_out, stages, workdir

# Differences of two labels, degrees.
EDGES = (0, 2, 5, 10, 20, 360)


def measure(path, data, validation_identities=None, batch_size=64):
    """Order of the pairs that validation is over, by the difference of their labels.

    Args:
      path: workdir or .keras file, trained on `data`.
      data: prepared shards.
      validation_identities: how many the model's training held out; None is what the model says,
        which then tells too whether it left out views beyond 99 degrees, as is usual.
      batch_size: pairs at once.

    Returns:
      Dict: "ordered" (share of (pair, angle) in the order of the labels, equal labels left out, as
      `losses.OrderAccuracy`), "by_angle" (the same for yaw, pitch, roll) and "by_difference", a
      list of dicts: from, to (degrees), share (of all), share_of_wrong, ordered; None where there
      is nothing to share.

    Raises:
      RankPoseError: where nothing is held out, or nothing held out is a pair with an order; for a
        model that doesn't say how many, or that was trained on other data.
    """
    network, description = saving.load_model(path)
    rows = prepared_folder.read_identity_table(data)
    workdir.require_same_data(path, data)
    filter_angles = True
    if validation_identities is None:
        recipe = held_out.recipe_of(path, description, "pass --validation_identities")
        validation_identities = stages.held_out_count(recipe.validation_identities, rows)
        filter_angles = recipe.filter_angles
    threshold = identity_split.held_out_threshold(rows, validation_identities)
    if threshold < 0:
        raise RankPoseError("validation_identities: expected 1 or more, received 0")
    stream = pairs.validation_pairs(
        data,
        input_size=description["input_size"],
        batch_size=batch_size,
        threshold=threshold,
        filter_angles=filter_angles,
        crop_scale=description["crop_scale"],
    )
    true, predicted = [], []
    for views, pose in shards.readable(stream, data):
        true.append(pose.numpy())
        predicted.append(np.stack([network(view, training=False) for view in views], axis=1))
    if not true:
        raise RankPoseError(
            f"data: none of {validation_identities} held-out identities of {str(data)!r} has two "
            "usable views; pass the set that the model was trained on"
        )
    return summarise(np.degrees(np.concatenate(true)), np.degrees(np.concatenate(predicted)))


def summarise(true, predicted):
    """What `measure` gives, of poses.

    Args:
      true: (N, 2, 3) degrees.
      predicted: (N, 2, 3) degrees.
    """
    difference = true[:, 1] - true[:, 0]
    right, differs = held_out.order_of(true[:, 0], true[:, 1], predicted[:, 0], predicted[:, 1])
    if not differs.any():
        raise RankPoseError("data: no two views of a held-out identity differ in their labels")
    wrong = differs & ~right
    rows = []
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        inside = differs & (np.abs(difference) >= low) & (np.abs(difference) < high)
        rows.append(
            {
                "from": low,
                "to": high,
                "share": _share(inside, differs),
                "share_of_wrong": _share(inside & wrong, wrong),
                "ordered": _share(inside & right, inside),
            }
        )
    return {
        "ordered": _share(right & differs, differs),
        "by_angle": {
            angle: _share((right & differs)[:, column], differs[:, column])
            for column, angle in enumerate(ANGLES)
        },
        "by_difference": rows,
    }


def _share(part, whole):
    return float(part.sum() / whole.sum()) if whole.any() else None


def table(order):
    """Markdown of what `measure` gives.

    Args:
      order: from `measure`.
    """
    header = ("labels apart, degrees", "share of all, %", "share of the wrong order, %")
    rows = []
    for row in order["by_difference"]:
        apart = f"{row['from']} to {row['to']}" if row["to"] < 360 else f"{row['from']} and over"
        cells = (row["share"], row["share_of_wrong"], row["ordered"])
        rows.append((apart, *map(_percent, cells)))
    angles = (f"{angle} {_percent(share)}" for angle, share in order["by_angle"].items())
    summary = f"In order: {_percent(order['ordered'])}% ({', '.join(angles)})."
    return f"{tables.markdown((*header, 'in order, %'), rows)}\n\n{summary}\n"


def _percent(share):
    return "-" if share is None else f"{100 * share:.1f}"
