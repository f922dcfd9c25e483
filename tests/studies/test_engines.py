"""The comparison of engines times what it says, as ratios to the estimator."""

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import engines


def test_the_estimator_is_what_engines_are_compared_with(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "_ROUNDS", 2)
    rows = engines._times("compact", tmp_path, [], 1)
    assert list(rows) == [engines.ESTIMATOR]
    row = rows[engines.ESTIMATOR]
    assert row["ratio"] == 1.0
    assert 0 < row["least"] <= row["median"]


def test_first_poses_take_turns_and_the_ratio_is_of_their_medians(monkeypatch, tmp_path):
    starts = []
    monkeypatch.setattr(engines, "_start", lambda name, runtime, picture: starts.append(runtime))
    clock = iter([0.0, 1.0, 1.0, 6.0] * engines._STARTS)
    monkeypatch.setattr(engines.time, "perf_counter", lambda: next(clock))
    assert engines.first_pose("wide", tmp_path) == {"litert": 1.0, "keras": 5.0, "ratio": 5.0}
    assert starts == ["litert", "keras"] * engines._STARTS
    assert (tmp_path / "picture.jpg").stat().st_size > 1000


def test_a_start_that_fails_is_told(tmp_path):
    with pytest.raises(RankPoseError, match="gave no pose: (.|\n)*absent.jpg"):
        engines._start("compact", "litert", tmp_path / "absent.jpg")


def test_models_that_are_not_in_the_package_are_timed_elsewhere():
    with pytest.raises(RankPoseError, match="model: expected one of wide, compact, received 'x'"):
        engines.measure("x")


def test_the_table_shows_both():
    row = {"median": 1.5, "least": 1.0, "ratio": 2.0}
    figures = {
        "first_pose": {"litert": 0.5, "keras": 5.0, "ratio": 10.0},
        "engines": {"1": {"load()": row}, "default": {"load()": row}},
    }
    text = engines.table(figures)
    assert "0.50 s, through Keras 5.00 s: 10.0 times as long" in text
    assert text.splitlines()[-1].split() == ["load()", "1.50", "1.50", "2.00", "2.00"]
