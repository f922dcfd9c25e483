"""Pictures of what a model does on a test set, as PNG files (extra [plots]: matplotlib).

Everything is in degrees, in the order yaw, pitch, roll; N is the number of pictures. Figures are
made without pyplot, so nothing is shown and nothing global is changed.
"""

import numpy as np

from rankpose_tf import draw, files
from rankpose_tf.errors import RankPoseError
from rankpose_tf.metrics import ANGLES, absolute_errors

_COLOURS = ("tab:blue", "tab:orange", "tab:green", "black")
_CROP = 160
_COLUMNS = 6
_LARGEST_ERROR = 30
_BIN_DEGREES = 15


def write_all(folder, found, views):
    """Writes grid.png, error_by_angle.png and cumulative_error.png.

    Args:
      folder: existing folder.
      found: dict with true and predicted, (N, 3) degrees, as from `evaluation.predict`.
      views: function of a size in pixels -> the batches of `pairs.views` that were predicted, in
        the same order; only the pictures that are shown are kept.

    Raises:
      RankPoseError: if matplotlib is not installed.
    """
    errors = absolute_errors(found["true"], found["predicted"])
    chosen = spread(errors[:, 3], 4 * _COLUMNS)
    pictures = _pictures(views(_CROP), chosen)
    figures = {
        "grid": grid(pictures, found["true"][chosen], found["predicted"][chosen]),
        "error_by_angle": error_by_angle(found["true"], errors),
        "cumulative_error": cumulative_error({"model": errors}),
    }
    for name, figure in figures.items():
        with files.replaced(folder / f"{name}.png") as beside:
            figure.savefig(beside, dpi=110)


def spread(errors, count):
    """Indices of pictures in the order of their error: a third best, middle and worst.

    Args:
      errors: (N,).
      count: how many to choose; all where there are fewer.

    Returns:
      (min(count, N),) indices, the least error first.
    """
    order = np.argsort(errors, kind="stable")
    if len(order) <= count:
        return order
    third = count // 3
    start = (len(order) - third) // 2
    return np.concatenate(
        [order[:third], order[start : start + third], order[len(order) - (count - 2 * third) :]]
    )


def _pictures(batches, chosen):
    """(size, size, 3) uint8 of the chosen positions of a stream, in their order."""
    wanted, kept, position = set(chosen.tolist()), {}, 0
    for batch in batches:
        images = batch["image"].numpy()
        for index in wanted & set(range(position, position + len(images))):
            kept[index] = np.clip(np.rint(images[index - position]), 0, 255).astype(np.uint8)
        position += len(images)
    return [kept[index] for index in chosen.tolist()]


def grid(pictures, true, predicted):
    """Pictures with the axes of their label and, beside them, of the prediction.

    Args:
      pictures: n of (S, S, 3) uint8 RGB.
      true, predicted: (n, 3) degrees.

    Returns:
      matplotlib Figure: two pictures a cell, label left and prediction right, the mean error above.
    """
    rows = -(-len(pictures) // _COLUMNS)
    figure = _figure(2.6 * _COLUMNS, 1.65 * rows + 0.5)
    axes = np.atleast_1d(figure.subplots(rows, _COLUMNS, squeeze=False)).ravel()
    for axis in axes:
        axis.axis("off")
    errors = absolute_errors(true, predicted)[:, 3]
    for axis, picture, label, pose, error in zip(
        axes, pictures, true, predicted, errors, strict=False
    ):
        pair = [draw.draw_axes(picture, angles) for angles in (label, pose)]
        axis.imshow(np.concatenate(pair, axis=1))
        axis.set_title(f"{error:.1f}", fontsize=9, pad=2)
    figure.suptitle("label | prediction; above, the mean error of the three angles, degrees")
    return figure


def error_by_angle(true, errors):
    """Absolute error against the true angle: a point a picture, and the mean of each 15 degrees.

    Args:
      true: (N, 3) degrees.
      errors: (N, 4) from `metrics.absolute_errors`.

    Returns:
      matplotlib Figure with a panel an angle.
    """
    figure = _figure(12, 4)
    panels = figure.subplots(1, 3, sharey=True)
    top = max(_LARGEST_ERROR, float(np.percentile(errors[:, :3], 99)))
    for column, (panel, angle) in enumerate(zip(panels, ANGLES, strict=True)):
        panel.plot(true[:, column], errors[:, column], ".", markersize=3, alpha=0.4)
        centres, means = binned(true[:, column], errors[:, column])
        panel.plot(centres, means, "o-", color="black", markersize=4, label="mean")
        panel.set(xlabel=f"true {angle}, degrees", ylim=(0, top), title=angle)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("absolute error, degrees")
    panels[0].legend()
    return figure


def binned(values, errors):
    """Centres of bins of 15 degrees with anything in them, and the mean error in each."""
    bins = np.floor(np.asarray(values) / _BIN_DEGREES).astype(int)
    used = np.unique(bins)
    return (used + 0.5) * _BIN_DEGREES, np.array([errors[bins == one].mean() for one in used])


def cumulative_error(models):
    """Share of the pictures under each error (RankPose, BMVC 2020, Figure 4).

    Args:
      models: dict of name -> (N, 4) errors from `metrics.absolute_errors`.

    Returns:
      matplotlib Figure with a panel for yaw, pitch, roll and their mean.
    """
    figure = _figure(14, 3.8)
    panels = figure.subplots(1, 4, sharey=True)
    for column, (panel, title) in enumerate(zip(panels, (*ANGLES, "mean"), strict=True)):
        for (name, errors), colour in zip(models.items(), _COLOURS * 9, strict=False):
            ordered = np.sort(errors[:, column])
            shares = np.arange(1, len(ordered) + 1) / len(ordered)
            panel.plot(ordered, shares, color=colour, label=name)
        panel.set(xlabel="absolute error, degrees", xlim=(0, _LARGEST_ERROR), ylim=(0, 1))
        panel.set_title(title)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("share of pictures")
    panels[-1].legend(loc="lower right")
    return figure


def require_matplotlib():
    """Raises RankPoseError if the extra [plots] is not installed."""
    _figure(1, 1)


def _figure(width, height):
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RankPoseError(
            "plots: drawing needs the package matplotlib, which is not installed; "
            'pip install "rankpose_tf[plots]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")
