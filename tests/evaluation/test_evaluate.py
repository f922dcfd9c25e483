"""The evaluation of a model: figures, files, protocol names, and what is refused."""

import csv
import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records
from rankpose_tf.evaluation import files as evaluation_files
from rankpose_tf.evaluation import metrics
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.models.saving import save_model
from rankpose_tf.models.towers import build_tower
from tests.support.doors import run_door

# Degrees: identity -> views; "b" has one over the limit of 99 degrees.
POSES = {
    "a": [(10.0, 5.0, -5.0), (-40.0, 0.0, 2.0)],
    "b": [(0.0, 20.0, 1.0), (120.0, 0.0, 0.0), (80.0, -10.0, 4.0)],
    "c": [(98.9, 1.0, 1.0)],
}
WITHIN = [pose for poses in POSES.values() for pose in poses if max(map(abs, pose)) <= 99]
SKIPPED = {"broken picture": 2, "label out of range": 1}


def _prepare(folder, poses=POSES, image=None):
    """A prepared folder as rankpose_tf.prepare leaves it; every picture is grey."""
    folder.mkdir()
    grey = cv2.imencode(".png", np.full((40, 40, 3), 128, np.uint8))[1].tobytes()
    box = np.array([10, 10, 30, 30], np.float32)
    identities = [
        records.Identity(
            name,
            name,
            tuple(
                records.View(f"{name}_{i}.png", image or grey, np.radians(p).astype("f4"), box)
                for i, p in enumerate(views)
            ),
        )
        for name, views in poses.items()
    ]
    shard = prepared_folder.shard_name(0, 1)
    records.write_shard(folder / shard, identities)
    views = [pose for of_one in poses.values() for pose in of_one]
    description = {
        "format_version": prepared_folder.FORMAT_VERSION,
        "kind": "aflw2000",
        "source": "faces.zip",
        "protocol_set": "AFLW2000-3D",
        "box_source": "pt3d_68",
        "identities": len(identities),
        "views": len(views),
        "views_within_limit": sum(max(map(abs, pose)) <= 99 for pose in views),
        "skipped": SKIPPED,
        "shards": [{"file": shard, "identities": len(identities), "views": len(views)}],
        "minimum_views": 1,
    }
    files.write_json(folder / "dataset.json", description)
    return folder


