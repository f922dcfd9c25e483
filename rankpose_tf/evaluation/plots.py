"""Pictures of what a model does on a test set, as PNG files (extra [plots]: matplotlib).

Everything is in degrees, in the order yaw, pitch, roll; N is the number of pictures. Figures are
made without pyplot, so nothing is shown and nothing global is changed.
"""

import itertools

import numpy as np

from rankpose_tf.core import draw, extras, files, pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import doubt
from rankpose_tf.evaluation.metrics import COLUMNS, absolute_errors

_CROP = 160
_COLUMNS = 4
_GROUPS = ("best", "middle", "worst")
_SHOWN = 2 * _COLUMNS * len(_GROUPS)
_WORST = 32
_LARGEST_ERROR = 30
_BIN_DEGREES = 15
_FEW_PICTURES = 10
# An axis of cumulative errors ends, in whole tens, where it holds 97 of 100 pictures.
_SHARE_SHOWN = 0.97
_SHORTEST_AXIS, _LONGEST_AXIS = 10, 90
# Okabe and Ito's colours, which the colour-blind tell apart; black and yellow last. Lines also
# differ in their dashes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))


def write_plots(folder, result, poses, views):
    """Writes grid, worst, error_by_angle and cumulative_error (.png), each under its protocol.

    Of a model that expects errors sparsification.png, too.

    Args:
      folder: existing folder.
      result: dict with protocol and model, as in evaluation.json.
      poses: dict with true, predicted and perhaps expected, (N, 3) degrees, as from
        `evaluation.run.predict`.
      views: function of a size in pixels -> the batches of `pairs.views` that were predicted, in
        the same order; only the pictures that are shown are kept.

    Raises:
      RankPoseError: if matplotlib is not installed, or a file can't be written.
    """
    errors = absolute_errors(poses["true"], poses["predicted"])
    chosen, worst = spread(errors[:, 3], _SHOWN), np.argsort(-errors[:, 3], kind="stable")[:_WORST]
    pictures = pictures_at(views(_CROP), np.concatenate([chosen, worst]))
    pictures, of_worst = pictures[: len(chosen)], pictures[len(chosen) :]
    groups = _GROUPS if len(errors) > _SHOWN else ()
    figures = {
        "grid": grid(pictures, poses["true"][chosen], poses["predicted"][chosen], groups),
        "worst": grid(of_worst, poses["true"][worst], poses["predicted"][worst]),
        "error_by_angle": error_by_angle(poses["true"], errors),
        "cumulative_error": cumulative_error({result["model"]: errors}),
    }
    if "expected" in poses:
        doubts = poses["expected"].mean(axis=1)
        figures["sparsification"] = doubt.sparsification(errors[:, 3], doubts, new_figure)
    for name, figure in figures.items():
        figure.supxlabel(result["protocol"], fontsize=9, color="dimgrey")
        save(figure, folder / f"{name}.png")


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


def save(figure, path):
    """Writes a figure as a PNG file, whole or not at all.

    Args:
      figure: matplotlib Figure.
      path: of the file; its folder must exist.

    Raises:
      RankPoseError: if it can't be written there.
    """
    try:
        with files.replaced(path) as beside:
            figure.savefig(beside, dpi=110)
    except OSError as error:
        raise RankPoseError(
            f"plots: can't write {str(path)!r} ({error.strerror or error}); make room, or pass "
            "another place"
        ) from error


def pictures_at(batches, chosen):
    """(size, size, 3) uint8 of the chosen positions of a stream, in their order."""
    wanted, kept, position = set(chosen.tolist()), {}, 0
    for batch in batches:
        images = batch["image"].numpy()
        for index in wanted & set(range(position, position + len(images))):
            kept[index] = np.clip(np.rint(images[index - position]), 0, 255).astype(np.uint8)
        position += len(images)
        if len(kept) == len(wanted):
            break
    return [kept[index] for index in chosen.tolist()]


