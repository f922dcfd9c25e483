"""What `predict` does with a model that tells its expected error, and with one that does not."""

import numpy as np
import pytest

from rankpose_tf.core import draw
from rankpose_tf.inference.estimator import PoseEstimator
from rankpose_tf.prediction import drawings, lines, results
from rankpose_tf.prediction import run as prediction
from rankpose_tf.prediction.inputs import expand
from rankpose_tf.prediction.results import Row
from rankpose_tf.prediction.smoothing import RotationSmoother

GREY = np.full((64, 64, 3), 100, np.uint8)


def estimator(error):
    """Always looks ahead and expects `error` of each angle; None tells none."""
    answer = [0.0] * 3 + ([] if error is None else [error] * 3)
    return PoseEstimator(
        lambda crops: np.tile(answer, (len(crops), 1)), {"input_size": 32, "crop_scale": 1.4}
    )


@pytest.fixture
def picture(tmp_path):
    drawings.write_picture(tmp_path / "face.png", GREY)
    return str(tmp_path / "face.png")


@pytest.mark.parametrize("error", [None, 2.5, 60.0])
def test_rows_have_the_errors_of_a_model_that_tells_them(picture, tmp_path, error):
    out = tmp_path / "poses.csv"
    prediction.run(expand([picture]), estimator(error), out=out, crops=True, progress=False)
    (row,) = results.read(out)
    assert row.angles == (0, 0, 0)
    assert row.errors == (None if error is None else (error,) * 3)


@pytest.mark.parametrize("kind", ["axes", "cube"])
def test_a_doubted_pose_is_drawn_in_grey(kind):
    sure = drawings.annotate(GREY, [drawings.DrawnFace(None, (20, 10, 5))], kind)
    doubted = drawings.annotate(GREY, [drawings.DrawnFace(None, (20, 10, 5), doubted=True)], kind)
    assert (np.ptp(sure.astype(int), axis=2) > 0).any()
    assert not np.ptp(doubted.astype(int), axis=2).any()
    assert (doubted != GREY).any()


def test_the_picture_under_a_grey_drawing_keeps_its_colours():
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    drawn = colours.copy()
    drawn[5] = (255, 0, 0)
    grey = draw.greyed(colours, drawn)
    np.testing.assert_array_equal(np.delete(grey, 5, axis=0), np.delete(colours, 5, axis=0))
    assert not np.ptp(grey[5].astype(int), axis=1).any()


def test_a_line_says_that_a_pose_is_doubted():
    row = Row("a.jpg", face=0, angles=(1, 2, 3), errors=(50, 60, 70))
    assert lines.sentence(row).endswith("doubted: may be off by 60")
    assert "doubted" not in lines.sentence(row._replace(errors=(1, 2, 3)))
    assert "doubted" not in lines.sentence(row._replace(errors=None))


def smoothed(errors, angles):
    smoother = RotationSmoother()
    frames = zip(angles, errors, strict=True)
    return np.array(
        [smoother.filter((yaw, 0, 0), n / 30, error) for n, (yaw, error) in enumerate(frames)]
    )


def test_a_doubted_frame_moves_a_face_less():
    angles = [0.0] * 10 + [40.0] + [0.0] * 10
    sure = smoothed([(3, 3, 3)] * 21, angles)
    doubted = smoothed([(3, 3, 3)] * 10 + [(60, 60, 60)] + [(3, 3, 3)] * 10, angles)
    assert np.abs(doubted).max() < np.abs(sure).max() / 20


def test_usual_errors_and_none_smooth_alike():
    angles = np.random.default_rng(0).normal(0, 3, 30)
    np.testing.assert_array_equal(smoothed([(4, 5, 6)] * 30, angles), smoothed([None] * 30, angles))


def test_a_face_that_begins_in_doubt_is_not_held_back_by_it():
    found = smoothed([(60, 60, 60), (3, 3, 3)], [50.0, 0.0])
    assert found[:, 0].tolist() == [50.0, 0.0]
