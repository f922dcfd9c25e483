"""The speed measurements run, and measure what they say."""

import numpy as np
import pytest

from rankpose_tf.inference.estimator import PoseEstimator
from rankpose_tf.studies import speed


@pytest.fixture(scope="module")
def estimator():
    def network(crops):
        return crops.reshape(len(crops), -1)[:, :3].astype(np.float64)

    return PoseEstimator(network, {"input_size": 32, "crop_scale": 1.4})


def test_overhead_is_what_predict_adds_to_the_network(estimator, monkeypatch):
    monkeypatch.setattr(speed, "_CALLS", 5)
    for row in speed.overhead(estimator).values():
        assert row["overhead"] == row["predict"] - row["network"] > 0


def test_a_small_folder_is_gone_through_again_and_every_picture_is_judged(
    estimator, tmp_path, monkeypatch
):
    monkeypatch.setattr(speed, "_ROUNDS", 1)
    paths = speed._pictures(None, tmp_path)
    found = speed.folder(estimator, paths[:3], 7, tmp_path)
    assert found["pictures"] == 7
    assert found["share"] == pytest.approx(found["run"] / found["reference"])
    lines = (tmp_path / "poses0.csv").read_text().splitlines()
    assert len(lines) == 1 + 7


def test_a_film_is_judged_to_its_last_frame(estimator, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "_ROUNDS", 1)
    monkeypatch.setattr(speed, "_FRAMES", 4)
    monkeypatch.setattr(speed.detection, "for_video", lambda: lambda image: [])
    paths = speed._pictures(None, tmp_path)
    found = speed.film(estimator, paths, tmp_path)
    assert found["frames"] == 4
    assert found["faces"] == 0
    assert found["frames_per_second"] > 0
