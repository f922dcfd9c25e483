"""What the documents show of an ablation is what its files hold, and those are what was written."""

import json
import pathlib

import numpy as np
import pytest

from rankpose_tf.studies import ablation_claims, ablation_statistics, ablation_table

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / "docs/results/ablation"


@pytest.fixture(scope="module")
def result():
    return json.loads((RESULTS / "ablation.json").read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_figures(result):
    assert (RESULTS / "table.md").read_text(encoding="utf-8") == ablation_table.markdown(result)
    written = (RESULTS / "table.csv").read_text(encoding="utf-8")
    assert written == ablation_table.comma_separated(result)


def test_every_cell_is_there_with_three_seeds(result):
    later = ("study_", "converged_")
    early = {name for name in ablation_claims.TITLES if not name.startswith(later)}
    assert early == set(result["cells"])
    for cell in result["cells"].values():
        assert len(cell["runs"]) >= 3, cell["title"]


def test_the_page_shows_every_row_of_the_table():
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8").splitlines()
    rows = [
        line for line in (RESULTS / "table.md").read_text().splitlines() if line.startswith("|")
    ]
    assert [row for row in rows if row not in page] == []


def of_the_study(part):
    """(Cell, CPU) -> seed -> MAE on the dev half, held-out MAE, share of pairs in order."""
    cells = {}
    runs = json.loads((ROOT / "docs/results/study.json").read_text(encoding="utf-8"))[part]
    for run in runs["runs"] if part == "other_forms" else runs:
        figures = run["dev_mae"]["mean"], run["held_out_mae"]["mean"], 100 * run["held_out_ordered"]
        cells.setdefault((run["cell"], run.get("cpu")), {})[run["seed"]] = figures
    return cells


def difference(cells, weights):
    """The row of a claim: its CPU, seeds, and the differences paired by seed.

    Runs of one kind of CPU are compared wherever it ran every seed of every cell; elsewhere the
    first that is listed of each cell.
    """
    for cpu in ("AVX-512", "AVX2", None, "both"):
        of = {
            cell: runs
            for (cell, ran_on), runs in reversed(cells.items())
            if len(runs) == 3 and (cpu == "both" or ran_on == cpu)
        }
        if weights.keys() <= of.keys():
            break
    of_seeds = [
        sum(weight * np.array(of[cell][seed]) for cell, weight in weights.items())
        for seed in range(3)
    ]
    return ([cpu] if cpu else []) + ["3", *map(interval, np.array(of_seeds).T)]


@pytest.mark.parametrize("part", ["todays_input", "other_forms"])
def test_the_page_shows_the_study_as_its_runs_have_it(part):
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    for (cell, cpu), runs in of_the_study(part).items():
        shown = " | ".join(map(spread, np.array(list(runs.values())).T))
        assert f"| {cpu} | {len(runs)} | {shown} |" in page, cell


def spread(values):
    mean = f"{values.mean():.2f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.2f}"


def test_claims_of_the_study_are_the_paired_differences_of_its_runs():
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    cells = of_the_study("todays_input")
    names = {cell for cell, _ in cells}
    shown = {
        claim.text: difference(cells, claim.weights)
        for claim in ablation_claims.about(names)
        if claim.weights.keys() <= names
    }
    assert len(shown) == 17
    assert [text for text, row in shown.items() if f"| {' | '.join(row)} |" not in page] == []
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert shown["Huber's cost in degrees helps"][2] in readme
    for of in ("as printed", "weight 1", "weight 9", "weight 49"):
        row = shown[f"ranking helps, {of}"]
        assert row[2] in readme and row[-1] in readme, of


def test_the_page_shows_the_whole_recipe_as_its_runs_have_it():
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    parts = ("dev_mae", "held_out_photos_mae", "held_out_mae")
    cells = {}
    for run in json.loads((ROOT / "docs/results/study.json").read_text())["converged"]["runs"]:
        figures = *(run[part]["mean"] for part in parts), 100 * run["held_out_ordered"]
        cells.setdefault(run["cell"], {})[run["seed"]] = figures
    assert {cell: sorted(runs) for cell, runs in cells.items()} == {
        "converged_ranking": [0, 1, 2],
        "converged_regression": [0, 1, 2],
    }
    for cell, runs in cells.items():
        shown = list(map(spread, np.array(list(runs.values())).T))
        assert f"| {len(runs)} | {' | '.join(shown)} |" in page, cell
        assert shown[0] in readme, cell
    with_it, without = (
        np.array(list(cells[f"converged_{of}"].values())) for of in ("ranking", "regression")
    )
    changed = list(map(interval, (with_it - without).T))
    assert f"| {' | '.join(changed)} |" in page
    assert changed[0] in readme and changed[-1] in readme


@pytest.mark.parametrize(
    ("part", "cell", "against"),
    [
        ("earlier_input", "study_ranking", "study_regression"),
        ("earlier_input", "study_ranking_9", "study_regression"),
        ("earlier_input", "study_ranking_49", "study_regression"),
        ("other_forms", "study_margin_9", "study_regression"),
        ("other_forms", "study_margin_9", "study_ranking_9"),
        ("other_forms", "study_decaying_9", "study_regression"),
        ("other_forms", "study_decaying_9", "study_ranking_9"),
        ("other_forms", "study_differing_9", "study_differing_regression"),
        ("other_forms", "study_differing_regression", "study_regression"),
        ("other_forms", "study_differing_9", "study_ranking_9"),
    ],
)
def test_other_forms_and_the_earlier_input_are_compared_as_their_runs_are(part, cell, against):
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    cells = of_the_study(part)
    if part == "other_forms":
        cells |= of_the_study("todays_input")
    assert f"| {' | '.join(difference(cells, {cell: 1, against: -1}))} |" in page


def test_a_run_again_on_its_machine_has_the_same_figures():
    ((cell, again),) = of_the_study("run_again").items()
    assert again == of_the_study("todays_input")[cell]


def interval(differences):
    """Mean of paired differences and its 95% interval by Student's t, as it is printed."""
    low, high = ablation_statistics.confidence_interval(list(differences))
    return f"{differences.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
