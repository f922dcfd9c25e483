"""Figures of a head-pose test against hand values, and a peer's known result."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import scipy.io

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import metrics


def test_mae_is_the_mean_absolute_difference_of_each_angle():
    true = [[10.0, -5.0, 0.0], [-20.0, 15.0, 2.0]]
    predicted = [[13.0, -9.0, 1.0], [-21.0, 15.0, -3.0]]
    mae = metrics.summarise(true, predicted)["mae"]
    yaw, pitch, roll = (3 + 1) / 2, (4 + 0) / 2, (1 + 5) / 2
    assert mae == pytest.approx(
        {"yaw": yaw, "pitch": pitch, "roll": roll, "mean": (yaw + pitch + roll) / 3}
    )


def test_median_mean_is_the_median_of_the_pictures_mean_errors():
    errors = np.array([[1.0, 2.0, 3.0], [9.0, 0.0, 0.0], [30.0, 60.0, 90.0]])
    median = metrics.summarise(np.zeros((3, 3)), errors)["median"]
    picture_means = [(1 + 2 + 3) / 3, 9 / 3, (30 + 60 + 90) / 3]
    assert median == pytest.approx(
        {"yaw": 9.0, "pitch": 2.0, "roll": 3.0, "mean": sorted(picture_means)[1]}
    )


def test_errors_are_not_wrapped_around_180_degrees():
    summary = metrics.summarise([[179.0, 0.0, 0.0]], [[-179.0, 0.0, 0.0]])
    assert summary["mae"]["yaw"] == 179 + 179
    assert summary["geodesic"]["mean"] == pytest.approx(360 - 2 * 179, abs=1e-4)


def test_share_under_counts_pictures_strictly_under_the_limit():
    errors = np.array([[3.0, 0.0, 0.0], [5.0, 5.0, 5.0], [4.0, 14.0, 27.0], [60.0, 0.0, 0.0]])
    shares = metrics.summarise(np.zeros((4, 3)), errors)["share_under"]
    assert shares["yaw"] == {"5": 2 / 4, "10": 3 / 4, "15": 3 / 4, "20": 3 / 4, "30": 3 / 4}
    # Mean errors of the pictures: 1, 5, 15, 20.
    assert shares["mean"] == {"5": 1 / 4, "10": 2 / 4, "15": 2 / 4, "20": 3 / 4, "30": 4 / 4}


def test_geodesic_error_of_one_turned_axis_is_its_angle():
    geodesic = metrics.summarise([[40.0, 0.0, 0.0]] * 3, [[c, 0.0, 0.0] for c in (41, 42, 49)])
    assert geodesic["geodesic"] == pytest.approx({"mean": (1 + 2 + 9) / 3, "median": 2}, abs=1e-4)


def test_geodesic_error_at_gimbal_lock_is_small_where_angle_errors_are_large():
    # At 90 degrees of yaw pitch and roll turn about one axis: both describe the same head.
    summary = metrics.summarise([[90.0, 20.0, 20.0]], [[90.0, 0.0, 0.0]])
    assert summary["mae"]["pitch"] == 20
    other = metrics.summarise([[90.0, 20.0, -20.0]], [[90.0, 0.0, 0.0]])
    smaller, larger = sorted(s["geodesic"]["mean"] for s in (summary, other))
    assert (smaller, larger) == pytest.approx((0, 40), abs=1e-3)


def test_yaw_bins_hold_every_picture_once_and_are_null_where_empty():
    yaw = np.array([-170.0, -75.0, -15.0, 0.0, 14.9, 15.0, 99.0])
    true = np.stack([yaw, 0 * yaw, 0 * yaw], axis=1)
    rows = metrics.summarise(true, true + [1.0, 2.0, 3.0])["by_yaw"]
    assert [row["images"] for row in rows] == [1, 1, 0, 3, 1, 0, 1]
    assert [row["from"] for row in rows] == [None, *metrics.YAW_EDGES]
    assert [row["to"] for row in rows] == [*metrics.YAW_EDGES, None]
    assert rows[2]["mae"] is None
    assert rows[3]["mae"] == pytest.approx({"yaw": 1, "pitch": 2, "roll": 3, "mean": 2})


def test_mae_is_the_bins_weighted_by_their_counts():
    random = np.random.default_rng(0)
    true, predicted = random.uniform(-99, 99, (2, 500, 3))
    summary = metrics.summarise(true, predicted)
    whole = sum(row["images"] * row["mae"]["pitch"] for row in summary["by_yaw"]) / 500
    assert whole == pytest.approx(summary["mae"]["pitch"])


def test_summary_can_be_written_as_json():
    summary = metrics.summarise(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_predictions_that_are_not_finite_are_counted_and_the_first_is_named():
    predicted = np.zeros((4, 3))
    predicted[1, 0], predicted[3, 2] = np.nan, np.inf
    with pytest.raises(RankPoseError, match=r"predicted: 2 of 4 .*first is row 1"):
        metrics.summarise(np.zeros((4, 3)), predicted)
    with pytest.raises(RankPoseError, match=r"2 of 4 .*first is 'b\.jpg'"):
        metrics.summarise(np.zeros((4, 3)), predicted, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3)), r"true: .*\(N, 3\).*\(0, 3\)"),
        (np.zeros((2, 3)), np.zeros((2, 2)), r"predicted: .*\(2, 2\)"),
        (np.zeros((2, 3)), np.zeros((1, 3)), "as many rows as labels, 2, received 1"),
        (np.full((1, 3), np.nan), np.zeros((1, 3)), "true: 1 of 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(true, predicted, message):
    with pytest.raises(RankPoseError, match=message):
        metrics.summarise(true, predicted)


def _labels(archive):
    """Name -> yaw, pitch, roll in degrees, of every .mat in a zip of AFLW2000-3D."""
    labels = {}
    for name in archive.namelist():
        if name.endswith(".mat"):
            mat = scipy.io.loadmat(io.BytesIO(archive.read(name)), variable_names=["Pose_Para"])
            pitch, yaw, roll = np.degrees(mat["Pose_Para"][0, :3])
            labels[name.rsplit("/", 1)[-1].removesuffix(".mat")] = (yaw, pitch, roll)
    return labels


def test_scores_fsanet_as_published_for_it(shared_data):
    with zipfile.ZipFile(shared_data / "aflw2000_dev.zip") as archive:
        labels = _labels(archive)
    usable = {name for name, angles in labels.items() if np.abs(angles).max() <= 99}
    with (shared_data / "fsanet_predictions_dev.csv").open(newline="") as lines:
        rows = {row["image"]: row for row in csv.DictReader(lines)}
    assert set(rows) == usable
    predicted = [[float(row[angle]) for angle in metrics.COLUMNS[:3]] for row in rows.values()]
    summary = metrics.summarise([labels[name] for name in rows], predicted)
    published = {"yaw": 4.69, "pitch": 6.08, "roll": 4.57, "mean": 5.11}
    assert {angle: round(value, 2) for angle, value in summary["mae"].items()} == published
