"""The table of an ablation from figures that are given, some of them absent."""

import csv
import io
import json
import statistics

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import ablation_cells, ablation_runs, ablation_table

LINEAR, RANKING = "table3_mse_linear", "table3_ranking_linear"


@pytest.fixture
def runs(tmp_path):
    cells = {}
    for name in (LINEAR, RANKING, "of_my_own"):
        cells[name] = tmp_path / f"{name}.cfg"
        cells[name].write_text("--beta=1\n")
    return ablation_cells.list_runs(
        workdir=tmp_path / "runs", recipe=cells[LINEAR], cells=cells, seeds=[0, 1], data="faces"
    )


@pytest.fixture
def aflw2000(tmp_path):
    """A prepared folder that calls itself AFLW2000-3D; its shards are never opened here."""
    folder = tmp_path / "aflw2000"
    folder.mkdir()
    about = {"format_version": 1, "kind": "aflw2000", "protocol_set": "AFLW2000-3D",
             "box_source": "pt3d_68", "identities": 1, "views": 994, "views_within_limit": 979,
             "skipped": {}, "shards": []}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def finish(run, aflw2000, mean, ordered=0.8, protocol="the protocol"):
    """Writes what a training and a test leave behind."""
    folder = ablation_runs.evaluation_folder(run, aflw2000)
    folder.mkdir(parents=True)
    mae = {"yaw": mean - 1, "pitch": mean + 1, "roll": mean, "mean": mean}
    tested = {"protocol": protocol, "set": "AFLW2000-3D", "crop": {"boxes": "pt3d_68"},
              "images": 979, "mae": mae}  # fmt: skip
    (folder / "evaluation.json").write_text(json.dumps(tested))
    best = {"val_mae": mean + 3, "val_ordered": ordered}
    trained = {"best": best, "best_epoch": 2, "seconds": 9, "steps": 60, "training_set": "faces"}
    (run.workdir / "result.json").write_text(json.dumps(trained))


@pytest.mark.parametrize(
    ("held_out", "shown"),
    [
        ({"mae": {"mean": 3.29}, "ordered": 0.93}, ["3.29", "93.00"]),
        # As result.json was before it had the order; and before it had held-out figures.
        ({"mae": {"mean": 3.29}}, ["3.29", "not run"]),
        ({}, ["not run", "not run"]),
    ],
)
def test_what_is_held_out_is_of_all_views_and_pairs_where_photos_chose_the_epoch(
    runs, aflw2000, held_out, shown
):
    run = run_of(runs, LINEAR, 0)
    finish(run, aflw2000, 7.0, ordered=0.0)
    path = run.workdir / "result.json"
    trained = json.loads(path.read_text()) | {"recipe": {"photo_epochs": 8}, "held_out": held_out}
    path.write_text(json.dumps(trained))
    text = ablation_table.markdown(ablation_table.summarise(runs, aflw2000))
    assert cells_of(text, "MSE")[-2:] == shown


def run_of(runs, cell, seed):
    return next(run for run in runs if (run.cell, run.seed) == (cell, seed))


def cells_of(text, title):
    line = next(line for line in text.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_shows_mean_spread_the_paper_s_figures_and_the_protocol(runs, aflw2000):
    for seed, mean in ((0, 7.0), (1, 8.0)):
        finish(run_of(runs, LINEAR, seed), aflw2000, mean)
        finish(run_of(runs, RANKING, seed), aflw2000, mean - 1 - seed, ordered=0.9)
    text = ablation_table.markdown(ablation_table.summarise(runs, aflw2000))
    assert "the protocol; 979 pictures; trained on faces, 60 steps a run." in text
    deviation = statistics.stdev([7, 8])
    spread = [f"{mean:.2f} ± {deviation:.2f}" for mean in (6.5, 8.5, 7.5, 7.5)]
    paper = "3.52 / 6.56 / 4.49 / 4.85"
    held_out = f"{7.5 + 3:.2f} ± {deviation:.2f}"
    assert cells_of(text, "MSE") == ["MSE", "2", *spread, paper, held_out, "80.00 ± 0.00"]
    claim = cells_of(text, "ranking helps, linear")
    half = 12.706205 * statistics.stdev([-1, -2]) / 2**0.5
    interval = f"-1.50 [{-1.5 - half:+.2f}, {-1.5 + half:+.2f}]: not seen"
    expected = ["2", interval, interval, "+10.00 [+10.00, +10.00]: difference seen"]
    assert claim[1:] == expected


def test_what_is_not_finished_is_not_run_and_no_crash(runs, aflw2000):
    finish(run_of(runs, LINEAR, 0), aflw2000, 7.0)
    text = ablation_table.markdown(ablation_table.summarise(runs, aflw2000))
    assert cells_of(text, "MSE")[1:6] == ["1", "6.00", "8.00", "7.00", "7.00"]
    assert cells_of(text, "Ranking loss + MSE")[1:6] == ["0", *["not run"] * 4]
    assert cells_of(text, "of_my_own")[1:7] == ["0", *["not run"] * 4, "-"]
    assert cells_of(text, "ranking helps")[1:] == ["0", *["not run"] * 3]


def test_without_any_result_the_files_are_written_all_the_same(runs, aflw2000, tmp_path):
    text = ablation_table.write(tmp_path / "out", runs, aflw2000, ["--epochs=2"])
    assert "Nothing is finished yet on AFLW2000-3D." in text
    result = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert result["protocol"] is None and result["recipe"] == ["--epochs=2"]
    assert {claim["mean"]["verdict"] for claim in result["comparisons"]} == {"not run"}


def test_the_three_files_hold_the_same_figures(runs, aflw2000, tmp_path):
    finish(run_of(runs, LINEAR, 0), aflw2000, 7.0)
    finish(run_of(runs, LINEAR, 1), aflw2000, 9.0)
    out = tmp_path / "out"
    ablation_table.write(out, runs, aflw2000, [])
    names = {"table.md", "table.csv", "ablation.json"}
    assert {path.name for path in out.iterdir()} == names
    row, other, _ = csv.DictReader(io.StringIO((out / "table.csv").read_text()))
    assert (row["cell"], row["runs"]) == (LINEAR, "2")
    assert float(row["pitch_mean"]) == 9 and float(row["paper_pitch"]) == 6.56
    assert float(row["mean_deviation"]) == pytest.approx(statistics.stdev([7, 9]), abs=1e-4)
    assert (other["cell"], other["mean_mean"], other["mean_deviation"]) == (RANKING, "", "")
    cell = json.loads((out / "ablation.json").read_text())["cells"][LINEAR]
    assert cell["summary"]["pitch"]["mean"] == 9 and cell["runs"]["1"]["mean"] == 9


def test_runs_of_different_protocols_are_not_put_into_one_table(runs, aflw2000):
    finish(run_of(runs, LINEAR, 0), aflw2000, 7.0)
    finish(run_of(runs, LINEAR, 1), aflw2000, 7.0, protocol="another")
    with pytest.raises(RankPoseError, match="eval_data: .*not trained and tested alike.*another"):
        ablation_table.summarise(runs, aflw2000)


def test_a_run_with_other_flags_is_not_put_into_the_table(runs, aflw2000):
    run = run_of(runs, LINEAR, 0)
    finish(run, aflw2000, 7.0)
    (run.workdir / "last.keras").touch()
    run.settings.write_text("\n".join([*run.lines, "--epochs=9"]))
    with pytest.raises(RankPoseError, match="other flags .--epochs=9."):
        ablation_table.summarise(runs, aflw2000)
