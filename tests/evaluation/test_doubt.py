"""Figures of expected errors."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import doubt
from rankpose_tf.evaluation import run as evaluation


def poses(errors):
    """Labels of 0 and predictions that err by `errors` (N,), alike in each angle."""
    return np.zeros((len(errors), 3)), np.tile(np.asarray(errors, float)[:, None], (1, 3))


def test_share_within_is_counted_by_angle():
    true, predicted = poses([1, 2, 3, 4])
    expected = np.column_stack([[1.0, 2, 3, 4], [0.5, 2, 2, 4], [0.0, 0, 0, 0]])
    assert doubt.summarise(true, predicted, expected)["within"] == {
        "yaw": 1.0, "pitch": 0.5, "roll": 0.0, "mean": 0.5,
    }  # fmt: skip


def test_doubt_that_is_the_error_finds_all_that_a_tenth_can_carry():
    errors = np.arange(1.0, 21.0)
    figures = doubt.summarise(*poses(errors), poses(errors)[1])
    possible = (19 + 20) / errors.sum()
    assert figures["doubted_tenth"]["share_of_error"] == pytest.approx(possible)
    assert figures["doubted_tenth"]["possible"] == pytest.approx(possible)
    assert figures["other_nine_tenths"]["mae"] == pytest.approx(np.mean(np.arange(1, 19)))
    assert figures["other_nine_tenths"]["lower"] == pytest.approx(1 - 9.5 / 10.5)


def test_doubt_that_knows_nothing_leaves_the_mae_as_it_is():
    figures = doubt.summarise(*poses([5.0] * 10), np.ones((10, 3)))
    assert figures["other_nine_tenths"] == {"mae": 5.0, "lower": 0.0}
    assert figures["doubted_tenth"]["share_of_error"] == pytest.approx(0.1)


def test_the_curve_begins_with_all_and_ends_with_the_surest():
    curve = doubt.mae_of_the_rest([3.0, 1.0, 2.0], [0.1, 0.3, 0.2])
    np.testing.assert_allclose(curve, [2.0, 2.5, 3.0])


def test_pictures_over_twenty_degrees_are_doubted():
    figures = doubt.summarise(*poses([1.0] * 4), [[20, 20, 20], [21, 21, 21], [60, 0, 1], [1] * 3])
    assert figures["doubted"] == 0.5


def test_another_number_of_expected_errors_is_refused():
    with pytest.raises(RankPoseError, match=r"expected shape \(3, 3\)"):
        doubt.summarise(*poses([1.0, 2.0, 3.0]), np.ones((2, 3)))


def test_evaluate_tells_them_of_a_model_that_has_them(doubting_model, prepared, tmp_path):
    """Of one that has none: test_plots.py."""
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    result, _ = evaluation.evaluate(model=doubting_model, data=prepared, out=out, plots=True)
    assert "expected_error" in result and (out / "sparsification.png").is_file()
    assert "errors within the expected" in evaluation.table(result)
    header = (out / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith("error_mean,expected_yaw,expected_pitch,expected_roll")
