"""The result of an ablation as table.md, table.csv and ablation.json.

Each figure stands beside the paper's own (BMVC 2020, Table 3) and under the name of its protocol.
Errors are degrees, in the order yaw, pitch, roll, mean. A training run never looks at the test
set; "held-out" figures are of the training set's held-out identities, at the epoch chosen by them,
and their pairs are of one identity whatever a cell trains on: test sets have no such pairs.
"""

import csv
import io
import pathlib

import rankpose_tf
from rankpose_tf.core import files, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder
from rankpose_tf.evaluation.metrics import COLUMNS
from rankpose_tf.studies import ablation_claims, ablation_runs, ablation_statistics

_HELD_OUT = ("held-out MAE", "held-out pairs in order, %")
_HEADER = ("cell", "runs", *COLUMNS, "the paper's", *_HELD_OUT)
_NOT_RUN = "not run"


def write(folder, runs, eval_data, recipe_lines):
    """Writes the three files from the runs that are finished.

    Args:
      folder: of the ablation.
      runs: from `ablation_cells.list_runs`.
      eval_data: prepared folder that they were tested on.
      recipe_lines: flags that all cells share, recorded.

    Returns:
      The content of table.md.

    Raises:
      RankPoseError: if runs were tested under different protocols.
    """
    result = summarise(runs, eval_data, recipe_lines)
    text = markdown(result)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "ablation.json", result)
    files.write_text(folder / "table.csv", comma_separated(result))
    files.write_text(folder / "table.md", text)
    return text


def summarise(runs, eval_data, recipe_lines=()):
    """Everything the table says, as the content of ablation.json.

    Args: as for `write`.

    Returns:
      Dict: protocol (None where nothing is finished), images, training_set, recipe, seeds,
      steps, cells (name -> title, runs by seed, summary by metric, paper) and comparisons
      (claim, weights, and `ablation_statistics.compare` by metric).
    """
    test_set = prepared_folder.read_description(eval_data)
    figures, protocols = {}, []
    for run in runs:
        of_cell = figures.setdefault(run.cell, {})
        ablation_runs.check_flags(run)
        if ablation_runs.is_finished(run, eval_data, test_set):
            of_cell[run.seed], protocol = _figures(run, eval_data)
            protocols += [] if protocol in protocols else [protocol]
    if len(protocols) > 1:
        raise RankPoseError(
            "eval_data: the runs were not trained and tested alike (protocol, pictures, training "
            f"set or steps differ: {protocols}); use another --workdir"
        )
    papers = ablation_claims.PAPER.items()
    paper = next((cells for name, cells in papers if name in test_set["protocol_set"]), {})
    return {
        "rankpose_tf": rankpose_tf.__version__,
        "set": test_set["protocol_set"],
        **(protocols[0] if protocols else {"protocol": None}),
        "recipe": list(recipe_lines),
        "seeds": sorted({run.seed for run in runs}),
        "cells": {name: _cell(name, seeds, paper.get(name)) for name, seeds in figures.items()},
        "comparisons": [_comparison(claim, figures) for claim in ablation_claims.about(figures)],
    }


def _figures(run, eval_data):
    """The figures of a finished run, and what has to be equal for all runs of a table."""
    path = ablation_runs.evaluation_folder(run, eval_data) / "evaluation.json"
    tested = ablation_runs.read_evaluation(path)
    trained = ablation_runs.read_result(run.workdir / "result.json")
    figures = {angle: tested["mae"][angle] for angle in COLUMNS}
    figures |= _of_held_out(trained)
    figures |= {"best_epoch": trained["best_epoch"], "training_seconds": trained["seconds"]}
    shared = {
        "protocol": tested["protocol"],
        "images": tested["images"],
        "training_set": trained["training_set"],
        "steps": trained["steps"],
    }
    return figures, shared


def _of_held_out(trained):
    """MAE over all views of held-out people, share of their pairs in order; None if unknown."""
    held_out = trained.get("held_out", {})
    # An epoch on photos is chosen by photos: theirs is another MAE, and they have no order.
    by_photos = trained.get("recipe", {}).get("photo_epochs", 0) > 0
    chosen = {} if by_photos else trained["best"]
    return {
        "held_out_mean": held_out.get("mae", {}).get("mean", chosen.get("val_mae")),
        "held_out_ordered": held_out.get("ordered", chosen.get("val_ordered")),
    }


