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
    """Cell -> seed -> MAE on the dev half, held-out MAE, share of held-out pairs in order."""
    cells = {}
    runs = json.loads((ROOT / "docs/results/study.json").read_text(encoding="utf-8"))[part]
    for run in runs["runs"] if part == "other_forms" else runs:
        figures = run["dev_mae"]["mean"], run["held_out_mae"]["mean"], 100 * run["held_out_ordered"]
        cells.setdefault(run["cell"], {})[run["seed"]] = figures
    return cells


@pytest.mark.parametrize("part", ["todays_input", "other_forms", "again_on_one_machine"])
def test_the_page_shows_the_study_as_its_runs_have_it(part):
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    for cell, runs in of_the_study(part).items():
        shown = " | ".join(map(spread, np.array(list(runs.values())).T))
        assert f"| {len(runs)} | {shown} |" in page, cell


def spread(values):
    mean = f"{values.mean():.2f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.2f}"


def test_claims_of_the_study_are_the_paired_differences_of_its_runs():
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    cells = of_the_study("todays_input")
    shown = {}
    on_one_machine = cells | {
        "study_regression": of_the_study("again_on_one_machine")["study_regression"]
    }
    for claim in ablation_claims.about(cells):
        if not claim.weights.keys() <= cells.keys():
            continue
        of = on_one_machine if "weight" in claim.text else cells
        of_seeds = [
            sum(weight * np.array(of[cell][seed]) for cell, weight in claim.weights.items())
            for seed in range(3)
        ]
        shown[claim.text] = list(map(interval, np.array(of_seeds).T))
        assert f"| 3 | {' | '.join(shown[claim.text])} |" in page, claim.text
    assert len(shown) == 17
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert shown["Huber's cost in degrees helps"][0] in readme
    printed = shown["ranking helps, as printed"]
    assert printed[0] in readme and printed[-1] in readme


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
    ("part", "cell", "alone_part", "alone"),
    [
        *(
            (part, cell, alone_part, "study_regression")
            for part, alone_part, cells in (
                ("earlier_input", "earlier_input", ("ranking", "ranking_9", "ranking_49")),
                ("todays_input", "again_on_one_machine", ("ranking", "ranking_9", "ranking_49")),
                ("other_forms", "again_on_one_machine", ("margin_9", "decaying_9")),
            )
            for cell in (f"study_{name}" for name in cells)
        ),
        ("other_forms", "study_differing_9", "other_forms", "study_differing_regression"),
    ],
)
def test_what_ranking_changes_is_the_paired_difference_of_the_runs(part, cell, alone_part, alone):
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    with_it, without = of_the_study(part)[cell], of_the_study(alone_part)[alone]
    differences = np.array([np.subtract(with_it[seed], without[seed]) for seed in range(3)])
    degrees, held_out, ordered = map(interval, differences.T)
    assert f"| {degrees} | {held_out} | {ordered} |" in page
    assert part != "todays_input" or (degrees in readme and ordered in readme)


def test_a_run_again_on_its_machine_has_the_same_figures():
    again = of_the_study("again_on_one_machine")["study_ranking_9"]
    assert again == of_the_study("todays_input")["study_ranking_9"]


def interval(differences):
    """Mean of paired differences and its 95% interval by Student's t, as it is printed."""
    low, high = ablation_statistics.confidence_interval(list(differences))
    return f"{differences.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
