"""The figures of `rankpose benchmark` as plots (extra [plots])."""

import itertools

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import plots

_ROW, _MARGIN = 0.32, 1.1


def plot(name, figures):
    """The plot of a benchmark.

    Args:
      name: one of `PLOTS`.
      figures: what that benchmark measured, as its .json file has it.

    Returns:
      matplotlib Figure.

    Raises:
      RankPoseError: if matplotlib is not installed.
    """
    return PLOTS[name](figures)


def _input(figures):
    """Pictures a second of each loader, a panel a setting."""
    panels = {
        f"{setting}: {row['ratio_to_decode']:.2f} of decoding, "
        f"{row['ratio_to_opencv']:.2f} of OpenCV": {
            loader: row[loader] for loader in ("pipeline", "opencv", "decode")
        }
        for setting, row in figures["settings"].items()
    }
    return _bars(panels, "pictures a second, two threads")


def _step(figures):
    """Milliseconds of a step of each kind, a panel a tower and way of computing."""
    panels = {
        f"{tower}, {way}": kinds
        for tower, row in figures["towers"].items()
        for way, kinds in row["ways"].items()
    }
    return _bars(panels, "milliseconds a step")


def _engines(figures):
    """Milliseconds of a face of each engine, a panel a number of threads."""
    panels = {
        f"threads: {threads.replace('default', 'as each engine chooses')}": rows
        for threads, rows in figures["engines"].items()
    }
    return _bars(panels, "milliseconds of one face, float32")


def _bars(panels, unit):
    """Horizontal bars of medians with their spread, the scale of each panel its own.

    Args:
      panels: title -> name of a bar -> dict with median and perhaps least, most.
      unit: what a bar's length is.
    """
    rows = [len(bars) for bars in panels.values()]
    figure = plots.new_figure(7.5, sum(rows) * _ROW + len(rows) * _MARGIN)
    cells = figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axes, (title, bars) in zip(cells, panels.items(), strict=True):
        medians = [bar["median"] for bar in bars.values()]
        spread = [
            [bar["median"] - bar.get("least", bar["median"]) for bar in bars.values()],
            [bar.get("most", bar["median"]) - bar["median"] for bar in bars.values()],
        ]
        drawn = axes.barh(list(bars), medians, xerr=spread, color=plots.COLOURS[0], alpha=0.8)
        axes.bar_label(drawn, [_number(value) for value in medians], fontsize=9)
        axes.set_title(title, fontsize=10, loc="left")
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.grid(axis="x", alpha=0.3)
    cells[-1].set_xlabel(unit)
    return figure


def _number(value):
    """As a label with about three digits."""
    return f" {value:,.0f}" if value >= 100 else f" {value:.3g}"


def _serving(figures):
    """Pictures a second against the 99th percentile of the latency, a panel a signature.

    A line joins the numbers of clients of one server and number of pictures a request.

    Raises:
      RankPoseError: where every request failed.
    """
    answered = [row for row in figures["rows"] if row.get("p99") is not None]
    if not answered:
        raise RankPoseError("plots: no request was answered, so there is nothing to draw")
    signatures = list(dict.fromkeys(row["signature"] for row in answered))
    servers = list(dict.fromkeys(row["server"] for row in answered))
    sizes = sorted({row["pictures_per_request"] for row in answered})
    figure = plots.new_figure(4.2 * len(signatures) + 0.8, 5.2)
    panels = figure.subplots(1, len(signatures), sharex=True, sharey=True, squeeze=False)[0]
    for axes, signature in zip(panels, signatures, strict=True):
        for (server, joined), rows in _lines(answered, signature):
            look = {
                "color": plots.COLOURS[servers.index(server) % len(plots.COLOURS)],
                "marker": "os^Dv"[sizes.index(joined) % 5],
            }
            _latency_line(axes, f"{server}, {joined} a request", rows, look)
        axes.set(xscale="log", yscale="log", title=signature, xlabel="pictures a second")
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("99 of 100 answered within, ms (points: number of clients)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(servers), fontsize=8)
    return figure


def _lines(answered, signature):
    """Yields (server, pictures a request) and the rows of a line, fewer clients first."""
    rows = [row for row in answered if row["signature"] == signature]
    for key, found in itertools.groupby(sorted(rows, key=_line_of), key=_line_of):
        yield key, sorted(found, key=_clients_of)


def _line_of(row):
    return row["server"], row["pictures_per_request"]


def _clients_of(row):
    return row["clients"]


def _latency_line(axes, label, rows, look):
    """One line, its points named by the number of clients."""
    places = [(row["pictures_per_second"], row["p99"]) for row in rows]
    axes.plot(*zip(*places, strict=True), markersize=4, label=label, **look)
    for row, place in zip(rows, places, strict=True):
        axes.annotate(row["clients"], place, fontsize=8, xytext=(3, 4), textcoords="offset points")


PLOTS = {"input": _input, "step": _step, "engines": _engines, "serving": _serving}
