"""The exported model behind the test server: right answers, warm-up, statuses, batching."""

import concurrent.futures
import math
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.data import square_crops, synthetic
from rankpose_tf.exporting import savedmodel
from rankpose_tf.models import saving
from rankpose_tf.serving import GrpcClient, RestClient, ServingError
from tests.support import prediction_server, server_batching
from tests.support.session_loader import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIDE = 32
# float32 sums in another order.
DEGREES = 1e-3
PARAMETERS = server_batching.Parameters(
    max_batch_size=8,
    batch_timeout_micros=0,
    max_enqueued_batches=2,
    num_batch_threads=1,
    allowed_batch_sizes=(1, 4, 8),
)


@pytest.fixture(scope="module")
def network(small_model):
    return saving.load_model(small_model)


@pytest.fixture(scope="module")
def base_path(network, tmp_path_factory):
    """Folder with versions 2 and 10; "10" sorts before "2" as text. 2 can't be loaded."""
    folder = tmp_path_factory.mktemp("savedmodel") / "rankpose"
    savedmodel.write(*network, folder / "10")
    (folder / "2").mkdir()
    return folder


@pytest.fixture(scope="module")
def server(base_path):
    session, version = prediction_server.load(base_path)
    server = prediction_server.Server(session, version)
    yield server
    server.stop()
    session.close()


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(request, server):
    if request.param == "grpc":
        with GrpcClient(server.address, deadline=60.0) as client:
            yield client
    else:
        yield RestClient(server.rest_address, deadline=60.0)


@pytest.fixture(scope="module")
def scenes():
    """Eleven heads: PNG bytes of scenes, boxes, and arrays of the tower's own size."""
    rendered = [synthetic.render(i, (0.6 - 0.1 * i, 0.02 * i, 0.1), 48 + i) for i in range(11)]
    contents = [cv2.imencode(".png", picture[..., ::-1])[1].tobytes() for picture, _ in rendered]
    arrays = np.stack([cv2.resize(picture, (SIDE, SIDE)) for picture, _ in rendered])
    return contents, np.stack([box for _, box in rendered]), arrays


def angles(poses):
    return np.array([(pose.yaw, pose.pitch, pose.roll) for pose in poses])


def keras_degrees(network, crops):
    return np.degrees(network[0].predict_on_batch(np.asarray(crops, np.float32)))


def test_the_highest_version_is_served(client):
    assert [version.version for version in client.model_status()] == [10]


def test_metadata_names_what_the_export_wrote(client):
    signatures = client.metadata()
    assert {name: set(signature.inputs) for name, signature in signatures.items()} == {
        "serving_default": {"image_bytes"},
        "image": {"image"},
        "crop": {"image_bytes", "box"},
    } | {name: set() for name in signatures if name.startswith("__")}
    assert set(signatures["crop"].outputs) == set(savedmodel.OUTPUTS)
    assert signatures["crop"].inputs["box"].shape == (-1, 4)


def test_pictures_are_answered_as_keras_does(client, network, scenes):
    whole = [square_crops.decode(content)[tf.newaxis] for content in scenes[0]]
    expected = [keras_degrees(network, picture)[0] for picture in whole]
    np.testing.assert_allclose(angles(client.predict(scenes[0])), expected, atol=DEGREES)


def test_crops_are_answered_as_keras_does(client, network, scenes):
    contents, boxes, _ = scenes
    crops = [
        square_crops.crop_and_resize(
            square_crops.decode(content), square_crops.square_around(box, 1.4), SIDE
        )
        for content, box in zip(contents, boxes, strict=True)
    ]
    found = angles(client.predict_crops(contents, boxes))
    np.testing.assert_allclose(found, keras_degrees(network, crops), atol=DEGREES)


def test_arrays_are_answered_as_keras_does(client, network, scenes):
    found = angles(client.predict_arrays(scenes[2]))
    np.testing.assert_allclose(found, keras_degrees(network, scenes[2]), atol=DEGREES)


def test_a_damaged_picture_is_not_valid_and_harms_no_neighbour(client, scenes):
    contents = scenes[0]
    alone = client.predict(contents[:2])
    among = client.predict([contents[0], contents[1][:100], b"", contents[1]])
    assert [pose.valid for pose in among] == [True, False, False, True]
    np.testing.assert_allclose(angles([among[0], among[3]]), angles(alone), atol=DEGREES)
    assert all(math.isnan(angle) for angle in angles(among[1:3]).ravel())


def test_warm_up_holds_every_signature_at_every_batch_size(server, base_path):
    asked = []

    class Core:
        version = 1

        @staticmethod
        def predict(name, version, signature, inputs):
            asked.append((signature, {len(value) for value in inputs.values()}))
            return server.core.predict(name, version, signature, inputs)

    path = base_path / "10" / "assets.extra" / "tf_serving_warmup_requests"
    count = prediction_server.warm_up(Core, path)
    signatures = ("serving_default", "image", "crop")
    expected = [(name, {size}) for size in savedmodel.BATCH_SIZES for name in signatures]
    assert count == len(expected) and sorted(asked) == sorted(expected)


def test_a_failing_warm_up_request_fails_the_load(base_path, tmp_path):
    shutil.copytree(base_path / "10", tmp_path / "1")
    path = tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"
    record = next(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.replace(b"serving_default", b"serving_defaulx"))
    with pytest.raises(Failed, match='"serving_defaulx" not found'):
        prediction_server.load(tmp_path)


