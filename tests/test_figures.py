"""Figures of an evaluation: which pictures, which numbers, and files that are whole."""

import cv2
import numpy as np
import pytest

from rankpose_tf import evaluation, figures, metrics
from rankpose_tf.errors import RankPoseError


def made_up(count, seed=0):
    generator = np.random.default_rng(seed)
    true = generator.uniform(-80, 80, (count, 3))
    return true, true + generator.normal(0, 5, (count, 3))


def test_the_grid_shows_the_best_the_middle_and_the_worst_in_order():
    errors = np.random.default_rng(0).permutation(100).astype(float)
    chosen = figures.spread(errors, 9)
    np.testing.assert_array_equal(errors[chosen], [0, 1, 2, 48, 49, 50, 97, 98, 99])


def test_a_small_set_is_shown_whole():
    errors = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(figures.spread(errors, 24), [1, 2, 0])


def test_bins_of_15_degrees_hold_the_means_of_their_errors():
    centres, means = figures.binned([-1.0, -14.0, 0.0, 14.9, 40.0], np.array([1, 3, 5, 7, 9.0]))
    np.testing.assert_array_equal(centres, [-7.5, 7.5, 37.5])
    np.testing.assert_array_equal(means, [2.0, 6.0, 9.0])


def test_cumulative_error_draws_shares_of_every_model():
    errors = np.tile(np.array([[4.0], [1.0], [3.0], [2.0]]), 4)
    figure = figures.cumulative_error({"one": errors, "other": errors + 1})
    for panel in figure.axes:
        one, other = panel.get_lines()
        np.testing.assert_array_equal(one.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(one.get_ydata(), [0.25, 0.5, 0.75, 1.0])
        np.testing.assert_array_equal(other.get_xdata(), [2, 3, 4, 5])


def test_error_by_angle_has_a_point_a_picture():
    true, predicted = made_up(40)
    figure = figures.error_by_angle(true, metrics.absolute_errors(true, predicted))
    for column, panel in enumerate(figure.axes):
        points = panel.get_lines()[0]
        np.testing.assert_array_equal(points.get_xdata(), true[:, column])


def test_evaluate_writes_the_figures_beside_its_results(small_model, prepared, tmp_path):
    evaluation.evaluate(model=small_model, data=prepared, out=tmp_path / "out", plots=True)
    names = ("cumulative_error.png", "error_by_angle.png", "grid.png")
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == set(names)
    for name in names:
        picture = cv2.imread(str(tmp_path / "out" / name))
        assert min(picture.shape[:2]) > 200
        assert picture.std() > 5


def test_without_matplotlib_nothing_is_evaluated(small_model, prepared, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RankPoseError, match=r"matplotlib.*rankpose_tf\[plots\]"):
        evaluation.evaluate(model=small_model, data=prepared, out=tmp_path / "out", plots=True)
    assert not (tmp_path / "out").exists()
