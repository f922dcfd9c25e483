"""Another system's angles: the file's format, what is refused, and a known network's figures."""

import csv
import json

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records
from rankpose_tf.evaluation import other_systems
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.preparation import prepare
from tests.conftest import write_prepared

# Degrees; "b" has one over the limit of 99 degrees.
POSES = {"a.jpg": (10.0, 5.0, -5.0), "b.jpg": (120.0, 0.0, 0.0), "sub/c.png": (-40.0, 0.0, 2.0)}
ROWS = [("a", 11, 7, -8), ("b", 100, 0, 0), ("c", -44, 5, 8)]
SCORED = np.abs([[1, 2, 3], [4, 5, 6]])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    box = np.array([10, 10, 30, 30], np.float32)
    identities = [
        records.Identity(
            name, name, (records.View(name, b"", np.radians(pose).astype(np.float32), box),)
        )
        for name, pose in POSES.items()
    ]
    write_prepared(folder, [identities])
    about = json.loads((folder / "dataset.json").read_text())
    about |= {"protocol_set": "AFLW2000-3D", "box_source": "pt3d_68", "views_within_limit": 2}
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def _file(tmp_path, rows=ROWS, header=("image", "yaw", "pitch", "roll")):
    # A path per content, so that one test may write several.
    path = tmp_path / f"angles-{len(list(tmp_path.iterdir()))}.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def test_a_file_is_scored_like_a_model(data, tmp_path):
    path = _file(tmp_path)
    result, out = other_systems.evaluate_file(predictions=path, data=data, out=tmp_path / "out")
    yaw, pitch, roll = SCORED.mean(axis=0)
    mean = (yaw + pitch + roll) / 3
    expected = {"yaw": yaw, "pitch": pitch, "roll": roll, "mean": mean}
    assert result["mae"] == pytest.approx(expected, abs=1e-4)
    assert result["predictions"] == {"rows": 3, "missing": 0, "unknown": 0, "outside_filter": 1}
    assert result["left_out"] == {"an angle over 99 degrees": 1}
    assert result["model"] == path.name and result["data"] == data.name
    assert result["crop"] == {"boxes": None, "scale": None}
    assert json.loads((out / "evaluation.json").read_text()) == result
    with (out / "predictions.csv").open(newline="") as lines:
        assert [row["image"] for row in csv.DictReader(lines)] == ["a.jpg", "sub/c.png"]


def test_no_model_is_loaded_and_no_picture_is_decoded(data, tmp_path, monkeypatch):
    for name in ("load_model", "predict"):
        monkeypatch.setattr(evaluation, name, None)
    # The pictures of the data are empty files.
    result, _ = other_systems.evaluate_file(predictions=_file(tmp_path), data=data)
    assert result["images"] == len(SCORED)


def test_the_result_lies_beside_the_file_unless_told(data, tmp_path):
    _, out = other_systems.evaluate_file(predictions=_file(tmp_path), data=data)
    assert out == tmp_path / "evaluation-AFLW2000-3D"


def test_the_protocol_is_named_and_decides_the_filter(data, tmp_path):
    path, name = _file(tmp_path), "aflw2000_all_angles"
    result, _ = other_systems.evaluate_file(predictions=path, data=data, protocol=name)
    assert (result["images"], result["protocol_name"]) == (3, name)
    assert result["protocol"].startswith(f"{name}: AFLW2000-3D, another system's crops, all angles")
    with pytest.raises(RankPoseError, match="is for 'BIWI"):
        other_systems.evaluate_file(predictions=path, data=data, protocol="biwi_all")


def test_columns_may_be_in_any_order_with_others_between_them(data, tmp_path):
    header = ("score", "Roll", "predicted_yaw", "FILE", "pitch")
    rows = [(0.9, roll, yaw, name, pitch) for name, yaw, pitch, roll in ROWS]
    path = _file(tmp_path, rows, header)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n")
    found = other_systems.read_angles(path)
    assert [name for name, _ in found] == ["a", "b", "c"]
    np.testing.assert_array_equal([angles for _, angles in found], [row[1:] for row in ROWS])


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a", 0),
        ("c.png", 1),
        ("sub/c", 1),
        ("sub/c.jpg", 1),
        ("x/sub/c.png", 1),
        ("y\\sub\\c", 1),
        ("c.jpg", 2),
        ("c", None),
        ("e", None),
    ],
)
def test_names_match_by_the_end_of_their_path_where_that_is_one_picture_alone(name, place):
    names = ["a.jpg", "sub/c.png", "c.jpg", "01/e.png", "02/e.png"]
    assert other_systems._find(name, other_systems._index(names), names) == place


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("anna/1.jpg", 0),
        ("./anna/1.jpg", 0),
        ("/x/anna/1.png", 0),
        ("../1.png", 0),
        ("bob/1.jpg", None),
        ("x/bob/1.jpg", None),
        ("anna/2.jpg", None),
        ("ob/2.jpg", None),
    ],
)
def test_a_picture_of_another_folder_is_not_taken_for_one_of_the_same_name(name, place):
    names = ["anna/1.jpg", "bob/2.jpg"]
    assert other_systems._find(name, other_systems._index(names), names) == place


