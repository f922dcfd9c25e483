"""What is written of the shipped model is what its committed results say."""

import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "compact"


def flags_of(path):
    """Flag -> value of a flagfile; a number where it is one, True where there is none."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    found = {}
    for name, _, value in (line[2:].partition("=") for line in lines if line.startswith("--")):
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value or "True"
    return found


def errors(mae):
    return " | ".join(f"{mae[name]:.2f}" for name in ("yaw", "pitch", "roll"))


@pytest.fixture(scope="module")
def evaluation():
    return json.loads((RESULTS / "evaluation.json").read_text())


def test_the_flagfile_is_the_recipe_that_the_run_recorded():
    recipe = flags_of(ROOT / "flags" / "compact.cfg")
    recorded = flags_of(RESULTS / "flags.cfg")
    assert len(recipe) > 10
    assert {name: recorded[name] for name in recipe} == recipe


def test_readme_and_flagfile_have_the_figures_of_the_evaluation(evaluation):
    mean = f"{evaluation['mae']['mean']:.2f}"
    row = f"| **compact, `flags/compact.cfg`** | {errors(evaluation['mae'])} | **{mean}** |"
    assert row in (ROOT / "README.md").read_text()
    held_out = json.loads((RESULTS / "result.json").read_text())["held_out"]
    header = (ROOT / "flags" / "compact.cfg").read_text().partition("--tower")[0]
    for figure in (
        mean,
        f"{held_out['mae']['mean']:.2f}",
        f"{held_out['first_views']['mae']['mean']:.2f}",
    ):
        assert figure in header


def test_the_model_card_has_every_row_of_the_evaluation(evaluation):
    card = (ROOT / "docs" / "model_card.md").read_text()
    assert len(evaluation["by_yaw"]) == 7
    for row in evaluation["by_yaw"]:
        mean = f"{row['mae']['mean']:.2f}"
        assert f"| {row['images']} | {errors(row['mae'])} | {mean} |" in card
    mae = evaluation["mae"]
    assert f"| {evaluation['images']} | {errors(mae)} | **{mae['mean']:.2f}** |" in card