def test_a_folder_without_a_version_is_not_served(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(Failed, match="No versions"):
        prediction_server.load(tmp_path)


@pytest.mark.parametrize(
    "signature, inputs, grpc_status, rest_status, message",
    [
        # Over REST the signature is looked up before, by other code.
        ("fly", {"image_bytes": [b"1"]}, "FAILED_PRECONDITION", "INVALID_ARGUMENT", '"fly"'),
        ("crop", {"image_bytes": [b"1"]}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "box"),
        (
            "image",
            {"image": np.full((1, 4, 4, 3), 0.5, np.float32)},
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            "uint8|expected type",
        ),
    ],
)
def test_wrong_requests_have_the_statuses_of_tf_serving(
    client, signature, inputs, grpc_status, rest_status, message
):
    with pytest.raises(ServingError, match=message) as caught:
        client._predict(signature, inputs, 10.0)
    assert caught.value.status == (grpc_status if isinstance(client, GrpcClient) else rest_status)


class Recorder:
    """A session that waits for `go`, and answers with its own input."""

    def __init__(self, session):
        self.signatures = session.signatures
        self.entered, self.go = threading.Event(), threading.Event()
        self.batches = []

    def run(self, signature, inputs):
        self.entered.set()
        self.go.wait(30)
        self.batches.append(inputs)
        return {"yaw": inputs["image"][:, 0, 0, 0].astype(np.float32)}

    def close(self):
        pass


@pytest.fixture
def recorder(server):
    return Recorder(server.core.session)


@pytest.fixture
def batching(recorder):
    session = server_batching.BatchingSession(recorder, PARAMETERS)
    yield session
    recorder.go.set()
    session.close()


def arrays(first, count, side=2):
    values = np.arange(first, first + count, dtype=np.uint8)
    return {"image": np.tile(values.reshape(-1, 1, 1, 1), (1, side, side, 3))}


def submit(batching, recorder, *requests):
    """Futures of requests, queued in this order behind one that the session holds back."""
    pool = concurrent.futures.ThreadPoolExecutor(len(requests) + 1)
    pool.submit(batching.run, "image", arrays(0, 1))
    assert recorder.entered.wait(30)
    futures = []
    for inputs in requests:
        futures.append(pool.submit(batching.run, "image", inputs))
        while batching.waiting("image") < len(futures):
            time.sleep(0.001)
    return futures


def test_batching_joins_pads_and_splits(batching, recorder):
    futures = submit(batching, recorder, arrays(10, 2), arrays(20, 3))
    recorder.go.set()
    assert [future.result(30)["yaw"].tolist() for future in futures] == [[10, 11], [20, 21, 22]]
    # Five pictures fit no allowed size; the first row of the last request fills up to eight.
    joined = recorder.batches[1]["image"][:, 0, 0, 0].tolist()
    assert joined == [10, 11, 20, 21, 22, 20, 20, 20] and batching.sizes == [1, 8]


def test_batching_fails_arrays_of_different_sizes_that_meet(batching, recorder):
    futures = submit(batching, recorder, arrays(10, 1, side=2), arrays(20, 1, side=3))
    recorder.go.set()
    for future in futures:
        with pytest.raises(Failed, match="different shapes") as caught:
            future.result(30)
        assert caught.value.code == tf.errors.FAILED_PRECONDITION


def test_batching_refuses_more_than_its_maximum(batching):
    with pytest.raises(Failed, match="Task size 9 is larger than maximum") as caught:
        batching.run("image", arrays(0, 9))
    assert caught.value.code == tf.errors.INVALID_ARGUMENT


def test_batching_is_unavailable_when_its_queue_is_full(batching, recorder):
    submit(batching, recorder, arrays(0, 8), arrays(8, 8))
    with pytest.raises(Failed, match="queue .* is full") as caught:
        batching.run("image", arrays(0, 1))
    assert caught.value.code == tf.errors.UNAVAILABLE


@pytest.mark.parametrize(
    "change, message",
    [
        ({"allowed_batch_sizes": (1, 4)}, "must match max_batch_size"),
        ({"allowed_batch_sizes": (4, 1, 8)}, "increasing"),
        ({"num_batch_threads": 0}, "positive"),
    ],
)
def test_batching_parameters_are_checked_at_start(change, message):
    with pytest.raises(ValueError, match=message):
        server_batching.Parameters(**{**vars(PARAMETERS), **change})


def test_a_batching_server_gives_the_same_answers(base_path, client, scenes):
    expected = angles(client.predict(scenes[0]))
    batch = server_batching.Parameters(
        **{**vars(PARAMETERS), "max_batch_size": 32, "allowed_batch_sizes": savedmodel.BATCH_SIZES}
    )
    session, version = prediction_server.load(base_path, batch)
    server = prediction_server.Server(session, version)
    try:
        with GrpcClient(server.address, max_pictures=2, concurrency=6, deadline=60.0) as other:
            found = angles(other.predict(scenes[0]))
    finally:
        server.stop()
        session.close()
    np.testing.assert_allclose(found, expected, atol=DEGREES)
    assert set(session.sizes) <= set(savedmodel.BATCH_SIZES)


@pytest.mark.end_to_end
def test_the_server_runs_as_a_command_with_the_shipped_batching_config(base_path, scenes):
    batching = ROOT / "export" / "serving" / "batching.config"
    arguments = ["--model", str(base_path), "--port=0", "--rest_port=0", "--enable_batching"]
    arguments += [f"--batching_parameters_file={batching}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.prediction_server", *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        addresses = process.stdout.readline().removeprefix("version 10: gRPC ").split(", REST ")
        with GrpcClient(addresses[0]) as client:
            assert client.predict(scenes[0][:1])[0].valid
        assert RestClient(addresses[1].strip()).ready()
    finally:
        process.kill()
        process.wait()