def grid(pictures, true, predicted, groups=()):
    """Pictures with the axes of their label and, beside them, of the prediction.

    Args:
      pictures: n of (S, S, 3) uint8 RGB.
      true, predicted: (n, 3) degrees.
      groups: names of the equal parts that the pictures come in, of whole rows; none by default.

    Returns:
      matplotlib Figure: two pictures a cell, label left and prediction right, the errors above.
    """
    rows = -(-len(pictures) // _COLUMNS)
    figure = new_figure(3 * _COLUMNS, 1.95 * rows + 0.9)
    cells = figure.subplots(rows, _COLUMNS, squeeze=False)
    for cell in cells.ravel():
        # Not axis("off"), which would take the names of the groups away too.
        cell.set(xticks=[], yticks=[], frame_on=False)
    for cell, picture, label, angles in zip(cells.ravel(), pictures, true, predicted, strict=False):
        pair = [draw.draw_axes(picture, shown) for shown in (label, angles)]
        cell.imshow(np.concatenate(pair, axis=1))
        cell.set_title(_caption(label, angles), fontsize=8, pad=3)
    for number, name in enumerate(groups):
        cells[number * rows // len(groups), 0].set_ylabel(name, fontsize=14)
    figure.suptitle(
        "label | prediction    red: x, to the head's left; green: y, up; blue: z, out of the nose\n"
        "above: mean error of the three angles, degrees (yaw, pitch, roll), and of the rotation",
        fontsize=10,
    )
    return figure


def _caption(true, predicted):
    """Errors of one picture; the rotation's shows where large angles hide a small difference.

    Near a yaw of 90 degrees pitch and roll turn the head almost about one axis, so both may be
    far off while the drawn heads look alike.
    """
    yaw, pitch, roll, mean = absolute_errors(true[None], predicted[None])[0]
    rotation = np.degrees(
        pose.geodesic_distance(
            *(pose.rotation_from_angles(np.radians(angles)) for angles in (true, predicted))
        )
    )
    return f"{mean:.1f} ({yaw:.0f}, {pitch:.0f}, {roll:.0f}), rotation {rotation:.1f}"


def error_by_angle(true, errors):
    """Absolute error against the true angle: a point a picture, and the mean of each 15 degrees.

    Args:
      true: (N, 3) degrees.
      errors: (N, 4) from `metrics.absolute_errors`.

    Returns:
      matplotlib Figure with a panel an angle, all to one scale with every picture on it.
    """
    figure = new_figure(12, 4.4)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    top = max(_LARGEST_ERROR, 1.05 * float(errors[:, :3].max()))
    ticks = np.arange(-180, 181, 30)
    for column, (panel, angle) in enumerate(zip(panels, pose.ANGLES, strict=True)):
        panel.plot(true[:, column], errors[:, column], ".", markersize=3, alpha=0.4)
        centres, means, counts = binned(true[:, column], errors[:, column])
        panel.plot(centres, means, "-", color="black", linewidth=1)
        for few, face in ((False, "black"), (True, "white")):
            of_kind = (counts < _FEW_PICTURES) == few
            label = f"mean of {_BIN_DEGREES} degrees" + f", under {_FEW_PICTURES} pictures" * few
            panel.plot(
                centres[of_kind],
                means[of_kind],
                "o",
                color="black",
                markersize=5,
                markerfacecolor=face,
                label=label,
            )
        panel.set(xlabel=f"true {angle}, degrees", ylim=(0, top), title=angle)
        panel.grid(alpha=0.3)
    farthest = max(90, np.abs(true).max()) + 5
    panels[0].set(ylabel="absolute error, degrees", xticks=ticks, xlim=(-farthest, farthest))
    panels[0].legend(loc="upper center")
    return figure


def binned(values, errors):
    """Means of the errors by bins of 15 degrees.

    Args:
      values: (N,) degrees.
      errors: (N,) degrees.

    Returns:
      Centres of the bins with anything in them, degrees; the mean error, and the count, in each.
    """
    bins = np.floor(np.asarray(values) / _BIN_DEGREES).astype(int)
    used, counts = np.unique(bins, return_counts=True)
    means = np.array([errors[bins == index].mean() for index in used])
    return (used + 0.5) * _BIN_DEGREES, means, counts


def cumulative_error(models):
    """Share of the pictures under each error (RankPose, BMVC 2020, Figure 4).

    Args:
      models: dict of name -> (N, 4) errors from `metrics.absolute_errors`.

    Returns:
      matplotlib Figure with a panel for yaw, pitch, roll and their mean, all to one scale; pictures
      beyond it are counted.
    """
    figure = new_figure(10, 7)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    limit = error_limit(models.values())
    for column, (panel, title) in enumerate(zip(panels.flat, COLUMNS, strict=True)):
        for (name, errors), (colour, dashes) in zip(models.items(), line_styles(), strict=False):
            ordered = np.sort(errors[:, column])
            shares = np.arange(1, len(ordered) + 1) / len(ordered)
            label = f"{name}, mean {ordered.mean():.2f}"
            if beyond := int((ordered > limit).sum()):
                label += f" ({beyond} beyond)"
            panel.step(ordered, shares, where="post", label=label, color=colour, linestyle=dashes)
        panel.set(xlim=(0, limit), ylim=(0, 1), title=title)
        panel.grid(alpha=0.3)
        panel.legend(loc="lower right", fontsize=9)
    for edge in panels[:, 0]:
        edge.set_ylabel("share of pictures")
    for edge in panels[-1]:
        edge.set_xlabel("absolute error, degrees")
    return figure


def error_limit(errors):
    """Where an axis of cumulative errors ends: 10, 20, ... 90 degrees.

    Args:
      errors: (N, 4) errors of each model.
    """
    most = max(np.quantile(of_model, _SHARE_SHOWN, axis=0).max() for of_model in errors)
    return int(np.clip(10 * np.ceil(most / 10), _SHORTEST_AXIS, _LONGEST_AXIS))


def line_styles():
    """Yields (colour, dashes) without end; the first 8 colours differ, as do 4 dashes in a row."""
    return zip(itertools.cycle(COLOURS), itertools.cycle(_DASHES), strict=False)


def require_matplotlib():
    """Raises RankPoseError if the extra [plots] is not installed."""
    extras.load("matplotlib.figure", "plots", "plots")


def new_figure(width, height):
    """An empty matplotlib Figure of so many inches, belonging to no window."""
    module = extras.load("matplotlib.figure", "plots", "plots")
    return module.Figure(figsize=(width, height), layout="constrained")
