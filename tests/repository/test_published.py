"""What the documents show of an ablation is what its files hold, and those are what was written."""

import json
import pathlib

import pytest

from rankpose_tf.studies import ablation_claims, ablation_table

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / "docs/results/ablation"
TABLE_3 = [title for name, title in ablation_claims.TITLES.items() if name.startswith("table3")]


@pytest.fixture(scope="module")
def result():
    return json.loads((RESULTS / "ablation.json").read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_figures(result):
    assert (RESULTS / "table.md").read_text(encoding="utf-8") == ablation_table.markdown(result)
    written = (RESULTS / "table.csv").read_text(encoding="utf-8")
    assert written == ablation_table.comma_separated(result)


def test_every_cell_is_there_with_three_seeds(result):
    early = {name for name in ablation_claims.TITLES if not name.startswith("study_")}
    assert early == set(result["cells"])
    for cell in result["cells"].values():
        assert len(cell["runs"]) >= 3, cell["title"]


def test_the_page_shows_every_row_of_the_table():
    page = (ROOT / "docs/ablation.md").read_text(encoding="utf-8").splitlines()
    rows = [
        line for line in (RESULTS / "table.md").read_text().splitlines() if line.startswith("|")
    ]
    assert [row for row in rows if row not in page] == []


def test_the_readme_shows_table_3_with_its_figures():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in (RESULTS / "table.md").read_text().splitlines()]
    shown = [row for row in rows if row[0].removeprefix("| ") in TABLE_3]
    assert len(shown) == 6
    for title, _, yaw, pitch, roll, mean, _, held_out, ordered in shown:
        assert " | ".join([title, yaw, pitch, roll, mean, held_out, ordered[:-2]]) in readme
