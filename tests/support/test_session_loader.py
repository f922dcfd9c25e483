"""The C++ session loader of the tests: what goes in comes out, of every type, and errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import session_loader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A SavedModel with a variable and one input of each type that the package's servable has."""
    scale = tf.Variable(3.0)

    def spec(name, dtype, shape=(None,)):
        return tf.TensorSpec(shape, dtype, name=name)

    def echo(text, count, flag, pixels, number):
        return {
            "text": tf.strings.join([text, text]),
            "count": count + 1,
            "flag": tf.logical_not(flag),
            "pixels": 255 - pixels,
            "number": scale * number,
        }

    def sums(number):
        fits = tf.debugging.Assert(tf.reduce_all(number < 10.0), ["too great"])
        with tf.control_dependencies([fits]):
            return {"total": tf.reduce_sum(number)}

    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "echo",
        echo,
        [
            spec("text", tf.string),
            spec("count", tf.int64),
            spec("flag", tf.bool),
            spec("pixels", tf.uint8, (None, None, 3)),
            spec("number", tf.float32),
        ],
    )
    archive.add_endpoint("sums", sums, [spec("number", tf.float32)])
    path = tmp_path_factory.mktemp("saved_model") / "1"
    archive.write_out(str(path), verbose=False)
    return path


@pytest.fixture(scope="module")
def session(folder):
    with session_loader.Session(folder) as loaded:
        yield loaded


def echo_inputs(count=3):
    return {
        # Shorter and longer than the 22 bytes that a TF_TString holds within itself, and a zero.
        "text": np.array([b"", b"\0a", b"x" * 1000][:count], object),
        "count": np.arange(count),
        "flag": np.arange(count) % 2 == 0,
        "pixels": np.arange(count * 2 * 3, dtype=np.uint8).reshape(count, 2, 3),
        "number": np.linspace(-1, 1, count, dtype=np.float32),
    }


def test_every_type_goes_in_and_comes_out(session):
    given = echo_inputs()
    found = session.run("echo", given)
    assert found["text"].tolist() == [text * 2 for text in given["text"]]
    np.testing.assert_array_equal(found["count"], given["count"] + 1)
    np.testing.assert_array_equal(found["flag"], ~given["flag"])
    np.testing.assert_array_equal(found["pixels"], 255 - given["pixels"])
    np.testing.assert_array_equal(found["number"], 3 * given["number"])
    for name in ("count", "flag", "pixels", "number"):
        assert found[name].dtype == given[name].dtype


def test_a_scalar_and_an_empty_batch_keep_their_shape(session):
    assert session.run("sums", {"number": np.float32([])})["total"].shape == ()
    found = session.run("echo", echo_inputs(0))
    assert {name: value.shape for name, value in found.items()} == {
        **dict.fromkeys(("text", "count", "flag", "number"), (0,)),
        "pixels": (0, 2, 3),
    }


def test_signatures_name_inputs_and_outputs(session):
    assert {"echo", "sums"} <= set(session.signatures)
    assert set(session.signatures["sums"].inputs) == {"number"}
    assert set(session.signatures["sums"].outputs) == {"total"}


def test_a_failing_call_tells_status_and_message_and_harms_no_later_call(session):
    with pytest.raises(session_loader.Failed, match="too great") as caught:
        session.run("sums", {"number": np.float32([20])})
    assert caught.value.code == tf.errors.INVALID_ARGUMENT
    assert session.run("sums", {"number": np.float32([1, 2])})["total"] == 3


def test_unknown_names_are_refused(session):
    with pytest.raises(KeyError):
        session.run("product", {"number": np.float32([1])})
    with pytest.raises(KeyError):
        session.run("sums", {"value": np.float32([1])})


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(session_loader.Failed, match="SavedModel") as caught:
        session_loader.Session(tmp_path)
    assert caught.value.code == tf.errors.NOT_FOUND


def test_closing_twice_does_no_harm(folder):
    session = session_loader.Session(folder)
    session.close()
    session.close()
