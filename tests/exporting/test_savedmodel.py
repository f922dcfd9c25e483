"""The SavedModel: signatures, pictures that can't be read, size, warm-up."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import square_crops, synthetic
from rankpose_tf.exporting import decoding, savedmodel
from rankpose_tf.inference import runtimes
from rankpose_tf.models import saving
from tests.support import session_loader

SIZE = 32
# What the outputs of one network may differ by when its graph is arranged anew.
DEGREES = 1e-3


@pytest.fixture(scope="module")
def network(every_format):
    return saving.load_model(every_format)


@pytest.fixture(scope="module")
def folder(every_format):
    return every_format / "savedmodel"


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def scenes():
    """Encoded pictures of several sizes with their boxes: JPEG, PNG, not square."""
    pictures, boxes = [], []
    for index, size in enumerate((60, 97, 130)):
        picture, box = synthetic.render(index, (0.4 - 0.3 * index, 0.1 * index, 0.2), size)
        picture = picture[: size - 7 * index]
        suffix = (".jpg", ".png", ".jpg")[index]
        pictures.append(cv2.imencode(suffix, picture[..., ::-1])[1].tobytes())
        boxes.append(box)
    return pictures, np.stack(boxes)


def angles(outputs):
    return np.stack([np.asarray(outputs[name]) for name in ("yaw", "pitch", "roll")], axis=1)


def keras_degrees(network, crops):
    return np.degrees(network[0].predict_on_batch(np.asarray(crops, np.float32)))


def test_whole_pictures_of_any_size_are_answered_as_keras_does(network, loaded, scenes):
    outputs = loaded.signatures["serving_default"](image_bytes=tf.constant(scenes[0]))
    expected = [keras_degrees(network, square_crops.decode(p)[tf.newaxis])[0] for p in scenes[0]]
    np.testing.assert_allclose(angles(outputs), expected, atol=DEGREES)
    assert outputs["valid"].numpy().all()


def test_scenes_are_cropped_as_in_training(network, loaded, scenes):
    pictures, boxes = scenes
    outputs = loaded.signatures["crop"](image_bytes=tf.constant(pictures), box=tf.constant(boxes))
    crops = [
        square_crops.crop_and_resize(
            square_crops.decode(p), square_crops.square_around(box, 1.4), SIZE
        )
        for p, box in zip(pictures, boxes, strict=True)
    ]
    np.testing.assert_allclose(angles(outputs), keras_degrees(network, crops), atol=DEGREES)


@pytest.mark.parametrize(("count", "height", "width"), [(1, 32, 32), (3, 32, 32), (2, 75, 50)])
def test_arrays_of_any_size_are_answered_as_keras_does(network, loaded, count, height, width):
    pictures = np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)
    outputs = loaded.signatures["image"](image=tf.constant(pictures))
    np.testing.assert_allclose(angles(outputs), keras_degrees(network, pictures), atol=DEGREES)


def test_a_picture_that_can_not_be_read_is_nan_and_its_neighbours_are_answered(loaded, scenes):
    good = scenes[0]
    header_only = good[1][:33]
    batch = [good[0], b"", b"no picture", good[0][:200], good[1], header_only, b"GIF89a\x01"]
    call = loaded.signatures["serving_default"]
    outputs = call(image_bytes=tf.constant(batch))
    np.testing.assert_array_equal(outputs["valid"], [i in (0, 4) for i in range(len(batch))])
    assert np.isnan(angles(outputs)[[1, 2, 3, 5, 6]]).all()
    alone = call(image_bytes=tf.constant([good[0], good[1]]))
    np.testing.assert_allclose(angles(outputs)[[0, 4]], angles(alone), atol=DEGREES)


def test_a_batch_of_nothing_but_broken_pictures_is_answered(loaded):
    outputs = loaded.signatures["serving_default"](image_bytes=tf.constant([b"x", b""]))
    assert not outputs["valid"].numpy().any()
    assert np.isnan(angles(outputs)).all()


def test_a_batch_of_none_is_answered_with_none(loaded):
    outputs = loaded.signatures["serving_default"](image_bytes=tf.zeros((0,), tf.string))
    assert angles(outputs).shape == (0, 3)


@pytest.mark.parametrize(
    "box",
    [
        (5, 5, 5, 20),
        (20, 20, 5, 5),
        (np.nan, 0, 10, 10),
        (0, 0, np.inf, 10),
        (5000, 5000, 5100, 5100),
        (-1e5, -1e5, -9e4, -9e4),
        (0, 90, 30, 120),  # The picture is 97 wide and 90 high.
        (-20, 5, 0, 30),
        (0.2, 0.2, 0.7, 0.7),
        (0, 0, 1, 1),
    ],
)
def test_a_box_without_extent_outside_or_in_shares_is_not_valid(loaded, scenes, box):
    outputs = loaded.signatures["crop"](
        image_bytes=tf.constant(scenes[0][:2]),
        box=tf.constant([scenes[1][0], np.float32(box)]),
    )
    np.testing.assert_array_equal(outputs["valid"], [True, False])
    assert np.isnan(angles(outputs)[1]).all()


@pytest.mark.parametrize("box", [(-30, -30, 1, 1), (96, 89, 140, 130)])
def test_a_box_may_reach_outside_its_picture(loaded, scenes, box):
    pictures, boxes = tf.constant(scenes[0][1:2]), tf.constant([np.float32(box)])
    assert loaded.signatures["crop"](image_bytes=pictures, box=boxes)["valid"].numpy().all()


def png_of(image, **options):
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def hard_pngs():
    """PNGs with hidden pixels, and of grey that fills fewer than its 16 bits."""
    head = synthetic.render(3, (0.3, 0.1, 0.0), 60)[0]
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8)[:, np.newaxis], 60)
    veiled = Image.fromarray(np.dstack([head, alpha]))
    grey = head.mean(2).astype(np.uint16)
    return [
        png_of(veiled),
        png_of(veiled.convert("LA")),
        png_of(Image.fromarray(head).convert("P"), transparency=0),
        png_of(Image.fromarray(head)),
        *(png_of(Image.fromarray(grey << (bits - 8))) for bits in (8, 10, 12, 14, 16)),
    ]


def test_hidden_pixels_and_deep_grey_are_decoded_as_the_estimator_reads_them():
    for content in hard_pngs():
        found = decoding.decode(tf.constant(content)).numpy().astype(int)
        # A half may be rounded to either side.
        assert np.abs(found - pictures.read(content)).max() <= 1


def test_the_loader_of_the_server_decodes_them_too(folder, network):
    with session_loader.Session(folder) as session:
        found = session.run("serving_default", {"image_bytes": hard_pngs()})
    expected = [keras_degrees(network, pictures.read(png)[np.newaxis])[0] for png in hard_pngs()]
    assert found["valid"].all()
    np.testing.assert_allclose(angles(found), expected, atol=0.05)


def test_a_picture_that_claims_to_be_huge_is_not_decoded(loaded, scenes):
    png = bytearray(scenes[0][1])
    png[16:24] = (60_000).to_bytes(4, "big") * 2
    outputs = loaded.signatures["serving_default"](image_bytes=tf.constant([bytes(png)]))
    assert not outputs["valid"].numpy()[0]


def test_weights_are_stored_once(folder, network):
    weights = sum(4 * int(np.prod(weight.shape)) for weight in network[0].weights)
    stored = sum(path.stat().st_size for path in (folder / "variables").iterdir())
    assert stored <= 1.05 * weights


def test_every_signature_is_warmed_up_at_every_batch_size(folder, loaded):
    from tensorflow_serving.apis import prediction_log_pb2

    seen = set()
    for record in tf.data.TFRecordDataset(str(folder / savedmodel.WARM_UP)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        call = loaded.signatures[request.model_spec.signature_name]
        outputs = call(**{name: tf.constant(value) for name, value in inputs.items()})
        assert outputs["valid"].numpy().all()
        seen.add((request.model_spec.signature_name, len(outputs["valid"])))
    assert seen == {
        (signature, count)
        for signature in ("serving_default", "image", "crop")
        for count in savedmodel.BATCH_SIZES
    }


@pytest.mark.parametrize("signature", ["serving_default", "image", "crop"])
def test_the_loader_of_the_server_answers_as_python_does(folder, loaded, scenes, signature):
    """Through the C++ loader: there a SavedModel can fail on every call and still load here."""
    pictures, boxes = scenes
    inputs = {
        "serving_default": {"image_bytes": [*pictures, b"broken"]},
        "image": {"image": np.stack([synthetic.render(i, (0.3, 0, 0), 50)[0] for i in range(3)])},
        "crop": {"image_bytes": [*pictures, b"broken"], "box": np.concatenate([boxes, boxes[:1]])},
    }[signature]
    with session_loader.Session(folder) as session:
        found = session.run(signature, inputs)
    expected = loaded.signatures[signature](
        **{name: tf.constant(value) for name, value in inputs.items()}
    )
    np.testing.assert_array_equal(found["valid"], expected["valid"])
    np.testing.assert_allclose(angles(found), angles(expected), atol=DEGREES)


def test_names_and_types_of_inputs_and_outputs(loaded):
    expected = {
        "serving_default": {"image_bytes": (None,)},
        "image": {"image": (None, None, None, 3)},
        "crop": {"image_bytes": (None,), "box": (None, 4)},
    }
    for name, inputs in expected.items():
        signature = loaded.signatures[name]
        _, named = signature.structured_input_signature
        assert {key: tuple(spec.shape) for key, spec in named.items()} == inputs
        outputs = signature.structured_outputs
        assert set(outputs) == {"yaw", "pitch", "roll", "valid"}
        assert {tuple(spec.shape) for spec in outputs.values()} == {(None,)}


def test_the_predictor_gives_degrees_in_the_order_yaw_pitch_roll(network, folder):
    pictures = np.random.default_rng(8).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
    found = runtimes.savedmodel(folder)(pictures)
    np.testing.assert_allclose(found, keras_degrees(network, pictures), atol=DEGREES)


def test_without_the_servers_protos_the_missing_package_is_named(network, tmp_path, monkeypatch):
    import sys

    for name in [n for n in sys.modules if n.startswith("tensorflow_serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    with pytest.raises(RankPoseError, match=r"tensorflow-serving-api.*rankpose_tf\[serving\]"):
        savedmodel.write(*network, tmp_path / "1")
    assert not (tmp_path / "1").exists()