@pytest.fixture
def data(tmp_path):
    return _prepare(tmp_path / "prepared")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A .keras file of an untrained compact tower of 32 pixels."""
    path = tmp_path_factory.mktemp("model") / "best.keras"
    about = {"tower": "compact", "input_size": 32, "transform": "linear", "crop_scale": 1.25}
    save_model(build_tower("compact", 32, "linear", "none"), path, about)
    return path


@pytest.fixture
def workdir(tmp_path, trained):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "best.keras").write_bytes(trained.read_bytes())
    return folder


class Constant:
    """A model that sees every head in one pose."""

    def __init__(self, *degrees):
        self.radians = np.radians(degrees).astype(np.float32)
        self.shapes = []

    def predict_on_batch(self, images):
        self.shapes.append(tuple(images.shape))
        return np.tile(self.radians, (len(images), 1))


@pytest.fixture
def constant(monkeypatch):
    network = Constant(1.0, 2.0, 3.0)
    monkeypatch.setattr(evaluation, "load_model", lambda path, errors: (network, {}))
    return network


def _contents(folder):
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*"))


def test_protocol_name_tells_set_crop_and_filter():
    assert (
        evaluation.protocol_name("AFLW2000-3D", "pt3d_68", 1.4, True)
        == "AFLW2000-3D, square crop 1.4 x landmark box (pt3d_68), |angle| <= 99 degrees"
    )
    assert (
        evaluation.protocol_name("faces.csv", "manifest", 1.0, False)
        == "faces.csv, square crop 1 x box (manifest), all angles"
    )


def test_result_holds_figures_protocol_and_what_was_left_out(data, workdir, constant):
    result, out = evaluation.evaluate(model=workdir, data=data)
    yaw, pitch, roll = np.abs(np.array(WITHIN) - [1, 2, 3]).mean(axis=0)
    assert result["mae"] == pytest.approx(
        {"yaw": yaw, "pitch": pitch, "roll": roll, "mean": (yaw + pitch + roll) / 3}, abs=1e-4
    )
    assert result["images"] == len(WITHIN)
    assert result["left_out"] == {
        "an angle over 99 degrees": 1,
        "prepare: broken picture": 2,
        "prepare: label out of range": 1,
    }
    assert result["protocol"] == evaluation.protocol_name("AFLW2000-3D", "pt3d_68", 1.25, True)
    assert result["crop"] == {"boxes": "pt3d_68", "scale": 1.25}
    assert (result["model"], result["data"]) == ("run", "prepared")
    assert set(result["versions"]) == {"rankpose_tf", "tensorflow", "keras"}
    assert json.loads((out / "evaluation.json").read_text()) == result


def test_results_name_no_folder_of_the_machine(data, workdir, constant, tmp_path):
    _, out = evaluation.evaluate(model=workdir, data=data)
    for name in ("evaluation.json", "predictions.csv"):
        assert str(tmp_path) not in (out / name).read_text()


def test_predictions_csv_has_one_row_a_picture_in_degrees(data, workdir, constant):
    result, out = evaluation.evaluate(model=workdir, data=data)
    with (out / "predictions.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["image"], row["identity"]) for row in rows} == {
        (f"{name}_{index}.png", name)
        for name, poses in POSES.items()
        for index, pose in enumerate(poses)
        if pose in WITHIN
    }
    for column, angle in enumerate(metrics.COLUMNS[:3]):
        true = [float(row[f"true_{angle}"]) for row in rows]
        assert sorted(true) == pytest.approx(sorted(p[column] for p in WITHIN), abs=1e-3)
        assert {float(row[f"predicted_{angle}"]) for row in rows} == {column + 1.0}
    for key in metrics.COLUMNS:
        errors = [float(row[f"error_{key}"]) for row in rows]
        assert np.mean(errors) == pytest.approx(result["mae"][key], abs=1e-3)


def test_without_the_filter_every_prepared_picture_is_scored(data, workdir, constant):
    result, _ = evaluation.evaluate(model=workdir, data=data, filter_angles=False)
    assert result["images"] == sum(map(len, POSES.values()))
    assert result["left_out"] == {f"prepare: {why}": count for why, count in SKIPPED.items()}
    assert result["filter"] == {"angles": False, "limit_degrees": None}
    assert result["protocol"].endswith("all angles")


def test_the_model_gets_crops_of_its_own_size_in_batches(data, workdir, constant):
    evaluation.evaluate(model=workdir, data=data, batch_size=2)
    assert constant.shapes == [(2, 32, 32, 3)] * (len(WITHIN) // 2) + [(1, 32, 32, 3)]


def test_batch_size_changes_no_prediction_of_a_real_model(data, workdir):
    results = [
        evaluation.evaluate(model=workdir, data=data, batch_size=size)[0]["mae"] for size in (1, 4)
    ]
    assert results[0] == pytest.approx(results[1], abs=1e-2)


def test_crop_scale_given_goes_before_the_models_own(data, workdir, constant):
    result, _ = evaluation.evaluate(model=workdir, data=data, crop_scale=1.6)
    assert result["crop"]["scale"] == 1.6
    assert "square crop 1.6 x" in result["protocol"]


def test_a_named_protocol_sets_crop_and_filter_and_is_in_the_result(data, workdir, constant):
    name = "aflw2000_all_angles"
    result, out = evaluation.evaluate(model=workdir, data=data, protocol=name)
    line = evaluation.protocol_name("AFLW2000-3D", "pt3d_68", 1.4, False)
    assert (result["protocol_name"], result["protocol"]) == (name, f"{name}: {line}")
    assert result["images"] == sum(map(len, POSES.values()))
    assert evaluation.table(result).splitlines()[0] == result["protocol"]
    assert json.loads((out / "evaluation.json").read_text())["protocol_name"] == name


def test_a_result_without_a_named_protocol_says_so(data, workdir, constant):
    result, _ = evaluation.evaluate(model=workdir, data=data)
    assert result["protocol_name"] is None


def test_a_protocol_of_other_boxes_leaves_no_result(data, workdir, constant):
    before = _contents(workdir)
    with pytest.raises(RankPoseError, match="--landmarks=pt2d_hopenet"):
        evaluation.evaluate(model=workdir, data=data, protocol="hopenet")
    assert (_contents(workdir), constant.shapes) == (before, [])


def test_a_second_result_lies_beside_the_first(data, workdir, constant):
    outs = [evaluation.evaluate(model=workdir, data=data)[1] for _ in range(3)]
    assert [out.name for out in outs] == [
        "evaluation-AFLW2000-3D",
        "evaluation-AFLW2000-3D-2",
        "evaluation-AFLW2000-3D-3",
    ]
    assert {out.parent for out in outs} == {workdir}


def test_model_file_gets_its_result_in_its_own_folder(data, workdir, constant):
    _, out = evaluation.evaluate(model=workdir / "best.keras", data=data)
    assert out == workdir / "evaluation-AFLW2000-3D"


def test_out_that_holds_something_is_refused_before_anything_is_read(
    data, workdir, constant, tmp_path
):
    out = tmp_path / "result"
    evaluation.evaluate(model=workdir, data=data, out=out)
    before = (out / "evaluation.json").read_bytes()
    constant.shapes.clear()
    with pytest.raises(RankPoseError, match="out: .*not empty.*pass a new folder"):
        evaluation.evaluate(model=workdir, data=data, out=out)
    assert (out / "evaluation.json").read_bytes() == before
    assert constant.shapes == []


def test_out_inside_a_file_is_refused(data, workdir, constant, tmp_path):
    (tmp_path / "note").write_text("kept")
    with pytest.raises(RankPoseError, match="out: .*is a file"):
        evaluation.evaluate(model=workdir, data=data, out=tmp_path / "note" / "result")


def test_folder_that_cannot_be_written_is_refused_before_the_model_runs(
    data, workdir, constant, monkeypatch
):
    # Permissions can't be taken from root, who may run the tests.
    monkeypatch.setattr(evaluation_files.files.os, "access", lambda path, mode: False)
    with pytest.raises(RankPoseError, match="out: can't write to .*run'; pass another folder"):
        evaluation.evaluate(model=workdir, data=data)
    assert constant.shapes == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop_scale": 0.0}, "crop_scale: .*received 0"),
        ({"crop_scale": float("nan")}, "crop_scale: .*received nan"),
        ({"batch_size": 0}, "batch_size: .*received 0"),
    ],
)
def test_values_that_make_no_crop_are_refused(data, workdir, constant, arguments, message):
    before = _contents(workdir)
    with pytest.raises(RankPoseError, match=message):
        evaluation.evaluate(model=workdir, data=data, **arguments)
    assert _contents(workdir) == before


def test_predictions_that_are_not_finite_leave_no_result(data, workdir, monkeypatch):
    network = Constant(np.nan, 0.0, 0.0)
    monkeypatch.setattr(evaluation, "load_model", lambda path, errors: (network, {}))
    before = _contents(workdir)
    with pytest.raises(RankPoseError, match=r"predicted: 5 of 5 .*first is '[abc]_\d.png'"):
        evaluation.evaluate(model=workdir, data=data)
    assert _contents(workdir) == before


def test_archive_as_data_is_answered_with_the_command_to_prepare_it(workdir, tmp_path):
    archive = tmp_path / "my faces.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(RankPoseError, match=r"rankpose_tf\.prepare --source='.*my faces\.zip'"):
        evaluation.evaluate(model=workdir, data=archive)


def test_folder_of_pictures_as_data_is_answered_with_prepare(workdir, tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(RankPoseError, match="data: .*rankpose_tf.prepare"):
        evaluation.evaluate(model=workdir, data=tmp_path / "pictures")


def test_set_without_a_picture_within_the_filter_is_refused(workdir, tmp_path):
    data = _prepare(tmp_path / "over", {"a": [(120.0, 0.0, 0.0)]})
    with pytest.raises(RankPoseError, match="no picture to test on: 1 were prepared"):
        evaluation.evaluate(model=workdir, data=data)


def test_truncated_shard_is_one_sentence_and_leaves_no_result(data, workdir, constant):
    shard = data / prepared_folder.shard_name(0, 1)
    shard.write_bytes(shard.read_bytes()[:-20])
    before = _contents(workdir)
    with pytest.raises(RankPoseError, match="data: the shards .* can't be read"):
        evaluation.evaluate(model=workdir, data=data)
    assert _contents(workdir) == before


def test_picture_that_does_not_decode_is_one_sentence(workdir, constant, tmp_path):
    data = _prepare(tmp_path / "broken", {"a": [(0.0, 0.0, 0.0)]}, image=b"no picture")
    with pytest.raises(RankPoseError, match="data: the shards .* can't be read"):
        evaluation.evaluate(model=workdir, data=data)


def test_shards_with_fewer_pictures_than_described_are_refused(data, workdir, constant):
    (data / prepared_folder.shard_name(0, 1)).write_bytes(b"")
    with pytest.raises(RankPoseError, match="holds 0 pictures where its dataset.json says 5"):
        evaluation.evaluate(model=workdir, data=data)


def test_table_shows_the_protocol_the_counts_and_every_angle(data, workdir, constant):
    result, _ = evaluation.evaluate(model=workdir, data=data)
    text = evaluation.table(result)
    assert text.splitlines()[0] == result["protocol"]
    assert "5 images; left out: 1 (an angle over 99 degrees), 2 (prepare: broken picture)" in text
    mae = next(line for line in text.splitlines() if line.startswith("mae"))
    assert mae.split()[1:] == [f"{result['mae'][a]:.2f}" for a in metrics.COLUMNS]


@pytest.mark.end_to_end
def test_command_prints_the_table_and_where_the_result_lies(data, workdir, tmp_path):
    out = tmp_path / "deep" / "result"
    done = subprocess.run(
        [sys.executable, "-m", "rankpose_tf.evaluate", f"--model={workdir}", f"--data={data}",
         f"--out={out}", "--batch_size=2"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("AFLW2000-3D, square crop 1.25 x landmark box")
    assert done.stdout.splitlines()[-1] == str(out / "evaluation.json")
    assert _contents(out) == ["evaluation.json", "predictions.csv"]


def test_command_with_plots_leaves_pictures_beside_the_result(data, workdir, tmp_path):
    out = tmp_path / "result"
    done = run_door("evaluate", f"--model={workdir}", f"--data={data}", f"--out={out}", "--plots")
    assert done.returncode == 0, done.stderr
    pictures = ["cumulative_error.png", "error_by_angle.png", "grid.png", "worst.png"]
    assert _contents(out) == sorted([*pictures, "evaluation.json", "predictions.csv"])
    assert all(cv2.imread(str(out / name)) is not None for name in pictures)


def test_command_scores_another_systems_angles_without_a_model(data, tmp_path):
    angles = tmp_path / "angles.csv"
    names = [f"{name}_{n}" for name, poses in POSES.items() for n in range(len(poses))]
    angles.write_text("image,yaw,pitch,roll\n" + "".join(f"{name},4,5,6\n" for name in names))
    given = [f"--predictions={angles}", f"--data={data}", "--protocol=rankpose"]
    done = run_door("evaluate", *given)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first == "rankpose: AFLW2000-3D, another system's crops, |angle| <= 99 degrees"
    assert last == str(tmp_path / "evaluation-AFLW2000-3D" / "evaluation.json")


def test_a_crop_is_refused_beside_predictions(data):
    given = ["--predictions=angles.csv", f"--data={data}", "--crop_scale=1.4"]
    done = run_door("evaluate", *given)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: crop_scale: with --predictions no model is run")


def test_command_ends_a_mistake_with_one_sentence_and_exit_code_1(data, tmp_path):
    done = run_door("evaluate", f"--model={tmp_path / 'absent'}", f"--data={data}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: model: ") and "absent" in last
    assert "Traceback" not in done.stderr


def test_beside_the_model_of_the_package_nothing_is_written(prepared, tmp_path):
    refused = run_door("evaluate", f"--data={prepared}")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: out: pass --out=FOLDER")
    run = run_door("evaluate", f"--data={prepared}", f"--out={tmp_path / 'test'}")
    assert run.returncode == 0 and "MAE by true yaw" in run.stdout
    assert (tmp_path / "test" / "evaluation.json").is_file()
