"""Any number of pictures, none included: `layers.any_batch`, and the models made so."""

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.models import layers, saving


@pytest.mark.parametrize("count", [0, 1, 65])
def test_at_least_one_picture_is_computed_and_as_many_answered_as_came(count):
    computed = []

    def outputs(images):
        computed.append(tf.shape(images)[0])
        return {"rows": images[:, 0], "mean": tf.reduce_mean(images, axis=(1, 2, 3))}

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def in_graph(images):
        return layers.any_batch(outputs)(images), computed.pop()

    images = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)
    for function in (in_graph, lambda images: (layers.any_batch(outputs)(images), computed.pop())):
        answers, length = function(tf.constant(images))
        np.testing.assert_array_equal(answers["rows"], images[:, 0])
        assert answers["mean"].shape == (count,)
        assert length == max(1, count)


def test_a_batch_of_known_length_is_not_touched():
    images = tf.zeros((2, 4, 4, 3))
    assert layers.any_batch(lambda given: given)(images) is images

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3))])
    def in_graph(images):
        return layers.any_batch(tf.negative)(images)

    operations = {node.op for node in in_graph.get_concrete_function().graph.as_graph_def().node}
    assert not operations & {"Shape", "ConcatV2", "StridedSlice"}


def test_a_loaded_model_answers_none_with_none_and_can_be_saved_again(small_model, tmp_path):
    network, description = saving.load_model(small_model)
    saving.save_model(network, tmp_path / "again.keras", description)
    again, _ = saving.load_model(tmp_path / "again.keras")
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    for model in (network, again):
        assert model.predict_on_batch(images[:0]).shape == (0, 3)
        np.testing.assert_array_equal(
            model.predict_on_batch(images), network.predict_on_batch(images)
        )
