"""Figures of a head-pose test, as the field reports them (RankPose, BMVC 2020, section 4.2).

Everything here is in degrees, in the order yaw, pitch, roll; N is the number of pictures.

An error is the plain absolute difference. It is not wrapped around +-180 degrees: taking the
smaller of |e| and 360 - |e| flatters a result, because labels and predictions of this task are
numbers of a range, not points of a circle, and published figures are taken without it.
"""

import numpy as np

from rankpose_tf.core import pose, tables
from rankpose_tf.core.errors import RankPoseError

# What errors are given for: each angle, and the mean of the three.
COLUMNS = (*pose.ANGLES, "mean")
SHARE_LIMITS = (5, 10, 15, 20, 30)
# Frontal in the middle and 30 degrees a bin; the outer two are open, so that no label, filtered
# or not, falls outside.
YAW_EDGES = (-75, -45, -15, 15, 45, 75)


def summarise(true, predicted, names=None):
    """All figures of one test set.

    Args:
      true: (N, 3) labels, degrees; yaw, pitch, roll.
      predicted: (N, 3) predictions, degrees.
      names: N names of the pictures, for messages only.

    Returns:
      JSON-able dict:
        images: N.
        mae, median: {yaw, pitch, roll, mean} of the absolute errors, degrees; "mean" is taken
          of each picture's mean error of its three angles.
        share_under: {yaw, pitch, roll, mean} -> {"5", "10", ...} -> share of the pictures, 0..1,
          whose error of that angle, or mean error of the three, is under so many degrees.
        geodesic: {mean, median} angle of the rotation between label and prediction, degrees.
        by_yaw: one dict a bin of the true yaw, see `errors_by_yaw`.

    Raises:
      RankPoseError: for shapes that don't fit, no pictures, or numbers that are not finite.
    """
    true, predicted = check_angles(true, predicted, names)
    errors = absolute_errors(true, predicted)
    return {
        "images": len(errors),
        "mae": by_column(np.mean(errors, axis=0)),
        "median": by_column(np.median(errors, axis=0)),
        "share_under": shares_under(errors),
        "geodesic": _geodesic(true, predicted),
        "by_yaw": errors_by_yaw(true[:, 0], errors),
    }


def check_angles(true, predicted, names=None):
    """Both as (N, 3) float64, or one sentence on what is wrong with them.

    Args:
      true, predicted, names: as for `summarise`.

    Raises:
      RankPoseError: for shapes that don't fit, no pictures, or numbers that are not finite.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    for argument, angles in (("true", true), ("predicted", predicted)):
        if angles.ndim != 2 or angles.shape[1] != 3 or len(angles) == 0:
            raise RankPoseError(
                f"{argument}: expected angles of shape (N, 3) with N > 0, received {angles.shape}"
            )
    if len(true) != len(predicted):
        raise RankPoseError(
            f"predicted: expected as many rows as labels, {len(true)}, received {len(predicted)}"
        )
    for argument, angles in (("true", true), ("predicted", predicted)):
        broken = np.flatnonzero(~np.isfinite(angles).all(axis=1))
        if len(broken):
            first = broken[0]
            name = f"row {first}" if names is None else repr(str(names[first]))
            raise RankPoseError(
                f"{argument}: {len(broken)} of {len(angles)} poses are not finite numbers, the "
                f"first is {name} (yaw, pitch, roll {', '.join(f'{a:g}' for a in angles[first])}); "
                "mend what made them, a score without them would flatter"
            )
    return true, predicted


def absolute_errors(true, predicted):
    """(N, 4) degrees: the errors of yaw, pitch and roll, and their mean; never wrapped.

    Args:
      true, predicted: (N, 3) degrees; yaw, pitch, roll.
    """
    errors = np.abs(np.asarray(predicted, np.float64) - np.asarray(true, np.float64))
    return np.concatenate([errors, errors.mean(axis=1, keepdims=True)], axis=1)


def shares_under(errors):
    """Share of the pictures under each limit, by angle and for their mean error.

    Args:
      errors: (N, 4) from `absolute_errors`.

    Returns:
      {yaw, pitch, roll, mean} -> {"5", "10", "15", "20", "30"} -> 0..1.
    """
    by_limit = {str(limit): np.mean(errors < limit, axis=0) for limit in SHARE_LIMITS}
    return {
        angle: {limit: float(shares[column]) for limit, shares in by_limit.items()}
        for column, angle in enumerate(COLUMNS)
    }


def errors_by_yaw(true_yaw, errors):
    """MAE in each bin of the true yaw.

    Args:
      true_yaw: (N,) degrees.
      errors: (N, 4) from `absolute_errors`.

    Returns:
      List of dicts: from, to (degrees, from <= yaw < to; None where the bin is open), images,
      mae ({yaw, pitch, roll, mean}; None in a bin without pictures).
    """
    edges = (None, *YAW_EDGES, None)
    bins = np.digitize(true_yaw, YAW_EDGES)
    rows = []
    for index, (lower, upper) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = errors[bins == index]
        mae = by_column(inside.mean(axis=0)) if len(inside) else None
        rows.append({"from": lower, "to": upper, "images": len(inside), "mae": mae})
    return rows


def by_column(values):
    """Dict of `COLUMNS` -> float, of four numbers."""
    return dict(zip(COLUMNS, map(float, values), strict=True))


def _geodesic(true, predicted):
    """Mean and median angle between the rotations of labels and predictions, degrees."""
    rotations = [pose.rotation_from_angles(np.radians(angles)) for angles in (true, predicted)]
    distances = np.degrees(pose.geodesic_distance(*rotations))
    return {"mean": float(np.mean(distances)), "median": float(np.median(distances))}


def table(summary):
    """What `summarise` returns as text for a terminal, a column an angle."""
    rows = [(key, *(f"{summary[key][a]:.2f}" for a in COLUMNS)) for key in ("mae", "median")]
    for limit in map(str, SHARE_LIMITS):
        shares = (summary["share_under"][angle][limit] for angle in COLUMNS)
        rows.append((f"share under {limit}", *(f"{share:.1%}" for share in shares)))
    bins = []
    for part in summary["by_yaw"]:
        means = [f"{part['mae'][angle]:.2f}" if part["mae"] else "-" for angle in COLUMNS]
        bins.append((_bin_title(part["from"], part["to"]), *means, part["images"]))
    geodesic = summary["geodesic"]
    return (
        f"{tables.aligned(('degrees', *COLUMNS), rows)}\n"
        f"geodesic error: mean {geodesic['mean']:.2f}, median {geodesic['median']:.2f}\n\n"
        f"{tables.aligned(('MAE by true yaw', *COLUMNS, 'images'), bins)}"
    )


def _bin_title(lower, upper):
    if lower is None:
        return f"under {upper}"
    return f"{lower} and over" if upper is None else f"{lower} to {upper}"
