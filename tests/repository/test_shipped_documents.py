"""What is written of the shipped models is what their committed results say."""

import json
import pathlib

import pytest

from rankpose_tf.models import shipped

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"


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


@pytest.fixture(params=shipped.MODELS)
def name(request):
    return request.param


@pytest.fixture
def evaluation(name):
    return json.loads((RESULTS / name / "evaluation.json").read_text())


def test_the_flagfile_is_the_recipe_that_the_run_recorded(name):
    recipe = flags_of(ROOT / "flags" / f"{name}.cfg")
    recorded = flags_of(RESULTS / name / "flags.cfg")
    assert len(recipe) > 10
    assert {name: recorded[name] for name in recipe} == recipe


def test_readme_and_flagfile_have_the_figures_of_the_evaluation(name, evaluation):
    mean = f"{evaluation['mae']['mean']:.2f}"
    row = f"| **{name}, `flags/{name}.cfg`** | {errors(evaluation['mae'])} | **{mean}** |"
    assert row in (ROOT / "README.md").read_text()
    held_out = json.loads((RESULTS / name / "result.json").read_text())["held_out"]
    header = (ROOT / "flags" / f"{name}.cfg").read_text().partition("--tower")[0]
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


def test_the_page_of_expected_errors_has_what_was_measured():
    page = (ROOT / "docs" / "expected_error.md").read_text()
    held_out = json.loads((RESULTS / "wide" / "error.json").read_text())["held_out"]
    dev = json.loads((RESULTS / "wide" / "evaluation.json").read_text())["expected_error"]
    for title, value in (
        ("errors within the expected", lambda one: f"{one['within']['mean']:.1%}"),
        ("most doubted tenth", lambda one: f"{one['doubted_tenth']['share_of_error']:.1%}"),
        ("that a tenth can carry", lambda one: f"{one['doubted_tenth']['possible']:.1%}"),
        ("other nine tenths", lambda one: f"{one['other_nine_tenths']['mae']:.2f}, "
         f"{one['other_nine_tenths']['lower']:.1%} lower"),
    ):  # fmt: skip
        assert f"{title} | {value(held_out)} | {value(dev)} |" in page
