"""The head of the expected error, on a model that stays as it is."""

import keras
import numpy as np
import pytest

from rankpose_tf.models import expected_error, folding, saving, towers
from tests.support.networks import DESCRIPTION, SIZE, pictures, randomised


@pytest.fixture(scope="module")
def tower():
    keras.utils.set_random_seed(0)
    return randomised(towers.build_tower("compact", SIZE, "arccos", "none"))


@pytest.fixture(scope="module")
def whole(tower):
    return expected_error.with_head(tower, expected_error.new_head(192, 8))


def test_errors_are_between_zero_and_a_right_angle():
    z = np.array([-100.0, -2.0, 0.0, 100.0], np.float32)
    errors = expected_error.up_to_a_right_angle(z).numpy()
    np.testing.assert_allclose(errors[2], np.pi / 4, rtol=1e-6)
    assert errors.min() >= 0 and errors.max() <= np.pi / 2


def test_logit_takes_back_what_makes_an_error():
    errors = np.radians([0.5, 3.0, 60.0])
    again = expected_error.up_to_a_right_angle(expected_error.logit(errors).astype(np.float32))
    np.testing.assert_allclose(again, errors, rtol=1e-5)


def test_the_pose_is_the_same_to_the_last_bit(tower, whole, tmp_path):
    images = pictures(5).astype(np.float32)
    saving.save_model(tower, tmp_path / "plain.keras", DESCRIPTION)
    saving.save_model(whole, tmp_path / "whole.keras", DESCRIPTION)
    plain = saving.load_model(tmp_path / "plain.keras")[0](images)
    np.testing.assert_array_equal(saving.load_model(tmp_path / "whole.keras")[0](images), plain)
    both = saving.load_model(tmp_path / "whole.keras", errors=True)[0](images).numpy()
    assert both.shape == (5, 6)
    np.testing.assert_array_equal(both[:, :3], plain)
    np.testing.assert_array_equal(both[:, 3:], whole(images)["error"])


def test_a_model_without_the_head_has_no_errors_to_give(tower, tmp_path):
    saving.save_model(tower, tmp_path / "plain.keras", DESCRIPTION)
    network, _ = saving.load_model(tmp_path / "plain.keras", errors=True)
    assert network(pictures(2).astype(np.float32)).shape == (2, 3)


def test_another_head_takes_the_place_of_the_first(tower, whole):
    again = expected_error.with_head(whole, expected_error.new_head(192, 4))
    images = pictures(2).astype(np.float32)
    assert again.count_params() < whole.count_params()
    np.testing.assert_array_equal(again(images)["pose"], tower(images))


def test_folding_keeps_both_outputs(whole, tmp_path):
    saving.save_model(whole, tmp_path / "whole.keras", DESCRIPTION)
    network, _ = saving.load_model(tmp_path / "whole.keras", errors=True)
    images = pictures(3).astype(np.float32)
    np.testing.assert_allclose(folding.fold(network)(images), network(images), atol=1e-4)
    assert folding.fold(network)(images[:0]).shape == (0, 6)
