"""Held-out pictures as a poor camera takes them: whose they are, and where the face is in them."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, records, synthetic
from rankpose_tf.studies import poor_camera
from tests.conftest import write_prepared

EDGES = ("left", "top", "right", "bottom")


def rows_of(folder):
    with open(folder / "faces.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_no_identity_was_trained_on_or_is_in_two_tables(prepared, table, tmp_path):
    counts = poor_camera.write(prepared, tmp_path / "poor", part=1, validation_identities=8)
    tables = {name: rows_of(tmp_path / "poor" / name) for name in ("own", "mixed", "test", "clean")}
    assert [len(rows) for rows in tables.values()] == list(counts.values()) == [24, 48, 8, 8]
    own, mixed, test, clean = ({row["identity"] for row in rows} for rows in tables.values())
    threshold = identity_split.held_out_threshold(table, 8)
    held_out = identity_split.held_out_records(prepared, threshold).map(records.parse_identity)
    assert own | test == {record["identity"].numpy().decode() for record in held_out}
    assert not own & test and test == clean and own == mixed


def test_mirrored_copies_are_on_the_side_of_their_face_and_no_picture_replaces_another(tmp_path):
    heads = []
    for number, head in enumerate(synthetic.identities(6, views=2, seed=3, size=48)):
        for subset in ("AFW", "AFW_Flip"):
            views = [
                dataclasses.replace(view, name=f"{subset}/{number}_{place}.jpg")
                for place, view in enumerate(head.views)
            ]
            names = {"name": f"{subset}/{number}", "group": f"AFW/{number}"}
            heads.append(dataclasses.replace(head, views=tuple(views), **names))
    write_prepared(tmp_path, [heads])
    counts = poor_camera.write(tmp_path, tmp_path / "poor", validation_identities=4)
    tables = {name: rows_of(tmp_path / "poor" / name) for name in ("own", "mixed", "test", "clean")}
    for name, rows in tables.items():
        files = {path.name for path in (tmp_path / "poor" / name).iterdir()}
        assert files == {row["image"] for row in rows} | {"faces.csv"}
        assert len(files) - 1 == len(rows) == counts[f"{name}/faces.csv"]
    own, test = ({row["identity"] for row in tables[name]} for name in ("own", "test"))
    assert len(test) == 1 and len(own) == 3 and not own & test


def test_the_poor_picture_is_dark_and_small_and_its_box_follows(prepared, tmp_path):
    poor_camera.write(prepared, tmp_path / "poor", validation_identities=8)
    poor, clean = (rows_of(tmp_path / "poor" / name) for name in ("test", "clean"))
    for one, other in zip(poor, clean, strict=True):
        assert one["image"] == other["image"] and one["yaw"] == other["yaw"]
        small, large = (
            cv2.imread(str(tmp_path / "poor" / name / one["image"])) for name in ("test", "clean")
        )
        assert small.mean() < large.mean() / 3
        shares = [
            np.array([float(row[edge]) for edge in EDGES]) / (2 * image.shape[1::-1])
            for row, image in ((one, small), (other, large))
        ]
        np.testing.assert_allclose(*shares, atol=1e-3)
        sides = [float(one["right"]) - float(one["left"]), float(one["bottom"]) - float(one["top"])]
        assert max(sides) == pytest.approx(28 / 1.4, rel=0.1)


def test_a_part_that_is_none_and_a_folder_in_use_are_refused(prepared, tmp_path):
    with pytest.raises(RankPoseError, match="part: expected 0 to 3, received 4"):
        poor_camera.write(prepared, tmp_path / "poor", part=4)
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(RankPoseError, match="is not empty"):
        poor_camera.write(prepared, tmp_path)
