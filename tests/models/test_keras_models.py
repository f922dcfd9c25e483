"""Models that Keras itself trained on and saved: how they come back into the package."""

import keras
import numpy as np
import pytest

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import saving

CROPS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(one_block_model):
    """A model after a step of Keras' fit, with a loss that no other program knows."""

    def own_loss(true, predicted):
        return keras.ops.mean(keras.ops.abs(true - predicted))

    network, _ = saving.load_model(one_block_model)
    network.compile("sgd", own_loss)
    network.fit(CROPS, np.zeros((4, 3), np.float32), verbose=0)
    return network


def test_a_file_of_keras_is_told_what_to_call_which_makes_it_ours(
    fitted, one_block_model, tmp_path
):
    fitted.save(tmp_path / "keras.keras")
    with pytest.raises(RankPoseError, match="was saved by Keras.*call rankpose_tf.save"):
        rankpose_tf.load(tmp_path / "keras.keras")
    rankpose_tf.save(tmp_path / "keras.keras", tmp_path / "ours.keras", like=one_block_model)
    rankpose_tf.save(fitted, tmp_path / "same.keras", like=one_block_model)
    for name in ("ours.keras", "same.keras"):
        network, description = saving.load_model(tmp_path / name)
        np.testing.assert_allclose(network(CROPS), fitted(CROPS), atol=1e-6)
        assert description["crop_scale"] == 1.4 and "training_set" not in description
        assert keras.models.load_model(tmp_path / name).output_shape == (None, 3)
    estimator = rankpose_tf.load(tmp_path / "ours.keras")
    assert len(estimator.predict_crops(CROPS.astype(np.uint8))) == 4


def test_what_is_no_model_of_ours_is_refused(fitted, one_block_model, tmp_path):
    other = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    (tmp_path / "damaged.keras").write_bytes(b"half a file")
    for model, told in (
        (other, "no single-image model"),
        (None, "expected a Keras model or a .keras file"),
        (tmp_path / "damaged.keras", "could not be read"),
    ):
        with pytest.raises(RankPoseError, match=told):
            rankpose_tf.save(model, tmp_path / "new.keras", like=one_block_model)
    with pytest.raises(RankPoseError, match="input_size"):
        rankpose_tf.save(fitted, tmp_path / "new.keras", like="wide")
    with pytest.raises(RankPoseError, match="exists already"):
        rankpose_tf.save(fitted, tmp_path / "damaged.keras", like=one_block_model)
    assert not (tmp_path / "new.keras").exists()
