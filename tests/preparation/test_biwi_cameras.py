"""Calibrations of BIWI: read, put together, and turned into labels."""

import math

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import biwi_boxes, biwi_cameras, sources
from tests.support import made_up_biwi as made_up


def test_calibration_turns_the_label_and_nothing_else_does(tmp_path):
    # Seen from a camera that turns what it sees by 8 degrees, a head at 20 is at 28.
    # It stands where that camera has it in the middle of its picture.
    centre = made_up.turn(-8.0) @ (0.0, 0.0, 1000.0)
    label = made_up.pose_text((math.radians(20.0), 0.0, 0.0), centre)
    made_up.frame(tmp_path, "01/frame_00003", label=label, cal=made_up.cal_text(made_up.turn(8.0)))
    for calibration, yaw in ((False, 20.0), (True, 28.0)):
        (view,) = made_up.views(tmp_path, calibration=calibration).values()
        np.testing.assert_allclose(np.degrees(view.pose), (yaw, 0, 0), atol=1e-5)


def test_the_colour_camera_is_relative_to_the_depth_camera(tmp_path):
    (tmp_path / "rgb.cal").write_text(made_up.cal_text(made_up.turn(8.0), (-24.0, 5.0, 1.0)))
    (tmp_path / "depth.cal").write_text(made_up.cal_text(made_up.turn(3.0), (1.0, 2.0, 3.0)))
    source = sources.Folder(tmp_path)
    camera = biwi_cameras.read(source, "rgb.cal", "depth.cal")
    np.testing.assert_allclose(camera.rotation, made_up.turn(5.0), atol=1e-8)
    common = np.array([100.0, 50.0, 900.0])
    seen_by_depth = made_up.turn(3.0) @ common + (1, 2, 3)
    x, y, z = made_up.turn(8.0) @ common + (-24, 5, 1)
    pixels, distance = camera.project(seen_by_depth)
    np.testing.assert_allclose(
        [*pixels, distance], [32 + made_up.FOCAL * x / z, 24 + made_up.FOCAL * y / z, z], rtol=1e-7
    )


@pytest.mark.parametrize(
    "text", ["", "1 2 3\n", made_up.cal_text(2 * np.eye(3)), made_up.cal_text().replace("5", "x")]
)
def test_a_broken_calibration_stops_with_one_sentence(tmp_path, text):
    made_up.frame(tmp_path, "01/frame_00003")
    (tmp_path / "hpdb" / "01" / "rgb.cal").write_text(text)
    with pytest.raises(RankPoseError, match="01/rgb.cal' is no calibration"):
        made_up.plan_of(tmp_path)


def test_a_missing_calibration_says_which_option_needs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(biwi_boxes, "require_mtcnn", lambda: None)
    made_up.frame(tmp_path, "02/frame_00003")
    for options, argument in (
        ({}, "boxes"),
        ({"boxes": "mtcnn", "calibration": True}, "calibration"),
    ):
        with pytest.raises(RankPoseError, match=f"^{argument}: .*missing in sequence 02"):
            made_up.plan_of(tmp_path, **options)
