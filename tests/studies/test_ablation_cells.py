"""Cells of an ablation: what their flagfiles set, and in which order they run."""

import pathlib

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import ablation_cells, ablation_claims

FLAGS = pathlib.Path(__file__).resolve().parents[2] / "flags"
RECIPE = FLAGS / "ablation_small.cfg"
STUDY = FLAGS / "study.cfg"
DEFAULTS = {
    "beta": 0.5,
    "transform": "arccos",
    "loss_unit": "radians",
    "pairs": "identity",
    "training_identities": 0,
}
# What each cell is, beside the defaults of rankpose_tf.train.
CELLS = {
    **{f"table3_mse_{name}": {"beta": 1.0, "transform": name}
       for name in ("linear", "cosine", "arccos")},
    **{f"table3_ranking_{name}": {"transform": name} for name in ("linear", "cosine", "arccos")},
    "ablation_degrees_mse": {"beta": 1.0, "loss_unit": "degrees"},
    "ablation_degrees_ranking": {"loss_unit": "degrees"},
    "ablation_beta01": {"beta": 0.1},
    "ablation_beta09": {"beta": 0.9},
    "ablation_any_pairs": {"pairs": "any"},
    "ablation_separate_mse": {"beta": 1.0, "separate_features": "True"},
    "ablation_separate_ranking": {"separate_features": "True"},
    **{f"ablation_identities{count}_{loss}": {"training_identities": count, **beta}
       for count in (250, 1000) for loss, beta in (("mse", {"beta": 1.0}), ("ranking", {}))},
}  # fmt: skip


def cells():
    patterns = [str(FLAGS / "table3_*.cfg"), str(FLAGS / "ablation_*.cfg")]
    return ablation_cells.cell_files(patterns, RECIPE)


def write(folder, **contents):
    for name, text in contents.items():
        (folder / f"{name}.cfg").write_text(text)
    return {name: folder / f"{name}.cfg" for name in contents}


def study_cells():
    return ablation_cells.cell_files([str(FLAGS / "study_*.cfg")], STUDY)


def test_the_cells_are_those_of_the_table_and_the_recipe_is_none():
    assert set(cells()) == set(CELLS)
    converged = ablation_cells.cell_files([str(FLAGS / "converged_*.cfg")], FLAGS / "compact.cfg")
    named = set(CELLS) | set(study_cells()) | set(converged)
    assert named == set(ablation_claims.TITLES)
    compared = {cell for claim in ablation_claims.claims() for cell in claim.weights}
    assert compared == named


def test_the_cells_of_the_study_decide_the_same_options_each():
    base = flag_values(STUDY)
    decided = {name: flag_values(path) for name, path in study_cells().items()}
    shared = {"beta", "transform", "separate_features", "loss_unit", "regression",
              "first_view_probability", "rotation_probability"}  # fmt: skip
    for name, values in decided.items():
        assert shared <= values.keys() <= shared | {"pairs", "rotation_degrees"}, name
        assert base.keys().isdisjoint(values), name


def flag_values(path):
    """Flag -> text; a flag with "no" before it is False."""
    lines = [line.lstrip("-").partition("=") for line in ablation_cells.flag_lines(path)]
    return {name.removeprefix("no"): value or str(not name.startswith("no"))
            for name, _, value in lines}  # fmt: skip


def test_claims_about_cells_that_are_in_no_table_are_left_out_of_it():
    texts = [claim.text for claim in ablation_claims.about(["study_pairs_any", "my_own"])]
    assert texts == ["pairs of one identity help"]
    assert ablation_claims.about(["my_own"]) == []


@pytest.mark.parametrize("recipe", ["ablation_small", "paper"])
@pytest.mark.parametrize("name", sorted(CELLS))
def test_a_cell_differs_from_the_recipe_only_in_what_it_names(name, recipe):
    def settings(*files):
        lines = [line for file in files for line in ablation_cells.flag_lines(file)]
        found = {**DEFAULTS, **dict(line.lstrip("-").split("=", 1) for line in lines)}
        return {key: type(DEFAULTS.get(key, ""))(value) for key, value in found.items()}

    base = FLAGS / f"{recipe}.cfg"
    assert settings(base, FLAGS / f"{name}.cfg") == {**settings(base), **CELLS[name]}


def test_the_paper_s_figures_are_those_of_its_table():
    # The paper's mean is that of its three angles, of which it shows two digits.
    for table in ablation_claims.PAPER.values():
        assert set(table) == {name for name in CELLS if name.startswith("table3")}
        for *angles, mean in table.values():
            assert mean == pytest.approx(sum(angles) / 3, abs=0.01)


def test_headers_of_the_cells_show_the_paper_s_figures():
    for dataset, table in ablation_claims.PAPER.items():
        for name, figures in table.items():
            header = (FLAGS / f"{name}.cfg").read_text().partition(f"{dataset} ")[2]
            shown = [float(figure.strip(" .;\n")) for figure in header.split("/")[:3]]
            assert shown == list(figures[:3])


def test_runs_come_seed_by_seed(tmp_path):
    files = write(tmp_path, recipe="--epochs=2\n", a="--beta=1\n", b="--beta=0.5\n")
    recipe = files.pop("recipe")
    runs = ablation_cells.list_runs(
        workdir=tmp_path / "runs", recipe=recipe, cells=files, seeds=[3, 1], data="data/faces"
    )
    order = [(3, "a"), (3, "b"), (1, "a"), (1, "b")]
    assert [(run.seed, run.cell) for run in runs] == order
    assert runs[0].lines == ("--epochs=2", "--beta=1", "--data=data/faces", "--seed=3")
    assert runs[0].workdir == tmp_path / "runs" / "a" / "seed_3"
    assert runs[0].settings == tmp_path / "runs" / "a" / "seed_3.cfg"


def test_a_cell_may_not_train_longer_or_larger_than_another(tmp_path):
    files = write(tmp_path, recipe="--epochs=2\n", a="--photo_epochs=3\n--tower=compact\n")
    recipe = files.pop("recipe")
    with pytest.raises(RankPoseError, match="a.cfg' sets --tower, --photo_epochs, which all cells"):
        ablation_cells.list_runs(workdir=tmp_path, recipe=recipe, cells=files, seeds=[0], data="d")


@pytest.mark.parametrize("seeds", [[], [1, 2, 1]])
def test_seeds_are_different(tmp_path, seeds):
    files = write(tmp_path, recipe="--epochs=2\n", a="--beta=1\n")
    given = {"workdir": tmp_path, "recipe": files.pop("recipe"), "cells": files, "data": "d"}
    with pytest.raises(RankPoseError, match="seeds: expected different whole numbers"):
        ablation_cells.list_runs(**given, seeds=seeds)


def test_a_pattern_without_a_file_and_two_cells_of_one_name_are_refused(tmp_path):
    write(tmp_path, a="--beta=1\n")
    (tmp_path / "more").mkdir()
    write(tmp_path / "more", a="--beta=0.5\n")
    with pytest.raises(RankPoseError, match=r"cells: no flagfile matches .*x\*.cfg"):
        ablation_cells.cell_files([str(tmp_path / "x*.cfg")], "recipe.cfg")
    with pytest.raises(RankPoseError, match="have one name"):
        ablation_cells.cell_files([str(tmp_path / "a.cfg"), str(tmp_path / "*/a.cfg")], "r.cfg")
    with pytest.raises(RankPoseError, match="flagfile: there is no file"):
        ablation_cells.flag_lines(tmp_path / "absent.cfg")
