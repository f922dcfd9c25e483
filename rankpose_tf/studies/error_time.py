"""Error against time of one face, these models beside others, as a plot (extra [plots])."""

import csv

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import plots

COLUMNS = ("model", "time", "mae", "pictures", "ours")
_LIMIT = 1.35


def read(path):
    """The rows of a table.

    Args:
      path: CSV with COLUMNS: a name; the time of one face as a multiple of that of the first row,
        measured in one run; the MAE on AFLW2000-3D in degrees; on how many of its pictures; and 1
        where the model is the package's, else 0.

    Returns:
      List of dicts, numbers as numbers.

    Raises:
      RankPoseError: if a column is missing, or a value is no number.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = set(COLUMNS) - set(rows[0] if rows else ())
    if missing:
        raise RankPoseError(
            f"table: {str(path)!r} lacks the columns {', '.join(sorted(missing))}; expected "
            f"{', '.join(COLUMNS)}"
        )
    try:
        numbers = [{name: float(row[name]) for name in COLUMNS[1:]} for row in rows]
    except (TypeError, ValueError) as error:
        raise RankPoseError(
            f"table: {str(path)!r} has a value that is no number ({error})"
        ) from error
    return [{**row, **values} for row, values in zip(rows, numbers, strict=True)]


def plot(rows):
    """A point a model: to the left is faster, below is better.

    Args:
      rows: as from `read`.

    Returns:
      matplotlib Figure.
    """
    figure = plots.new_figure(7.5, 4.2)
    axes = figure.subplots()
    for row in rows:
        colour, marker = ("tab:blue", "o") if row["ours"] else ("0.45", "s")
        axes.plot(row["time"], row["mae"], marker, color=colour, markersize=8)
        name = f"{row['model']}\n{row['mae']:.2f} of {row['pictures']:,.0f} pictures"
        # Ours above and the others' below: two that are close keep apart.
        place = {"xytext": (8, 4 if row["ours"] else -26), "textcoords": "offset points"}
        axes.annotate(name, (row["time"], row["mae"]), fontsize=9, color=colour, **place)
    times, errors = ([row[name] for row in rows] for name in ("time", "mae"))
    axes.set(
        xscale="log",
        xlim=(min(times) / _LIMIT, max(times) * _LIMIT**3),
        ylim=(min(errors) - 0.4, max(errors) + 0.5),
        xlabel=f"time of one face on one thread, {rows[0]['model']} = 1",
        ylabel="MAE on AFLW2000-3D, degrees",
    )
    axes.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    return figure
