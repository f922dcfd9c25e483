"""Drawings of a tower's maps: the maps themselves, and how much they vary (extra [plots]).

RankPose (BMVC 2020), Figures 2 and 3. Nothing is computed here, see `activations`.
"""

import numpy as np

from rankpose_tf.evaluation import plots
from rankpose_tf.studies import activations

_CELL_INCHES, _SPACE_INCHES, _GAP_INCHES = 1.3, 0.08, 0.25
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
    columns = [len(block) for block in blocks.values()]
    cells, bar = _grid(columns, len(labels))
    for block, (name, stages) in zip(cells, blocks.items(), strict=True):
        middle = (block[0][0].get_position().x0 + block[0][-1].get_position().x1) / 2
        top = 1 - 0.45 * _GAP_INCHES / bar.figure.get_figheight()
        bar.figure.text(middle, top, name, fontsize=13, ha="center", va="top")
        for column, (title, of_faces) in enumerate(stages.items()):
            block[0][column].set_title(title, fontsize=9, pad=3)
            for row, one in zip(block, of_faces, strict=True):
                shown = row[column].imshow(one, cmap="viridis", vmin=0, vmax=1)
    for row, (yaw, pitch, roll) in zip(cells[0], labels, strict=True):
        angles = f"yaw {round(yaw)}°\npitch {round(pitch)}°\nroll {round(roll)}°"
        row[0].set_ylabel(angles, fontsize=9, rotation=0, ha="right", va="center")
    bar.figure.colorbar(shown, cax=bar, ticks=[0, 0.5, 1])
    bar.set_ylabel("mean over channels, each map scaled to [0, 1]", fontsize=9)
    return bar.figure


def _stages(stages):
    """Dict of title -> maps: what a column is called beside its maps."""
    return {
        f"stage {number}\n{of_faces.shape[1]} x {of_faces.shape[2]}": of_faces
        for number, of_faces in enumerate(stages.values(), start=1)
    }


def _grid(columns, rows):
    """Cells of one size: a list a block, of rows, of axes; and the axes of the colour bar.

    Args:
      columns: list, how many each block has.
      rows: how many all have.
    """
    left, right, top, bottom = 0.95, 0.95, 0.8, 0.35
    step = _CELL_INCHES + _SPACE_INCHES
    width = left + sum(columns) * step + (len(columns) - 1) * _GAP_INCHES + right
    height = top + rows * step + bottom
    figure = plots.new_figure(width, height)
    # Cells are placed by hand: automatic layouts size each block by its labels.
    figure.set_layout_engine("none")

    def axes(x, y, wide, high):
        place = (x / width, 1 - (y + high) / height, wide / width, high / height)
        return figure.add_axes(place)

    blocks, x = [], left
    for count in columns:
        places = [x + k * step for k in range(count)]
        heights = [top + k * step for k in range(rows)]
        blocks.append([[axes(x, y, _CELL_INCHES, _CELL_INCHES) for x in places] for y in heights])
        x += count * step + _GAP_INCHES
    for cell in (cell for block in blocks for row in block for cell in row):
        cell.set(xticks=[], yticks=[], frame_on=False)
    tall = min(rows * step, 3 * step)
    bar = axes(x - _GAP_INCHES + 0.1, top + (rows * step - tall) / 2, 0.12, tall - _SPACE_INCHES)
    return blocks, bar


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
        for (name, one), (colour, dashes) in zip(models.items(), plots.line_styles(), strict=False):
            _distribution(panel, name, one[kind], edges, colour, dashes)
        first, last = _middle(edges, [one[kind]["counts"] for one in models.values()])
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
    for below in (np.cumsum(one) for one in counts if one.any()):
        first = min(first, np.searchsorted(below, _TAIL * below[-1], side="right"))
        last = max(last, np.searchsorted(below, (1 - _TAIL) * below[-1]) + 1)
    return (edges[first], edges[last]) if first < last else (edges[0], edges[-1])
