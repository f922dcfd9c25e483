"""Maps after a tower's stages, and the distribution of their variance."""

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import towers
from rankpose_tf.studies import activations


@pytest.fixture(scope="module")
def resnet():
    return towers.build_tower("resnet50", 64, weights="none")


def pictures(count, size=32, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def made_up_tower():
    """A tower whose first stage gives the three colours as they are, and constant 7."""
    images = keras.Input((None, None, 3))
    maps = keras.ops.concatenate([images, keras.ops.zeros_like(images[..., :1]) + 7], axis=-1)
    maps = keras.layers.Activation("linear", name="stage1_block1_out")(maps)
    return keras.Model(images, maps)


def test_stages_of_resnet50_are_its_four(resnet):
    assert activations.stage_layers(resnet) == [
        "conv2_block3_out",
        "conv3_block4_out",
        "conv4_block6_out",
        "conv5_block3_out",
    ]


def test_stages_of_the_compact_tower_end_with_their_last_block():
    tower = towers.build_tower("compact", 32)
    expected = ["stage1_block1_out", "stage2_block2_out", "stage3_block2_out"]
    assert activations.stage_layers(tower) == expected


def test_the_tenth_block_comes_after_the_ninth():
    images = maps = keras.Input((8, 8, 3))
    for block in range(1, 11):
        maps = keras.layers.Activation("linear", name=f"stage1_block{block}_out")(maps)
    assert activations.stage_layers(keras.Model(images, maps)) == ["stage1_block10_out"]


def test_a_network_without_known_stages_is_refused():
    images = keras.Input((8, 8, 3))
    other = keras.Model(images, keras.layers.Conv2D(2, 3, name="block1_out")(images))
    with pytest.raises(RankPoseError, match=r"model: .*resnet50 or a compact"):
        activations.stage_layers(other)


def test_maps_of_resnet50_have_a_place_for_every_stride(resnet):
    maps = activations.mean_maps_model(resnet).predict_on_batch(pictures(2, 50))
    assert [one.shape for one in maps] == [(2, 64 // s, 64 // s) for s in (4, 8, 16, 32)]


def test_maps_of_resnet50_are_those_of_its_layers(resnet):
    backbone, images = resnet.get_layer("resnet50"), pictures(1, 64)
    layer = keras.Model(backbone.input, backbone.get_layer("conv3_block4_out").output)
    expected = layer(resnet.get_layer("caffe")(images)).numpy().mean(axis=-1)
    found = activations.mean_maps_model(resnet).predict_on_batch(images)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_normalised_maps_reach_from_0_to_1_each_on_its_own(small_model):
    tower, about = activations.load(small_model)
    maps = activations.mean_maps_model(tower).predict_on_batch(pictures(3, about["input_size"]))
    assert [one.shape for one in maps] == [(3, 32 // s, 32 // s) for s in (4, 8, 16)]
    for one in map(activations.normalised, maps):
        np.testing.assert_array_equal(one.min(axis=(1, 2)), 0)
        np.testing.assert_array_equal(one.max(axis=(1, 2)), 1)


def test_a_constant_map_is_0_and_others_keep_their_proportions():
    maps = np.stack([np.full((2, 2), 5.0), [[2.0, 4.0], [3.0, 6.0]]])
    with np.errstate(all="raise"):
        found = activations.normalised(maps)
    np.testing.assert_array_equal(found, [np.zeros((2, 2)), [[0, 2 / 4], [1 / 4, 1]]])


def test_variances_are_over_the_pixels_of_a_channel_and_of_the_scaled_mean():
    images = pictures(3, 8)
    of_channels, means = activations.first_stage_model(made_up_tower()).predict_on_batch(images)
    expected = images.var(axis=(1, 2))
    np.testing.assert_allclose(of_channels[:, :3], expected, rtol=1e-4)
    np.testing.assert_array_equal(of_channels[:, 3], 0)
    np.testing.assert_allclose(means, (images.sum(axis=-1) + 7) / 4, rtol=1e-5)


def test_distributions_count_every_map_of_every_batch_and_constant_ones_apart():
    images = pictures(5, 8) / 255
    scaled = activations.normalised((images.sum(axis=-1) + 7) / 4).var(axis=(1, 2))
    found = activations.variances(
        activations.first_stage_model(made_up_tower()), [images[:3], images[3:]]
    )
    channels, mean_map = found["channels"], found["mean_map"]
    assert (channels["maps"], channels["constant"], channels["counts"].sum()) == (20, 5, 15)
    assert channels["sum"] == pytest.approx(images.var(axis=(1, 2)).sum(), rel=1e-5)
    expected, _ = np.histogram(scaled, activations.MEAN_MAP_EDGES)
    np.testing.assert_array_equal(mean_map["counts"], expected)
    assert (mean_map["maps"], mean_map["constant"]) == (5, 0)


def test_values_beyond_the_bins_are_in_the_outermost():
    edges = np.array([1.0, 2.0, 4.0])
    distribution = activations.histogram(edges)
    activations.add(distribution, edges, [[0.5, 1.5], [100.0, 3.0]])
    assert distribution["counts"].tolist() == [2, 2]
    # Two of four maps are in each bin.
    assert activations.median(distribution, edges) == 2.0


def test_a_distribution_of_constant_maps_has_no_median():
    distribution = activations.histogram(np.array([1.0, 2.0]))
    activations.add(distribution, np.array([1.0, 2.0]), [0.0, 1e-9])
    assert distribution["constant"] == 2
    assert activations.median(distribution, np.array([1.0, 2.0])) is None


def test_a_checkpoint_of_a_training_gives_its_tower(small_model, tmp_path):
    tower, about = activations.load(small_model)
    towers.build_siamese(tower, 32).save(tmp_path / "last.keras")
    found, about_checkpoint = activations.load(tmp_path / "last.keras")
    images = pictures(2)
    np.testing.assert_allclose(
        found.predict_on_batch(images), tower.predict_on_batch(images), atol=1e-6
    )
    assert about_checkpoint == {"input_size": about["input_size"]}


def test_a_damaged_checkpoint_is_named(small_model, tmp_path):
    import zipfile

    path = tmp_path / "last.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"config": {"name": "siamese"}}')
    with pytest.raises(RankPoseError, match=r"model: the checkpoint .*last.keras.* damaged"):
        activations.load(path)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_text("nothing")
    for path in (tmp_path / "model.keras", tmp_path / "absent.keras", tmp_path):
        with pytest.raises(RankPoseError, match="model: "):
            activations.load(path)