def _cell(name, runs, paper):
    summary = {
        metric: ablation_statistics.spread(
            [run[metric] for run in runs.values() if run[metric] is not None]
        )
        for metric in ablation_statistics.METRICS
    }
    return {
        "title": ablation_claims.TITLES.get(name, name),
        "runs": {str(seed): run for seed, run in runs.items()},
        "summary": summary,
        "paper": paper and dict(zip(COLUMNS, paper, strict=True)),
    }


def _comparison(claim, figures):
    compared = {
        metric: ablation_statistics.compare(claim, figures, metric)
        for metric in ablation_statistics.COMPARED
    }
    return {"claim": claim.text, "weights": claim.weights, **compared}


def markdown(result):
    """table.md: protocol, cells, comparisons.

    Args:
      result: from `summarise`.
    """
    names = ("claim", "seeds", f"MAE, {result['set']}", "held-out MAE", "held-out pairs in order")
    comparisons = []
    for comparison in result["comparisons"]:
        cells = [_difference(comparison[metric], metric) for metric in ablation_statistics.COMPARED]
        comparisons.append((comparison["claim"], comparison["mean"]["n"], *cells))
    parts = (_caption(result), tables.markdown(_HEADER, _rows(result)), _NOTE)
    return "\n\n".join((*parts, tables.markdown(names, comparisons))) + "\n"


_NOTE = """\
Mean and standard deviation (n - 1) over seeds, degrees. Held-out: identities of the training set
that were not trained on; the epoch is chosen by them, the test set is looked at once.

Comparisons are paired by seed: the mean difference, degrees or percentage points, and its 95%
interval by Student's t. n counts seeds; differences of several transforms are averaged within a
seed first. "Seen": the interval is on the side of the claim; "opposite": on the other; "not
seen": it holds 0. Of twenty such intervals one is expected to miss by chance."""


def _caption(result):
    if result["protocol"] is None:
        return f"Nothing is finished yet on {result['set']}."
    return (
        f"{result['protocol']}; {result['images']} pictures; trained on {result['training_set']}, "
        f"{result['steps']} steps a run."
    )


def _rows(result):
    """Text cells under `_HEADER`, a row a cell of the ablation."""
    for cell in result["cells"].values():
        summary = cell["summary"]
        angles = [_plus_minus(summary[angle]) for angle in COLUMNS]
        published = cell["paper"]
        paper = " / ".join(f"{published[name]:.2f}" for name in COLUMNS) if published else "-"
        held_out = _plus_minus(summary["held_out_mean"])
        ordered = _plus_minus(summary["held_out_ordered"], 100)
        yield (cell["title"], len(cell["runs"]), *angles, paper, held_out, ordered)


def _plus_minus(summary, factor=1):
    if summary["mean"] is None:
        return _NOT_RUN
    text = f"{factor * summary['mean']:.2f}"
    deviation = summary["deviation"]
    return text if deviation is None else f"{text} ± {factor * deviation:.2f}"


def _difference(compared, metric):
    if compared["difference"] is None:
        return _NOT_RUN
    factor = 100 if metric == "held_out_ordered" else 1
    text = f"{factor * compared['difference']:+.2f}"
    if compared["interval"]:
        text += " [{:+.2f}, {:+.2f}]".format(*(factor * end for end in compared["interval"]))
    return f"{text}: {compared['verdict']}"


def comma_separated(result):
    """table.csv: a row a cell; a column for each metric's mean and deviation, and the paper's.

    Args:
      result: from `summarise`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = ablation_statistics.METRICS
    columns = [f"{metric}_{part}" for metric in metrics for part in ("mean", "deviation")]
    writer.writerow(["cell", "title", "runs", *columns, *(f"paper_{a}" for a in COLUMNS)])
    for name, cell in result["cells"].items():
        numbers = [cell["summary"][m][part] for m in metrics for part in ("mean", "deviation")]
        paper = cell["paper"] or {}
        row = [*numbers, *(paper.get(angle) for angle in COLUMNS)]
        cells = ["" if number is None else f"{number:.4f}" for number in row]
        writer.writerow([name, cell["title"], len(cell["runs"]), *cells])
    return text.getvalue()
