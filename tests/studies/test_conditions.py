"""Changed crops are changed as their names say, and the table is the evaluation's."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.studies import conditions


def crops(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, 50, 50, 3)).astype(np.float32)


def test_dark_crops_have_their_share_of_light_and_the_noise():
    light = np.full((4, 50, 50, 3), 200, np.float32)
    dark = conditions.darkened(light, 1 / 4)
    # Standard error of 30,000 values, and of rounding.
    assert abs(dark.mean() - 200 / 4) < 5 * conditions._NOISE / np.sqrt(dark.size)
    assert abs(dark.std() - conditions._NOISE) < 0.1
    assert conditions.darkened(light * 0, 1).min() == 0
    np.testing.assert_array_equal(dark, conditions.darkened(light, 1 / 4))


def test_a_cover_is_grey_where_it_is_and_nowhere_else():
    before = crops()
    after = conditions.covered(before, 0.2, 0.5, 0.8, 0.9)
    inside = np.zeros((50, 50), bool)
    inside[25:45, 10:40] = True
    assert (after[:, inside] == 128).all()
    np.testing.assert_array_equal(after[:, ~inside], before[:, ~inside])
    np.testing.assert_array_equal(before, crops())


def test_blur_and_small_crops_keep_the_mean_and_lose_the_grain():
    before = crops()
    for after in (conditions.blurred(before, 0.06), conditions.small(before, 10)):
        assert after.shape == before.shape
        assert after.std() < before.std() / 3
        np.testing.assert_allclose(after.mean(axis=(1, 2)), before.mean(axis=(1, 2)), rtol=0.05)
    grey = np.full((1, 50, 50, 3), 77, np.float32)
    np.testing.assert_allclose(conditions.small(conditions.blurred(grey, 0.03), 16), 77, atol=1e-3)


def test_the_first_row_is_that_of_the_evaluation_and_all_are_in_the_table(
    prepared, small_model, tmp_path
):
    found = conditions.measure(small_model, prepared)
    assert list(found) == list(conditions.CONDITIONS)
    plain, _ = evaluation.evaluate(model=small_model, data=prepared, out=tmp_path / "evaluation")
    assert found["as they are"] == pytest.approx(plain["mae"])
    # Crops of this model have 32 pixels, so that one row is the first again.
    assert len({row["mean"] for row in found.values()}) == len(found) - 1
    lines = conditions.table(found).splitlines()
    assert len(lines) == 2 + len(found)
    assert lines[2].endswith(f"| {plain['mae']['mean']:.2f} |")


def test_a_folder_that_is_none_is_named(small_model, tmp_path):
    with pytest.raises(RankPoseError, match="data: "):
        conditions.measure(small_model, tmp_path)
