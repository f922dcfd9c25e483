"""BIWI: labels, identities, what is left out, protocols, and a test on the true frames."""

import csv
import json

import numpy as np
import pytest

from rankpose_tf.core import pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.preparation import biwi, biwi_boxes, sources, views
from tests.support import made_up_biwi as made_up
from tests.support import made_up_faces


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (0.5, 0, 0), (0, 0.4, 0), (0, 0, -0.3), (1, -0.6, 0.2)]
)
def test_the_angles_are_those_of_the_packages_convention(angles):
    rotation = made_up.AXES @ pose.rotation_from_angles(angles) @ made_up.AXES
    np.testing.assert_allclose(biwi.angles(rotation), angles, atol=1e-12)


def test_a_turn_to_the_pictures_left_is_a_positive_yaw():
    # The nose, -z, moves to -x: the picture's left in BIWI's axes, x being right there too.
    rotation = made_up.turn(20.0)
    assert (rotation @ [0, 0, -1])[0] < 0
    np.testing.assert_allclose(np.degrees(biwi.angles(rotation)), (20.0, 0, 0), atol=1e-9)


def test_labels_of_the_true_frames_are_those_of_the_usual_list(shared_data):
    with open(shared_data / "biwi_13219_boxes.csv", newline="") as stream:
        expected = {row["image"]: row for row in csv.DictReader(stream)}
    source = sources.open_source(shared_data / "biwi_sample.zip")
    views = made_up.views(shared_data / "biwi_sample.zip", shared_data / "biwi_13219_boxes.csv")
    assert len(views) == 10
    for name, view in views.items():
        published = [float(expected[name][angle]) for angle in ("yaw", "pitch", "roll")]
        # The list has 6 digits after the point, the poses 9 significant ones.
        np.testing.assert_allclose(np.degrees(view.pose), published, atol=1e-5)
    source.close()


def test_frames_are_dealt_evenly_to_small_identities_and_grouped_by_person(tmp_path):
    for sequence in ("03", "15", "16"):
        for number in range(12):
            made_up.frame(tmp_path, f"{sequence}/frame_{number:05d}", cal=made_up.cal_text())
    plan = made_up.plan_of(tmp_path)
    assert (plan.kind, plan.minimum_views) == ("biwi", 1)
    found = sorted(plan.identities, key=lambda identity: identity.name)
    numbers = [[int(view.name[9:14]) for view in identity.views] for identity in found]
    assert numbers[:3] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert [identity.name for identity in found[:3]] == ["03/000", "03/001", "03/002"]
    assert [identity.group for identity in found] == 6 * ["F03"] + 3 * ["M09"]


def test_unusable_frames_are_left_out_with_reasons(tmp_path):
    good = made_up.pose_text()
    for number, (picture, label) in enumerate(
        [
            (made_up.PNG, good),
            (b"", good),
            (made_up.PNG, ""),
            (made_up.PNG[:40], good),
            (made_up.PNG, "1 2 3"),
            (made_up.PNG, good.replace("1000.000000000", "nan")),
            (made_up.PNG, "0 " * 12),
            (made_up.PNG, "word"),
        ]
    ):
        made_up.frame(tmp_path / "a", f"01/frame_{number:05d}", picture, label, made_up.cal_text())
    made_up.frame(tmp_path / "a" / "copy", "01/frame_00000")
    description = made_up.prepare(tmp_path / "a", tmp_path / "out", max_skipped_fraction=1.0)
    assert description["views"] == 1
    assert description["skipped"] == {
        views.BROKEN_PICTURE: 1,
        views.CORRUPT_LABEL: 3,
        views.DUPLICATE_FRAME: 1,
        views.MISSING_LABEL: 1,
        views.MISSING_PICTURE: 1,
        views.NAN_LABEL: 1,
    }
    with pytest.raises(RankPoseError, match="8 of 9 views are unusable"):
        made_up.prepare(tmp_path / "a", tmp_path / "strict")


