"""Boxes of BIWI: the published list, MTCNN run here, and the labelled head centre."""

import importlib.util

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import biwi_boxes, sources
from tests.support import made_up_biwi as made_up


def test_the_margin_of_the_lists_boxes_is_taken_off_and_the_rule_applied():
    # A box of 100 x 125 with 0.4 of that on each side; its centre is (190, 212.5).
    box = biwi_boxes.from_list(100, 100, 180, 225)
    side, centre = 0.815 * 125, np.array([190, 212.5 + 0.112 * 125])
    np.testing.assert_allclose(box, [*(centre - side / 2), *(centre + side / 2)])


def test_boxes_of_the_usual_list_are_near_those_of_the_detectors_own_rule(shared_data):
    pytest.importorskip("mtcnn")
    views = made_up.views(shared_data / "biwi_sample.zip", shared_data / "biwi_13219_boxes.csv")
    name, view = min(views.items())
    found = biwi_boxes.from_mtcnn(view.image)
    side = max(found[2:] - found[:2])
    np.testing.assert_allclose(view.box, found, atol=0.05 * side)
    assert name == "01/frame_00166_rgb.png"


def test_the_usual_list_is_known_by_its_content(shared_data, tmp_path):
    path = shared_data / "biwi_13219_boxes.csv"
    usual = biwi_boxes.read_list(path)
    assert (len(usual.boxes), usual.skipped, usual.name) == (13219, [], "the usual list")
    lines = path.read_text().splitlines()
    other = made_up.list_file(tmp_path, *lines[1:-1], header=lines[0])
    assert biwi_boxes.read_list(other).name == "list.csv"


def test_bad_rows_of_a_list_are_left_out_with_a_reason(tmp_path):
    path = made_up.list_file(
        tmp_path,
        "hpdb/01/frame_00003_rgb.png,1,2,30,40",
        "01/frame_00004_rgb.png,a,2,3,4",
        "01/frame_00005_rgb.png,1,2,0,4",
        "01/frame_00003_rgb.png,1,2,30,40",
        "01/frame_00006_rgb.png,1,2",
    )
    found = biwi_boxes.read_list(path)
    assert list(found.boxes) == ["01/frame_00003"]
    assert [reason for _, reason in found.skipped] == [
        sources.BAD_BOX,
        sources.BAD_BOX,
        sources.DUPLICATE_ROW,
        sources.BAD_BOX,
    ]


def test_a_list_that_is_none_is_one_sentence(tmp_path):
    path = made_up.list_file(tmp_path, header="image,left")
    for boxes, message in (
        (path, "lacks x, y, width, height"),
        (tmp_path / "absent.csv", "could not be read as CSV"),
        (tmp_path, "could not be read as CSV"),
    ):
        with pytest.raises(RankPoseError, match=message):
            biwi_boxes.read_list(boxes)


def test_the_head_box_is_the_projected_centre_and_shrinks_with_distance(tmp_path):
    made_up.frame(
        tmp_path,
        "01/frame_00003",
        label=made_up.pose_text(centre=(10.0, -20.0, 1000.0)),
        cal=made_up.cal_text(translation=(-5.0, 0.0, 0.0)),
    )
    made_up.frame(tmp_path, "01/frame_00004", label=made_up.pose_text(centre=(0.0, 0.0, 500.0)))
    near, far = (view.box for _, view in sorted(made_up.views(tmp_path).items(), reverse=True))
    side = 150.0 * made_up.FOCAL / 1000.0
    centre = np.array([32 + (10 - 5) * made_up.FOCAL / 1000, 24 - 20 * made_up.FOCAL / 1000])
    np.testing.assert_allclose(far, [*(centre - side / 2), *(centre + side / 2)], rtol=1e-6)
    np.testing.assert_allclose(near[2] - near[0], 2 * side, rtol=1e-6)


def test_frames_without_a_face_are_counted_but_no_damage(tmp_path):
    pytest.importorskip("mtcnn")
    made_up.frame(tmp_path / "a", "01/frame_00003")
    with pytest.raises(RankPoseError, match="no identity has enough usable views .*no face found"):
        made_up.prepare(tmp_path / "a", tmp_path / "out", boxes="mtcnn")
    assert sources.NO_FACE in (tmp_path / "out" / "skipped.csv").read_text()


def test_mtcnn_is_asked_for_before_any_file_is_begun(tmp_path, monkeypatch):
    made_up.frame(tmp_path / "a", "01/frame_00003")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RankPoseError, match=r"rankpose_tf\[detect\]"):
        made_up.prepare(tmp_path / "a", tmp_path / "out", boxes="mtcnn")
    assert not (tmp_path / "out").exists()