def test_a_row_of_another_folder_is_unknown_and_its_namesake_is_missing():
    known = {
        "names": ["anna/1.jpg", "bob/2.jpg"],
        "identities": ["anna", "bob"],
        "true": np.zeros((2, 3)),
        "within": np.ones(2, bool),
    }
    rows = [("bob/1.jpg", np.ones(3)), ("bob/2.jpg", np.ones(3))]
    poses, counts = other_systems.match(rows, known, True, True, "x.csv")
    assert counts == {"rows": 2, "missing": 1, "unknown": 1, "outside_filter": 0}
    assert poses["names"] == ["bob/2.jpg"]
    with pytest.raises(RankPoseError, match="1 of 2 pictures .*'anna/1.jpg' .1 of its 2 rows"):
        other_systems.match(rows, known, True, False, "x.csv")


def _refused(data, path, message, **options):
    with pytest.raises(RankPoseError, match=message):
        other_systems.evaluate_file(predictions=path, data=data, **options)
    assert not (path.parent / "evaluation-AFLW2000-3D").exists()


def test_a_missing_picture_is_an_error_or_counted(data, tmp_path):
    path = _file(tmp_path, ROWS[1:])
    _refused(data, path, "1 of 2 pictures have no prediction in .*such as 'a.jpg'.*allow_missing")
    result, _ = other_systems.evaluate_file(predictions=path, data=data, allow_missing=True)
    assert result["predictions"]["missing"] == 1
    assert result["left_out"]["no prediction in the file"] == 1
    assert result["images"] == 1
    assert "1 (no prediction in the file)" in evaluation.table(result)


def test_empty_cells_are_no_answer(data, tmp_path):
    path = _file(tmp_path, [*ROWS[:2], ("c", "", "", "")])
    _refused(data, path, "1 of 2 pictures have no prediction")


def test_rows_of_other_pictures_are_counted(data, tmp_path):
    path = _file(tmp_path, [*ROWS, ("d", 0, 0, 0), ("e", 1, 1, 1)])
    result, _ = other_systems.evaluate_file(predictions=path, data=data)
    assert result["predictions"] == {"rows": 5, "missing": 0, "unknown": 2, "outside_filter": 1}
    assert "2 of pictures that the data don't hold, 1 outside the filter" in evaluation.table(
        result
    )


def test_a_picture_that_is_named_twice_is_refused(data, tmp_path):
    _refused(data, _file(tmp_path, [*ROWS, ("a.jpg", 1, 1, 1)]), "names 'a.jpg' twice")


def test_a_file_without_any_of_the_pictures_is_refused_whatever_is_allowed(data, tmp_path):
    path = _file(tmp_path, [("x", 0, 0, 0)])
    _refused(data, path, "2 of 2 pictures .*1 of its 1 rows name no picture", allow_missing=True)


@pytest.mark.parametrize("cell", ["nan", "inf", "left", ""])
def test_a_cell_that_is_no_number_is_named_by_its_line(data, tmp_path, cell):
    _refused(data, _file(tmp_path, [ROWS[0], ("b", 1, cell, 2)]), "line 3 of .*degrees")


def test_radians_are_noticed(data, tmp_path):
    rows = [(name, *np.radians(angles)) for name, *angles in ROWS]
    message = r"no angle .* is over 0\.77, and as radians .* they seem to be radians"
    _refused(data, _file(tmp_path, rows), message)


def test_the_labels_themselves_are_refused_in_radians(data, tmp_path):
    rows = [(name, *np.radians(angles)) for name, angles in POSES.items()]
    _refused(data, _file(tmp_path, rows), "they seem to be radians; expected degrees")


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.5, -0.2, 0.1)])
def test_a_system_that_always_answers_straight_ahead_is_scored(data, tmp_path, angles):
    rows = [(name, *angles) for name in POSES]
    result, _ = other_systems.evaluate_file(predictions=_file(tmp_path, rows), data=data)
    tested = np.array([POSES["a.jpg"], POSES["sub/c.png"]])
    error = np.abs(tested - angles).mean(axis=0)
    assert [result["mae"][angle] for angle in ("yaw", "pitch", "roll")] == pytest.approx(
        error, abs=1e-4
    )


def test_small_angles_are_no_radians_where_the_labels_are_small_too():
    small = np.array([[1.0, 2.0, 3.0]])
    other_systems._check_unit({"true": small, "predicted": small}, "x.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column image .*header is empty"),
        (b"image,yaw,pitch\n", "has no column roll or predicted_roll"),
        (b"image,yaw,pitch,roll\n", "has no row"),
        (b"image,yaw,pitch,roll\n\xff\xfe,1,2,3\n", "could not be read"),
    ],
)
def test_a_file_of_another_kind_is_refused(data, tmp_path, content, message):
    path = tmp_path / "angles.csv"
    path.write_bytes(content)
    _refused(data, path, message)
    with pytest.raises(RankPoseError, match="could not be read"):
        other_systems.read_angles(tmp_path / "absent.csv")


def test_fsa_nets_file_gives_its_published_figures(shared_data, tmp_path):
    dev = tmp_path / "dev"
    prepare.prepare(shared_data / "aflw2000_dev.zip", dev, shards=2, workers=1, progress=False)
    result, _ = other_systems.evaluate_file(
        predictions=shared_data / "fsanet_predictions_dev.csv", data=dev, out=tmp_path / "out"
    )
    assert result["images"] == 979
    rounded = {angle: round(error, 2) for angle, error in result["mae"].items()}
    assert rounded == {"yaw": 4.69, "pitch": 6.08, "roll": 4.57, "mean": 5.11}
