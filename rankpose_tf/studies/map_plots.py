"""Drawings of a tower's maps: the maps themselves, and how much they vary (extra [plots]).

RankPose (BMVC 2020), Figures 2 and 3. Nothing is computed here, see `activations`.
"""

import numpy as np

from rankpose_tf.evaluation import plots
from rankpose_tf.studies import activations

_CELL_INCHES = 1.38
# Width of the space between blocks, in cells.
_GAP = 0.15
# An axis of variances leaves out so large a share of the maps at either end.
_TAIL = 0.001
_PANELS = {
    "channels": (activations.CHANNEL_EDGES, "each channel's map", "variance, log scale"),
    "mean_map": (
        activations.MEAN_MAP_EDGES,
        "mean over channels, scaled to [0, 1]",
        "variance",
    ),
}


def maps(models, labels, pictures=None):
    """Maps after each stage, a row a face, the models side by side.

    Args:
      models: dict of name -> dict of layer -> (n, h, w) in [0, 1].
      labels: (n, 3) degrees; yaw, pitch, roll of the faces.
      pictures: n of (S, S, 3) uint8 RGB, shown at the left; None for none.

    Returns:
      matplotlib Figure.
    """
    blocks = {name: _stages(stages) for name, stages in models.items()}
    if pictures is not None:
        blocks = {"": {"face": pictures}, **blocks}
    # Between blocks a narrow column stays empty.
    widths = [width for block in blocks.values() for width in [1] * len(block) + [_GAP]][:-1]
    # Room for the angles at the left and the bar at the right, and for titles.
    wide, high = sum(widths) + 1.5, len(labels) + 0.8
    figure = plots.new_figure(_CELL_INCHES * wide, _CELL_INCHES * high)
    axes = figure.subplots(len(labels), len(widths), squeeze=False, width_ratios=widths)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    for cell in axes.flat:
        cell.set(xticks=[], yticks=[], frame_on=False)
    first = 0
    for name, stages in blocks.items():
        # Above the titles of its columns, in points.
        above = {"xycoords": "axes fraction", "xytext": (0, 30), "textcoords": "offset points"}
        axes[0, first].annotate(name, (0, 1), **above, fontsize=13)
        for column, (title, of_faces) in zip(axes.T[first:], stages.items(), strict=False):
            column[0].set_title(title, fontsize=9, pad=3)
            for cell, face in zip(column, of_faces, strict=True):
                shown = cell.imshow(face, cmap="viridis", vmin=0, vmax=1)
        first += len(stages) + 1
    for cell, (yaw, pitch, roll) in zip(axes[:, 0], labels, strict=True):
        angles = f"yaw {round(yaw)}°\npitch {round(pitch)}°\nroll {round(roll)}°"
        cell.set_ylabel(angles, fontsize=9, rotation=0, ha="right", va="center")
    bar = figure.colorbar(shown, ax=axes, ticks=[0, 0.5, 1], shrink=0.7, aspect=30, pad=0.01)
    bar.set_label("mean over channels, each map scaled to [0, 1]", fontsize=9)
    return figure


def _stages(stages):
    """Dict of title -> maps: what a column is called beside its maps."""
    return {
        f"stage {number}\n{of_faces.shape[1]} x {of_faces.shape[2]}": of_faces
        for number, of_faces in enumerate(stages.values(), start=1)
    }


def variances(models, layers):
    """Distributions of the variance of the first stage's maps, a panel for each kind of map.

    Args:
      models: dict of name -> result of `activations.variances`.
      layers: dict of name -> what the first stage is, in words.

    Returns:
      matplotlib Figure.
    """
    figure = plots.new_figure(10, 4.2)
    panels = figure.subplots(1, len(_PANELS))
    for panel, (kind, (edges, title, unit)) in zip(panels, _PANELS.items(), strict=True):
        of_kind = {name: kinds[kind] for name, kinds in models.items()}
        for (name, counted), style in zip(of_kind.items(), plots.line_styles(), strict=False):
            _distribution(panel, name, counted, edges, *style)
        first, last = _middle(edges, [counted["counts"] for counted in of_kind.values()])
        panel.set(xlabel=unit, xlim=(first, last), title=title)
        # Room for the legend above the lines.
        panel.set_ylim(0, 1.25 * panel.get_ylim()[1])
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set_xscale("log")
    panels[0].set_ylabel("share of maps, %, in each bin")
    stages = "; ".join(sorted(set(layers.values())))
    figure.suptitle(f"Variance over the pixels of the first stage's maps ({stages})")
    return figure


def _distribution(panel, name, distribution, edges, colour, dashes):
    """One model's outline, lightly filled; its median and its constant maps are in the legend."""
    shares = 100 * distribution["counts"] / max(1, distribution["maps"])
    median = activations.median(distribution, edges)
    label = f"{name}, median {median:.3g}" if median is not None else name
    if distribution["constant"]:
        label += f", {100 * distribution['constant'] / distribution['maps']:.1f}% constant"
    panel.stairs(shares, edges, color=colour, fill=True, alpha=0.15)
    panel.stairs(shares, edges, color=colour, linestyle=dashes, linewidth=1.5, label=label)


def _middle(edges, counts):
    """Edges between which all but `_TAIL` of the maps are at either end, of every model.

    Args:
      edges: (K + 1,).
      counts: (K,) of each model.
    """
    first, last = len(edges) - 1, 0
    for below in (np.cumsum(of_model) for of_model in counts if of_model.any()):
        first = min(first, np.searchsorted(below, _TAIL * below[-1], side="right"))
        last = max(last, np.searchsorted(below, (1 - _TAIL) * below[-1]) + 1)
    return (edges[first], edges[last]) if first < last else (edges[0], edges[-1])
