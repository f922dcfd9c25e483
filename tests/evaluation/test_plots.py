"""Figures of an evaluation: which pictures, which numbers, and files that are whole."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import metrics, plots
from rankpose_tf.evaluation import run as evaluation


def made_up(count, seed=0):
    generator = np.random.default_rng(seed)
    true = generator.uniform(-80, 80, (count, 3))
    return true, true + generator.normal(0, 5, (count, 3))


def test_the_grid_shows_the_best_the_middle_and_the_worst_in_order():
    errors = np.random.default_rng(0).permutation(100).astype(float)
    chosen = plots.spread(errors, 9)
    np.testing.assert_array_equal(errors[chosen], [0, 1, 2, 48, 49, 50, 97, 98, 99])


def test_a_small_set_is_shown_whole():
    errors = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(plots.spread(errors, 24), [1, 2, 0])


def test_bins_of_15_degrees_hold_the_means_of_their_errors():
    angles = [-1.0, -14.0, 0.0, 14.9, 40.0]
    centres, means, counts = plots.binned(angles, np.array([1, 3, 5, 7, 9.0]))
    np.testing.assert_array_equal(centres, [-7.5, 7.5, 37.5])
    np.testing.assert_array_equal(means, [2.0, 6.0, 9.0])
    np.testing.assert_array_equal(counts, [2, 2, 1])


def test_cumulative_error_draws_shares_of_every_model():
    errors = np.tile(np.array([[4.0], [1.0], [3.0], [2.0]]), 4)
    figure = plots.cumulative_error({"one": errors, "other": errors + 1})
    for panel in figure.axes:
        one, other = panel.get_lines()
        np.testing.assert_array_equal(one.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(one.get_ydata(), [0.25, 0.5, 0.75, 1.0])
        np.testing.assert_array_equal(other.get_xdata(), [2, 3, 4, 5])


def test_cumulative_error_names_every_model_with_its_mean_and_a_colour_of_its_own():
    errors = np.tile(np.array([[4.0], [1.0], [3.0], [2.0]]), 4)
    figure = plots.cumulative_error({f"model {k}": errors + k for k in range(8)})
    for panel in figure.axes:
        labels = [text.get_text() for text in panel.get_legend().get_texts()]
        assert labels == [f"model {k}, mean {2.5 + k:.2f}" for k in range(8)]
        assert len({line.get_color() for line in panel.get_lines()}) == 8


def test_error_by_angle_has_a_point_a_picture_and_none_outside_the_panel():
    true, predicted = made_up(40)
    predicted[7] = true[7] + (0, 0, 85)
    true[3, 0] = 150
    figure = plots.error_by_angle(true, metrics.absolute_errors(true, predicted))
    for column, panel in enumerate(figure.axes):
        points = panel.get_lines()[0]
        np.testing.assert_array_equal(points.get_xdata(), true[:, column])
        np.testing.assert_array_equal(points.get_ydata(), np.abs(true - predicted)[:, column])
        for data, (low, high) in (
            (points.get_xdata(), panel.get_xlim()),
            (points.get_ydata(), panel.get_ylim()),
        ):
            assert low <= data.min() and data.max() < high


def test_means_of_few_pictures_are_drawn_hollow():
    true = np.repeat([[5.0, 5.0, 5.0], [35.0, 35.0, 35.0]], (10, 9), axis=0)
    figure = plots.error_by_angle(true, np.ones((19, 4)))
    for panel in figure.axes:
        many, few = panel.get_lines()[2:]
        assert (many.get_xdata().tolist(), few.get_xdata().tolist()) == ([7.5], [37.5])
        assert few.get_markerfacecolor() == "white" != many.get_markerfacecolor()


def test_captions_hold_the_errors_alone():
    true, predicted = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]]), np.zeros((2, 3))
    figure = plots.grid([np.zeros((32, 32, 3), np.uint8)] * 2, true, predicted)
    captions = [cell.get_title() for cell in figure.axes[:2]]
    assert captions == ["0.0 (0, 0, 0), rotation 0.0", "3.3 (10, 0, 0), rotation 10.0"]


def test_groups_are_named_at_the_first_of_their_rows():
    true, predicted = made_up(24)
    pictures = [np.zeros((32, 32, 3), np.uint8)] * 24
    figure = plots.grid(pictures, true, predicted, ("best", "middle", "worst"))
    named = {index: cell.get_ylabel() for index, cell in enumerate(figure.axes)}
    assert {k: v for k, v in named.items() if v} == {0: "best", 8: "middle", 16: "worst"}


def test_pictures_of_a_stream_come_in_the_order_asked_for():
    class Tensor:
        def __init__(self, values):
            self.values = values

        def numpy(self):
            return self.values

    def batches():
        for start in (0, 3, 6):
            numbers = np.arange(start, start + 3, dtype=np.float32)
            yield {"image": Tensor(np.tile(numbers[:, None, None, None], (1, 2, 2, 3)))}
        raise AssertionError("read on after the last picture was found")

    pictures = plots.pictures_at(batches(), np.array([7, 0, 4]))
    assert [picture.max() for picture in pictures] == [7, 0, 4]
    assert all(picture.dtype == np.uint8 and picture.min() == picture.max() for picture in pictures)


def test_evaluate_writes_the_figures_beside_its_results(small_model, prepared, tmp_path):
    out = tmp_path / "out"
    result, _ = evaluation.evaluate(model=small_model, data=prepared, out=out, plots=True)
    names = ("cumulative_error.png", "error_by_angle.png", "grid.png", "worst.png")
    assert {path.name for path in out.glob("*.png")} == set(names)
    for name in names:
        picture = cv2.imread(str(out / name))
        assert min(picture.shape[:2]) > 200
        assert picture.std() > 5
    # Of a model that tells no expected error: nothing speaks of one.
    assert "expected_error" not in result
    assert "errors within the expected" not in evaluation.table(result)
    assert (out / "predictions.csv").read_text().splitlines()[0].endswith("error_mean")


def test_without_matplotlib_nothing_is_evaluated(small_model, prepared, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RankPoseError, match=r"matplotlib.*rankpose_tf\[plots\]"):
        evaluation.evaluate(model=small_model, data=prepared, out=tmp_path / "out", plots=True)
    assert not (tmp_path / "out").exists()


def test_the_axis_of_cumulative_errors_fits_and_counts_what_is_beyond():
    errors = np.repeat(np.arange(1.0, 101.0)[:, None] / 10, 4, axis=1)
    assert plots.error_limit([errors, 3 * errors]) == 30
    assert plots.error_limit([errors / 10]) == 10
    assert plots.error_limit([100 * errors]) == 90
    far = errors.copy()
    far[-2:, 1] = 95
    figure = plots.cumulative_error({"one": far})
    labels = [panel.get_legend().get_texts()[0].get_text() for panel in figure.axes]
    means = far.mean(axis=0)
    assert labels == [
        f"one, mean {mean:.2f}" + " (2 beyond)" * (k == 1) for k, mean in enumerate(means)
    ]
    assert [panel.get_xlim() for panel in figure.axes] == [(0, 10)] * 4


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    import errno

    class Figure:
        def savefig(self, path, dpi):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RankPoseError, match=r"plots: .*a.png.* \(No space left on device\)"):
        plots.save(Figure(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_figure_that_fails_leaves_the_one_that_was_there(tmp_path):
    class Figure:
        def savefig(self, path, dpi):
            path.write_bytes(b"half")
            raise ZeroDivisionError

    (tmp_path / "a.png").write_bytes(b"whole")
    with pytest.raises(ZeroDivisionError):
        plots.save(Figure(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 1