def test_frames_that_only_the_list_has_stop_the_work_unless_allowed_and_are_named(tmp_path):
    made_up.frame(tmp_path / "a", "01/frame_00003")
    made_up.frame(tmp_path / "a", "01/frame_00009")
    made_up.frame(tmp_path / "a", "01/frame_00010")  # Not in the list: not missed either.
    boxes = made_up.list_file(
        tmp_path,
        "01/frame_00003_rgb.png,1,2,30,40",
        "02/frame_00004_rgb.png,1,2,3,4",
        "01/frame_00009_rgb.png,1,2,0,4",
    )
    with pytest.raises(RankPoseError, match="2 of 3 views .*in the list, not in the source 1"):
        made_up.prepare(tmp_path / "a", tmp_path / "out", boxes=str(boxes))
    description = made_up.prepare(
        tmp_path / "a", tmp_path / "out", boxes=str(boxes), max_skipped_fraction=0.7
    )
    assert description["protocol_set"] == "BIWI (1 of the 3 frames of list.csv, depth-frame angles)"
    assert description["skipped"] == {views.BAD_BOX: 1, views.LISTED_ONLY: 1}
    assert description["box_source"] == "of list.csv, 0.4 margin undone"
    assert '02/frame_00004_rgb.png,"in the list' in (tmp_path / "out" / "skipped.csv").read_text()


def test_the_protocol_names_list_boxes_and_angles(tmp_path, monkeypatch):
    monkeypatch.setattr(biwi_boxes, "require_mtcnn", lambda: None)
    made_up.frame(tmp_path, "01/frame_00003", cal=made_up.cal_text())
    boxes = made_up.list_file(tmp_path, "01/frame_00003_rgb.png,1,2,30,40")
    found = {
        made_up.plan_of(tmp_path, *options).protocol_set
        for options in (("", False), ("", True), (boxes, False), ("mtcnn", False))
    }
    assert found == {
        "BIWI (1 of 15,678 frames, depth-frame angles)",
        "BIWI (1 of 15,678 frames, colour-frame angles by rgb.cal)",
        "BIWI (1 frames of list.csv, depth-frame angles)",
        "BIWI (1 of 15,678 frames but those where MTCNN finds no face, depth-frame angles)",
    }


def test_another_option_list_or_pose_is_another_data_set(tmp_path):
    made_up.frame(tmp_path, "01/frame_00003", cal=made_up.cal_text())
    boxes = made_up.list_file(tmp_path, "01/frame_00003_rgb.png,1,2,30,40")
    prints = [
        made_up.plan_of(tmp_path, *o).fingerprint for o in (("",), ("", True), (boxes,), ("head",))
    ]
    assert prints[0] == prints[3]
    made_up.list_file(tmp_path, "01/frame_00003_rgb.png,1,2,30,41")
    prints.append(made_up.plan_of(tmp_path, boxes).fingerprint)
    made_up.frame(tmp_path, "01/frame_00003", label=made_up.pose_text() + " ")
    prints.append(made_up.plan_of(tmp_path).fingerprint)
    assert len(set(prints)) == 5


def test_options_of_biwi_are_refused_for_another_set(tmp_path):
    made_up_faces.write_300w_lp(tmp_path)
    for options in ({"boxes": "mtcnn"}, {"calibration": True}):
        with pytest.raises(RankPoseError, match="goes with the kind biwi.*kind w300lp; leave"):
            made_up.plan_of(tmp_path, **options)


@pytest.mark.parametrize("name", ["kinect_head_pose_db.tgz", "hpdb.tar.gz", "hpdb.TAR"])
def test_a_tar_is_to_be_unpacked_first(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(RankPoseError, match="tar archive.*unpack it"):
        sources.open_source(tmp_path / name)


def test_the_true_frames_are_prepared_and_scored(shared_data, small_model, tmp_path):
    data = tmp_path / "biwi"
    made_up.prepare(
        shared_data / "biwi_sample.zip",
        data,
        max_skipped_fraction=1.0,
        boxes=str(shared_data / "biwi_13219_boxes.csv"),
    )
    result, out = evaluation.evaluate(model=small_model, data=data, out=tmp_path / "result")
    assert result["images"] == 10
    assert result["protocol"] == (
        "BIWI (10 of the 13,219 frames of the usual list, depth-frame angles), square crop 1.4 x "
        "box (of the usual list, 0.4 margin undone), |angle| <= 99 degrees"
    )
    assert result["left_out"]["prepare: in the list, not in the source"] == 13219 - 10
    assert json.loads((out / "evaluation.json").read_text())["set"].startswith("BIWI")
