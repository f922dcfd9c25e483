"""The file of results, whatever ends the run."""

import csv
import json

import pytest
from absl import logging

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import results
from rankpose_tf.prediction.results import ResultFile, Row

ROWS = [
    Row("a.jpg", face=0, box=(1, 2, 30.25, 40), score=0.5, angles=(10, -20.5, 0.25)),
    Row("a.jpg", face=1, box=(5, 6, 7, 8), score=1.0, angles=(0, 0, 0)),
    Row('with, "comma"\nand line.jpg', reason="is empty"),
    Row("film.mp4", 0, 0.0, 3, (1, 2, 3, 4), 0.75, (1, 2, 3)),
    Row("film.mp4", 1, 0.04, reason="no face found"),
    Row("crop.jpg", face=0, angles=(1, 2, 3)),
    Row("latin-\udce9.jpg", reason="is empty"),
    Row("Icon\r.jpg", reason="is empty"),
]


@pytest.fixture(params=[".csv", ".jsonl"])
def out(request, tmp_path):
    return tmp_path / f"poses{request.param}"


def write(path, rows, resume=False):
    with ResultFile(path, resume) as kept:
        for row in rows:
            kept.write([row])
        return kept.done


def test_rows_are_read_as_they_were_written(out):
    write(out, ROWS)
    assert list(results.read(out)) == ROWS


def test_csv_has_the_columns_of_the_issue(tmp_path):
    write(tmp_path / "poses.csv", ROWS[:1])
    with open(tmp_path / "poses.csv", newline="") as stream:
        (record,) = csv.DictReader(stream)
    assert list(record) == (
        "path frame time face left top right bottom score yaw pitch roll reason".split()
    )
    assert [record[name] for name in ("right", "pitch", "frame")] == ["30.25", "-20.5", ""]


def test_json_lines_have_the_box_as_a_list_and_null_where_nothing_is_known(tmp_path):
    write(tmp_path / "poses.jsonl", ROWS[:1])
    (record,) = map(json.loads, (tmp_path / "poses.jsonl").read_text().splitlines())
    assert record["box"] == [1, 2, 30.25, 40]
    assert (record["yaw"], record["frame"], record["reason"]) == (10, None, None)


def test_what_is_not_finite_is_unknown(out):
    write(out, [Row("a.jpg", face=0, score=float("nan"), reason="none")])
    assert next(results.read(out)).score is None


def test_each_row_is_in_the_file_when_it_was_written(out):
    with ResultFile(out) as kept:
        for count, row in enumerate(ROWS, start=1):
            kept.write([row])
            assert len(list(results.read(out))) == count


def test_an_interrupt_in_the_middle_of_a_row_leaves_whole_rows(out):
    class Cut:
        """Takes half of what it is given, then Ctrl-C."""

        def __init__(self, stream):
            self._stream = stream

        def write(self, content):
            self._stream.write(content[: len(content) // 2])
            raise KeyboardInterrupt

        def __getattr__(self, name):
            return getattr(self._stream, name)

    kept = ResultFile(out)
    with pytest.raises(KeyboardInterrupt), kept:
        kept.write(ROWS[:2])
        kept._stream = Cut(kept._stream)
        kept.write(ROWS[2:4])
    assert list(results.read(out)) == ROWS[:2]
    assert out.read_bytes().endswith(b"\n")


def test_an_existing_file_is_refused_and_left(out):
    write(out, ROWS)
    before = out.read_bytes()
    with pytest.raises(RankPoseError, match="^out: .* exists already; .*--resume"):
        ResultFile(out)
    assert out.read_bytes() == before


def test_resumed_the_last_picture_is_made_again(out):
    write(out, ROWS[:4])
    done = write(out, ROWS[3:], resume=True)
    assert done == {ROWS[0].path, ROWS[2].path}
    assert list(results.read(out)) == ROWS


@pytest.mark.parametrize("last", [3, 5])
def test_resumed_what_will_not_be_made_again_stays(out, last, caplog, monkeypatch):
    """Of another folder's run, or of a camera: nobody could bring the rows back."""
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    write(out, ROWS[:last])
    with ResultFile(out, resume=True, again={"a.jpg"}) as kept:
        assert kept.done == {row.path for row in ROWS[:last]}
        kept.write(ROWS[last:])
    assert list(results.read(out)) == ROWS
    assert "stay as they are" in caplog.text


def test_resumed_half_a_line_is_cut_wherever_it_ends(out):
    """Every length that a file can be cut to, as by a loss of power."""
    write(out, ROWS[:5])
    whole = out.read_bytes()
    header = 0 if out.suffix == ".jsonl" else whole.index(b"\n") + 1
    for length in range(header, len(whole) + 1):
        out.write_bytes(whole[:length])
        with ResultFile(out, resume=True) as kept:
            assert list(results.read(out)) == [row for row in ROWS if row.path in kept.done]
            assert kept.done in [set(), {"a.jpg"}, {"a.jpg", ROWS[2].path}]
            kept.write([row for row in ROWS if row.path not in kept.done])
        assert list(results.read(out)) == ROWS


def test_resume_without_a_file_starts_one(out):
    assert write(out, ROWS, resume=True) == set()
    assert list(results.read(out)) == ROWS


def test_half_a_header_is_written_again(tmp_path):
    out = tmp_path / "poses.csv"
    out.write_text("path,fra")
    write(out, ROWS, resume=True)
    assert list(results.read(out)) == ROWS


def test_a_file_of_another_kind_is_not_resumed(out):
    out.write_text("something,else\n1,2\n")
    with pytest.raises(RankPoseError, match="^resume: .* does not hold the rows"):
        ResultFile(out, resume=True)
    assert out.read_text() == "something,else\n1,2\n"


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(RankPoseError, match="^out: expected a name that ends in .csv or .jsonl"):
        ResultFile(tmp_path / "poses.txt")
    with pytest.raises(RankPoseError, match="^out: .* folder that does not exist"):
        ResultFile(tmp_path / "absent" / "poses.csv")


def test_expected_errors_follow_the_other_columns_and_are_read_again(out):
    rows = [*ROWS, Row("doubt.jpg", face=0, angles=(1, 2, 3), errors=(20.5, 30, 40))]
    with ResultFile(out, errors=True) as kept:
        kept.write(rows)
    assert list(results.read(out)) == rows
    if out.suffix == ".csv":
        header = out.read_text(errors="replace").splitlines()[0]
        assert header.endswith("roll,reason,yaw_error,pitch_error,roll_error")
        with pytest.raises(RankPoseError, match="does not hold the rows"):
            ResultFile(out, resume=True)
    with ResultFile(out, resume=True, errors=True) as kept:
        assert "a.jpg" in kept.done
