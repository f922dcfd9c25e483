"""Scores: the rows of predict in Parquet files, the same whoever works and however often."""

import os
import pathlib
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import inputs, results
from rankpose_tf.prediction import run as prediction
from tests.support.doors import run_door

beam = pytest.importorskip("apache_beam", reason="the extra [beam] is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="the extra [beam] is not installed")

from rankpose_tf.prediction import scoring  # noqa: E402
from rankpose_tf.prediction.options import Options  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPTIONS = Options(model="compact", crops=True, batch_size=4)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Folder of 9 crops and one file that is none."""
    folder = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(1)
    for index in range(9):
        noise = generator.integers(0, 255, (40, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), noise)
    (folder / "4b.png").write_bytes(b"nonsense")
    return folder


@pytest.fixture(scope="module")
def scored(faces, tmp_path_factory):
    """Folder of the scores of `faces`, 4 a file."""
    out = tmp_path_factory.mktemp("scored")
    scoring.run([str(faces)], str(out), OPTIONS, pictures_per_file=4)
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(folder, kind="poses"):
    """Rows of all files of a kind, in the order of their names."""
    files = sorted(folder.glob(f"{kind}-*.parquet"))
    return [row for file in files for row in parquet.read_table(file).to_pylist()]


def test_rows_are_those_of_predict_and_a_bad_picture_is_beside(faces, scored):
    kept = []
    prediction.run(
        inputs.expand([str(faces)]), OPTIONS.load(), crops=True, each=kept.extend, progress=False
    )
    expected = [results.cells(row, errors=True) for row in kept]
    bad = str(faces / "4b.png")
    assert rows(scored) == [row for row in expected if row["path"] != bad]
    (failed,) = rows(scored, "failed")
    (told,) = [row for row in expected if row["path"] == bad]
    assert failed == {"path": bad, "reason": told["reason"]}
    assert sorted(contents(scored)) == [
        "failed-00001-of-00003.parquet",
        *(f"poses-{number:05}-of-00003.parquet" for number in range(3)),
        "score.json",
    ]


def test_columns_are_those_of_predict_with_a_type_each(scored):
    schema = parquet.read_schema(next(scored.glob("poses-*")))
    assert tuple(schema.names) == results.COLUMNS_WITH_ERRORS
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert (types["path"], types["face"], types["yaw"]) == ("string", "int64", "double")


def test_a_run_that_was_killed_goes_on_and_ends_as_one_that_was_not(faces, scored, tmp_path):
    whole = contents(scored)
    # What a kill leaves: a finished file, and one that was being written.
    for name in ("score.json", "poses-00001-of-00003.parquet", "failed-00001-of-00003.parquet"):
        (tmp_path / name).write_bytes(whole[name])
    (tmp_path / f".poses-00002-of-00003.parquet-{'0a' * 16}").write_bytes(b"PAR1 half")
    summary = scoring.run([str(faces)], str(tmp_path), OPTIONS, pictures_per_file=4)
    assert contents(tmp_path) == whole
    assert (summary.files, summary.earlier, summary.failed) == (2, 1, 0)


def test_a_run_that_was_killed_while_it_wrote_its_record_begins_anew(faces, scored, tmp_path):
    (tmp_path / f".score.json-{'0a' * 16}").write_text('{"rankpo')
    scoring.run([str(faces)], str(tmp_path), OPTIONS, pictures_per_file=4)
    assert contents(tmp_path) == contents(scored)


def test_a_finished_run_is_left_as_it_is(faces, scored):
    before = {path: path.stat().st_mtime_ns for path in scored.iterdir()}
    summary = scoring.run([str(faces)], str(scored), OPTIONS, pictures_per_file=4)
    assert (summary.files, summary.earlier) == (0, 3)
    assert {path: path.stat().st_mtime_ns for path in scored.iterdir()} == before


def test_a_file_that_can_not_be_written_leaves_nothing_behind(tmp_path):
    def stops(stream):
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoring._write_beside(str(tmp_path), "poses-00000-of-00001.parquet", stops)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changed", ["input", "options", "files"])
def test_a_folder_of_other_scores_is_refused(faces, scored, changed):
    options = (
        Options(model="compact", crops=True, batch_size=3) if changed == "options" else OPTIONS
    )
    named = [str(faces / "1.png")] if changed == "input" else [str(faces)]
    size = 5 if changed == "files" else 4
    with pytest.raises(
        RankPoseError,
        match=f"^out: .*scores of another .*{changed if changed != 'files' else 'input'}",
    ):
        scoring.run(named, str(scored), options, pictures_per_file=size)


def test_a_folder_that_holds_something_else_is_refused(faces, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RankPoseError, match="^out: .*is not empty"):
        scoring.run([str(faces)], str(tmp_path), OPTIONS)


def test_contents_in_a_table_give_the_rows_of_their_files(faces, scored, tmp_path):
    import pyarrow

    names = [str(path) for path in sorted(faces.iterdir())]
    columns = {"path": names, "image": [pathlib.Path(name).read_bytes() for name in names]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet")
    out = tmp_path / "out"
    scoring.run([f"{tmp_path}/p.parquet"], str(out), OPTIONS, pictures_per_file=100)
    assert rows(out) == rows(scored)
    assert rows(out, "failed") == rows(scored, "failed")


def test_the_transform_gives_rows_and_failures(faces, scored):
    from apache_beam.testing.util import assert_that, equal_to

    from rankpose_tf.beam import Poses

    paths = [str(path) for path in sorted(faces.iterdir())]
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        read = pipeline | beam.Create(paths)
        given = read | beam.Map(lambda path: (path, pathlib.Path(path).read_bytes()))
        for title, pictures in (("paths", read), ("contents", given)):
            poses, failed = pictures | title >> Poses(model="compact", crops=True)
            assert_that(poses, equal_to(rows(scored)), f"poses of {title}")
            assert_that(failed, equal_to(rows(scored, "failed")), f"failed of {title}")


def test_the_command_tells_what_it_made_and_refuses_what_it_can_not(faces, tmp_path):
    line = [f"--input={faces}/*.png", f"--out={tmp_path}/out", "--model=compact", "--crops"]
    done = run_door("score", *line, "--", "--direct_num_workers=1")
    assert done.returncode == 0, done.stderr
    told = "9 pictures: 9 faces, 0 without a face, 1 that could not be read; 1 files"
    assert done.stdout.splitlines() == [told, f"{tmp_path}/out"]
    for wrong, said in (
        ("--detector=mtcnn", "error: detector: finds no faces in crops"),
        ("--model=absent", "error: model: expected"),
        ("stray.jpg", "error: unexpected argument 'stray.jpg'"),
    ):
        done = run_door("score", *line, wrong)
        assert done.returncode == 1
        assert said.removeprefix("error: ") in done.stderr


@pytest.mark.reliability
def test_two_processes_write_the_files_of_one_and_a_kill_leaves_no_half(faces, scored, tmp_path):
    line = [sys.executable, "-m", "rankpose_tf.score", f"--input={faces}", "--model=compact"]
    line += ["--crops", "--batch_size=4", "--pictures_per_file=4", f"--out={tmp_path}/out", "--"]
    line += ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    running = subprocess.Popen(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    out, deadline = tmp_path / "out", time.monotonic() + 120
    while not list(out.glob("*.parquet")) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.kill()
    running.wait()
    for path in out.glob("poses-*.parquet"):
        assert path.read_bytes() == (scored / path.name).read_bytes()
    assert subprocess.run(line, cwd=ROOT).returncode == 0
    assert contents(out) == contents(scored)


def test_a_damaged_record_is_told(faces, tmp_path):
    (tmp_path / "score.json").write_bytes(b'{"files": ')
    with pytest.raises(RankPoseError, match="out: .*score.json' is damaged .*pass a new folder"):
        scoring.run([str(faces)], str(tmp_path), OPTIONS)


def test_a_model_is_told_apart_by_its_content(tmp_path):
    file, folder = tmp_path / "a.tflite", tmp_path / "run"
    folder.mkdir()
    sums = []
    for content in (b"1", b"2"):
        file.write_bytes(content)
        (folder / "best.keras").write_bytes(content)
        # What else a workdir holds changes with every epoch.
        (folder / "last.keras").write_bytes(content * 2)
        sums.append(scoring._checksum(str(file)))
        assert scoring._checksum(str(folder)) == sums[-1]
    (folder / "best.keras").unlink()
    sums.append(scoring._checksum(str(folder)))
    assert len(set(sums)) == 3 and all(sums)
    assert scoring._checksum("") == scoring._checksum("compact") == ""


def test_an_option_that_is_none_of_beam_s_is_told():
    with pytest.raises(RankPoseError, match="beam: '--direct_num_workers=x' is no option of"):
        scoring._beam_options(["--direct_num_workers=x"])
