"""The export command: what it writes, what it compares, and what it refuses."""

import json
import pathlib
import resource
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import synthetic
from rankpose_tf.exporting import comparison, formats, savedmodel
from rankpose_tf.exporting import run as exporting
from rankpose_tf.inference import runtimes
from tests.conftest import write_prepared
from tests.support.doors import run_door

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def small_model(one_block_model):
    return one_block_model


def export(small_model, out, **arguments):
    given = {"formats": ["savedmodel"], "time_files": False, **arguments}
    return exporting.export(model=small_model, out=out, **given)


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Prepared rendered heads, 208 views: enough to calibrate on."""
    folder = tmp_path_factory.mktemp("heads")
    write_prepared(folder, [list(synthetic.identities(52, views=4, seed=4, size=64))])
    return folder


@pytest.fixture(scope="module")
def exported(small_model, prepared, heads, tmp_path_factory):
    """A folder with all TFLite files and a SavedModel, and its report."""
    out = tmp_path_factory.mktemp("exported") / "new" / "folder"
    report = export(
        small_model,
        out,
        formats=["savedmodel", "tflite"],
        calibration_data=heads,
        calibration_views=200,
        eval_data=prepared,
    )
    return out, report


@pytest.fixture
def copied(exported, monkeypatch):
    """SavedModels are copies of what `exported` wrote, where it is no matter what is exported."""
    first = exported[0] / "savedmodel" / "rankpose" / "1"

    def write(network, description, path):
        shutil.copytree(first, path)

    monkeypatch.setattr(savedmodel, "write", write)


def test_the_default_formats_lie_where_they_are_said_to(exported):
    out, _ = exported
    assert sorted(path.name for path in out.iterdir()) == [
        "export.json",
        "rankpose_fp16.tflite",
        "rankpose_fp32.tflite",
        "rankpose_int8.tflite",
        "rankpose_int8_dynamic.tflite",
        "savedmodel",
    ]
    assert (out / "savedmodel" / "rankpose" / "1" / "saved_model.pb").is_file()


def test_the_report_has_a_row_a_file_with_what_was_measured(exported):
    out, report = exported
    assert report == json.loads((out / "export.json").read_text())
    assert report["images"] == 96
    rows = {row["format"]: row for row in report["files"]}
    assert rows["tflite_fp32"]["bytes"] == (out / "rankpose_fp32.tflite").stat().st_size
    assert rows["tflite_fp32"]["max_difference_degrees"] < 1e-3
    assert rows["savedmodel"]["max_difference_degrees"] < 1e-3
    assert rows["tflite_fp16"]["max_difference_degrees"] < 0.05
    keras = report["keras_mae"]["mean"]
    assert abs(rows["savedmodel"]["mae"]["mean"] - keras) < 0.02
    text = exporting.table(report)
    assert all(row["file"] in text for row in report["files"])


def test_a_second_export_takes_the_next_version_and_keeps_the_rows(exported, copied, small_model):
    out, before = exported
    first = contents(out / "savedmodel" / "rankpose" / "1")
    report = export(small_model, out)
    assert sorted(p.name for p in (out / "savedmodel" / "rankpose").iterdir()) == ["1", "2"]
    assert contents(out / "savedmodel" / "rankpose" / "1") == first
    assert [row["file"] for row in report["files"]] == [
        *(row["file"] for row in before["files"]),
        "savedmodel/rankpose/2",
    ]


def test_the_rows_of_an_earlier_export_keep_what_they_are_of(
    exported, copied, small_model, tmp_path
):
    """The next version is of another training; a version that was removed is written again."""
    out = shutil.copytree(exported[0], tmp_path / "again")
    before = json.loads(json.dumps(exported[1]))
    before["model"]["epoch"] = 1234
    kept = ("rankpose_fp32.tflite", "savedmodel/rankpose/1")
    before["files"] = [row for row in before["files"] if row["file"] in kept]
    (out / "export.json").write_text(json.dumps(before))
    shutil.rmtree(out / "savedmodel")
    report = export(small_model, out)
    old, new = report["files"]
    assert new["file"] == "savedmodel/rankpose/1" and "model" not in new
    assert report["model"].get("epoch") != 1234
    assert (old["file"], old["model"]) == ("rankpose_fp32.tflite", before["model"])
    assert (old["protocol"], old["keras_mae"]) == (before["protocol"], before["keras_mae"])
    assert old["file"] not in exporting.table(report)


def test_an_existing_version_and_an_existing_file_are_not_overwritten(exported, small_model):
    out, _ = exported
    before = contents(out)
    with pytest.raises(RankPoseError, match="version"):
        export(small_model, out, version=1)
    with pytest.raises(RankPoseError, match="rankpose_fp32.tflite.*nothing is overwritten"):
        export(small_model, out, formats=["tflite_fp32"])
    assert contents(out) == before


def test_a_version_without_a_savedmodel_is_refused(tmp_path):
    with pytest.raises(RankPoseError, match="^version: is of the SavedModel"):
        formats.plan(tmp_path / "new", ["onnx"], version=3)


def test_versions_are_integers_from_one(small_model, copied, tmp_path):
    with pytest.raises(RankPoseError, match="version: expected an integer from 1, received 0"):
        export(small_model, tmp_path / "out", version=0)
    export(small_model, tmp_path / "out", version=7)
    export(small_model, tmp_path / "out")
    names = sorted(p.name for p in (tmp_path / "out" / "savedmodel" / "rankpose").iterdir())
    assert names == ["7", "8"]


def test_a_folder_of_something_else_is_left_alone(small_model, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RankPoseError, match="not empty and holds no earlier export"):
        export(small_model, tmp_path)
    with pytest.raises(RankPoseError, match="is a file"):
        export(small_model, tmp_path / "mine.txt")
    assert contents(tmp_path) == ["mine.txt"]


def test_full_int8_without_calibration_data_says_what_to_pass(small_model, tmp_path):
    with pytest.raises(RankPoseError, match="calibration_data: .*--calibration_data=PREPARED"):
        export(small_model, tmp_path / "out", formats=["tflite_fp32", "tflite_int8"])
    assert not (tmp_path / "out").exists()


def test_groups_leave_out_what_needs_calibration_data_and_say_so():
    left, left_out = formats.without_data(["savedmodel", "tflite"])
    assert left == ["savedmodel", "tflite_fp32", "tflite_fp16", "tflite_int8_dynamic"]
    assert left_out == ["tflite_int8"]
    assert formats.without_data(["tflite_int8"]) == (["tflite_int8"], [])


def test_too_few_calibration_views_leave_nothing_behind(small_model, prepared, tmp_path):
    with pytest.raises(RankPoseError, match="at least 200.*received 96"):
        export(
            small_model,
            tmp_path / "out",
            formats=["tflite_fp32", "tflite_int8"],
            calibration_data=prepared,
        )
    assert not (tmp_path / "out").exists()


def test_unknown_formats_are_named():
    with pytest.raises(RankPoseError, match="formats: expected some of savedmodel.*'coreml'"):
        exporting.expand(["coreml"])
    with pytest.raises(RankPoseError, match="at least one"):
        exporting.expand([])
    assert exporting.expand(["tflite_fp16", "tflite", "savedmodel"]) == [
        "savedmodel",
        "tflite_fp32",
        "tflite_fp16",
        "tflite_int8_dynamic",
        "tflite_int8",
    ]


def test_a_description_of_another_transform_is_refused(small_model, tmp_path):
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(small_model / "best.keras") as source, zipfile.ZipFile(path, "w") as to:
        for name in source.namelist():
            content = source.read(name)
            if name == "rankpose.json":
                content = content.replace(b'"arccos"', b'"cosine"')
            to.writestr(name, content)
    with pytest.raises(RankPoseError, match="described with transform 'cosine'.*has 'arccos'"):
        export(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("limit", [100_000, 10_000])
def test_a_disk_that_fills_up_is_one_sentence_and_leaves_nothing(
    small_model, tmp_path, monkeypatch, limit
):
    """A limit on the size of files stands in for the disk: writing fails halfway, as on one."""
    plan, unlimited = exporting.plan, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full_from_now_on(*arguments):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        return plan(*arguments)

    monkeypatch.setattr(exporting, "plan", full_from_now_on)
    flags = [f"--model={small_model}", f"--out={tmp_path / 'out'}", "--formats=savedmodel"]
    try:
        run = run_door("export", *flags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: out: can't write to")
    assert not (tmp_path / "out").exists()


def test_a_failure_after_the_first_file_leaves_an_earlier_export_as_it_was(
    small_model, copied, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    export(small_model, out)
    before = contents(out)
    write = savedmodel.write

    def full(*arguments):
        write(*arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(savedmodel, "write", full)
    with pytest.raises(RankPoseError, match="No space left on device.*make room"):
        export(small_model, out)
    assert contents(out) == before


def test_a_file_whose_answers_are_not_finite_is_not_published(
    small_model, copied, tmp_path, monkeypatch
):
    def broken(path, threads=None):
        return lambda pictures: np.full((len(pictures), 3), np.nan)

    monkeypatch.setitem(runtimes.PREDICTORS, "savedmodel", broken)
    with pytest.raises(RankPoseError, match="savedmodel answers with numbers that are not finite"):
        export(small_model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_onnx_and_openvino_lie_beside_each_other_with_all_their_files(small_model, tmp_path):
    report = export(small_model, tmp_path / "out", formats=["folded", "onnx", "openvino"])
    assert contents(tmp_path / "out") == [
        *("export.json", "folded", "folded/saved_model.pb"),
        *("rankpose.bin", "rankpose.onnx", "rankpose.xml"),
    ]
    assert all(row["max_difference_degrees"] < 1e-3 for row in report["files"])
    sizes = {row["file"]: row["bytes"] for row in report["files"]}
    openvino = [tmp_path / "out" / name for name in ("rankpose.xml", "rankpose.bin")]
    assert sizes["rankpose.xml"] == sum(path.stat().st_size for path in openvino)


def test_latency_is_measured_at_one_and_two_threads(small_model, tmp_path):
    report = export(small_model, tmp_path / "out", formats=["tflite_fp32"], time_files=True)
    times = report["files"][0]["median_milliseconds"]
    assert set(times) == {"1", "2"}
    assert all(0 < milliseconds < 1000 for milliseconds in times.values())


def test_differences_are_those_of_the_answers():
    class Network:
        def predict_on_batch(self, images):
            return np.radians(np.tile(np.float32([10, 20, 30]), (len(images), 1)))

    def shifted(views):
        return np.tile([10.5, 20.0, 29.0], (len(views), 1))

    views = np.zeros((4, 8, 8, 3), np.uint8)
    rows = comparison.differences(Network(), {"file": shifted}, views)
    assert rows["file"]["max_difference_degrees"] == pytest.approx(1.0, abs=1e-5)
    assert rows["file"]["mean_difference_degrees"] == pytest.approx(0.5, abs=1e-5)


def test_bytes_are_rounded_not_cut():
    np.testing.assert_array_equal(
        comparison.as_bytes(np.float32([-1, 0.4, 0.6, 254.7, 300])), np.uint8([0, 0, 1, 255, 255])
    )


@pytest.mark.end_to_end
def test_the_command_line_writes_a_servable_and_prints_the_table(small_model, tmp_path):
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "rankpose_tf.export",
            f"--model={small_model}",
            f"--out={tmp_path / 'out'}",
            "--formats=savedmodel",
            "--nolatency",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    assert "savedmodel/rankpose/1" in run.stdout
    assert tf.saved_model.contains_saved_model(tmp_path / "out" / "savedmodel" / "rankpose" / "1")
