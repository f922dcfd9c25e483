"""The clients of TF Serving, against a server that speaks its protocol on loopback.

Most tests ask a stand-in whose yaw is the number that the "picture" spells, so that every answer
is known; the exported model behind the same server is in test_against_server.py.
"""

import io
import itertools
import math
import pathlib
import socket
import threading
import time
import types

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ANGLES, ERRORS, ExpectedError
from rankpose_tf.serving import (
    Client,
    GrpcClient,
    ModelVersion,
    RestClient,
    ServedPose,
    ServingError,
    Signature,
    TensorSpecification,
)
from rankpose_tf.serving import client as serving_base
from tests.support.number_session import INPUTS, OUTPUTS, NumberSession
from tests.support.prediction_server import Server
from tests.support.session_loader import Failed

UNAVAILABLE, INVALID_ARGUMENT, RESOURCE_EXHAUSTED = 14, 3, 8


@pytest.fixture
def server():
    """Of one test: what a hanging test has asked for late is not counted by the next."""
    own = Server(NumberSession())
    yield own
    own.stop()


@pytest.fixture(params=["grpc", "rest"])
def connect(request, server):
    """Makes a client of one kind; settings are its keyword arguments."""
    clients = []

    def connect(address=None, **settings):
        kind, own = {
            "grpc": (GrpcClient, server.address),
            "rest": (RestClient, server.rest_address),
        }[request.param]
        clients.append(kind(address or own, **settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def numbers(count):
    return [str(number).encode() for number in range(count)]


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between retries, which take no time but on the client's clock."""
    taken = []
    clock = types.SimpleNamespace(monotonic=lambda: sum(taken), sleep=taken.append)
    monkeypatch.setattr(serving_base, "time", clock)
    monkeypatch.setattr(
        serving_base, "random", types.SimpleNamespace(uniform=lambda low, high: high)
    )
    return taken


def failing(times, code=UNAVAILABLE):
    """A `before` that fails so many times, and the list of its calls, 1, 2, ..."""
    calls = []

    def before():
        calls.append(len(calls) + 1)
        if len(calls) <= times:
            raise Failed(code, "told to fail")

    return before, calls


def test_answers_have_names_and_types(connect):
    pose, *_ = connect().predict([b"7"])
    assert pose == ServedPose(yaw=7.0, pitch=0.0, roll=-7.0, valid=True)
    assert [type(value) for value in (pose.yaw, pose.valid)] == [float, bool]


def test_order_is_kept_over_many_requests(connect, server):
    delays = itertools.cycle([0.03, 0.0, 0.01])
    server.core.before = lambda: time.sleep(next(delays))
    poses = connect(max_pictures=3, concurrency=4).predict(numbers(50))
    assert [pose.yaw for pose in poses] == list(range(50))
    assert max(server.core.session.sizes) == 3 and len(server.core.session.sizes) == 17


def test_requests_under_way_are_bounded_and_more_than_one(connect, server):
    lock, now, most, calls = threading.Lock(), [0], [0], itertools.count()
    meeting = threading.Barrier(3)

    def before():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            number = next(calls)
        # The first three wait for each other: a busy machine may start them one by one.
        if number < 3:
            meeting.wait(timeout=60)
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    server.core.before = before
    connect(max_pictures=1, concurrency=3).predict(numbers(12), deadline=90)
    assert most == [3]


def test_a_stream_reads_only_a_little_ahead(connect):
    taken = itertools.count()
    read = []

    def pictures():
        for number in taken:
            read.append(number)
            yield str(number).encode()

    poses = connect(max_pictures=2, concurrency=3).stream(pictures())
    assert [pose.yaw for pose in itertools.islice(poses, 100)] == list(range(100))
    assert len(read) <= 100 + 2 * (3 + 1)
    poses.close()


def test_paths_are_read_and_none_is_no_request(connect, server, tmp_path):
    path = tmp_path / "5.jpg"
    path.write_bytes(b"5")
    client = connect()
    assert [pose.yaw for pose in client.predict([path, str(path), b"6"])] == [5.0, 5.0, 6.0]
    server.core.session.sizes.clear()
    assert client.predict([]) == [] and server.core.session.sizes == []


def test_boxes_stay_with_their_pictures(connect):
    boxes = np.stack([np.arange(10) * 2.0, *np.ones((3, 10))], axis=1)
    poses = connect(max_pictures=4).predict_crops(numbers(10), boxes)
    assert [pose.pitch for pose in poses] == [2 * pose.yaw for pose in poses] == list(boxes[:, 0])


def test_no_face_is_no_request(connect, server):
    assert connect().predict_crops([], []) == []
    assert connect().predict_crops([], np.zeros((0, 4))) == []
    with pytest.raises(RankPoseError, match=r"boxes: expected \(1, 4\)"):
        connect().predict_crops([b"1"], [])
    assert server.core.session.sizes == []


@pytest.mark.parametrize("bad", [3, 5, 13])
@pytest.mark.parametrize("boxes", [None, [(0, 0, 9, 9)] * 16])
def test_a_file_that_can_not_be_read_takes_no_answer_from_those_before_it(connect, bad, boxes):
    """The requests before are answered, whatever was read ahead."""
    images, found = numbers(16), []
    images[bad] = "no.jpg"
    with pytest.raises(RankPoseError, match="'no.jpg' can't be read"):
        for pose in connect(max_pictures=2, concurrency=3).stream(images, boxes):
            found.append(pose.yaw)
    assert found == list(range(bad // 2 * 2))


def test_arrays_are_sent_whole(connect):
    arrays = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 4, 6, 3), np.uint8)
    poses = connect(max_pictures=2).predict_arrays(arrays)
    assert [pose.yaw for pose in poses] == list(range(5))


def test_a_bad_picture_is_not_valid_and_harms_no_neighbour(connect):
    poses = connect().predict([b"1", b"no picture", b"3"])
    assert [pose.valid for pose in poses] == [True, False, True]
    assert math.isnan(poses[1].yaw) and (poses[0].yaw, poses[2].yaw) == (1.0, 3.0)


def test_unavailable_is_retried_with_doubling_pauses(connect, server, pauses):
    server.core.before, calls = failing(times=2)
    assert connect().predict([b"1"])[0].yaw == 1.0
    assert calls == [1, 2, 3] and pauses == [0.1, 0.2]


def test_pauses_are_shortened_at_random(connect, server, pauses, monkeypatch):
    monkeypatch.setattr(serving_base.random, "uniform", lambda low, high: low)
    server.core.before, _ = failing(times=2)
    connect().predict([b"1"])
    assert pauses == [0.05, 0.1]


def test_retries_end(connect, server, pauses):
    server.core.before, calls = failing(times=10)
    with pytest.raises(ServingError, match="UNAVAILABLE: told to fail") as caught:
        connect(retries=1).predict([b"1"])
    assert caught.value.status == "UNAVAILABLE" and len(calls) == 2


def test_retries_stay_within_the_deadline(connect, server, pauses):
    server.core.before, calls = failing(times=10)
    with pytest.raises(ServingError, match="told to fail"):
        connect(retries=10, deadline=0.6).predict([b"1"])
    # The next pause, 0.4 s, would end after the deadline.
    assert pauses == [0.1, 0.2] and len(calls) == 3


@pytest.mark.parametrize(
    "code, status",
    [(INVALID_ARGUMENT, "INVALID_ARGUMENT"), (RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")],
)
def test_other_statuses_are_not_retried(connect, server, pauses, code, status):
    server.core.before, calls = failing(10, code)
    with pytest.raises(ServingError, match="told to fail") as caught:
        connect().predict([b"1"])
    assert calls == [1] and pauses == [] and caught.value.status == status


def test_an_unknown_model_is_not_found_and_not_retried(connect, pauses):
    client = connect(model="rankpose2")
    for call in (lambda: client.predict([b"1"]), client.model_status, client.metadata):
        with pytest.raises(ServingError, match="NOT_FOUND.*rankpose2") as caught:
            call()
        assert caught.value.status == "NOT_FOUND"
    assert pauses == [] and not client.ready()


def test_a_slow_server_exceeds_the_deadline(connect, server):
    answer = threading.Event()
    server.core.before = lambda: answer.wait(30)
    client = connect()
    start = time.monotonic()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED") as caught:
        client.predict([b"1"], deadline=0.2)
    assert time.monotonic() - start < 30
    answer.set()
    assert caught.value.status == "DEADLINE_EXCEEDED" and client.address in str(caught.value)


def test_a_server_that_never_answers_exceeds_the_deadline(connect):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(f"127.0.0.1:{silent.getsockname()[1]}", deadline=0.3)
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
            client.predict([b"1"])


def test_a_server_that_is_not_there_is_named_with_its_address(connect):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    client = connect(address)
    with pytest.raises(ServingError, match=f"server {address}: UNAVAILABLE.*refused") as caught:
        client.predict([b"1"])
    assert (caught.value.status, caught.value.address) == ("UNAVAILABLE", address)
    assert not client.ready()


def test_a_server_that_starts_late_is_found_by_a_retry(connect):
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = one.getsockname()[1], other.getsockname()[1]
    is_grpc = isinstance(connect(), GrpcClient)
    client = connect(f"127.0.0.1:{ports[0] if is_grpc else ports[1]}", retries=8)
    late = []
    starter = threading.Timer(0.4, lambda: late.append(Server(NumberSession(), 1, *ports)))
    starter.start()
    try:
        assert client.predict([b"4"])[0].yaw == 4.0
    finally:
        starter.join()
        late[0].stop()


def test_a_failed_request_ends_the_others_and_is_raised(connect, server):
    server.core.before, calls = failing(10**6, INVALID_ARGUMENT)
    with pytest.raises(ServingError, match="INVALID_ARGUMENT"):
        connect(max_pictures=1, concurrency=2).predict(numbers(100))
    assert len(calls) <= 2


def test_status_and_metadata(connect):
    client = connect()
    assert client.ready()
    assert client.model_status() == [ModelVersion(1, "AVAILABLE", "")]
    expected = {
        name: Signature(
            *(
                {key: TensorSpecification(*value) for key, value in tensors.items()}
                for tensors in (inputs, OUTPUTS)
            )
        )
        for name, inputs in INPUTS.items()
    }
    assert client.metadata() == expected


def test_requests_over_the_4_mb_of_grpc_pass(connect):
    picture = b"1".zfill(3_000_000)
    poses = connect().predict([picture, picture])
    assert [pose.yaw for pose in poses] == [1.0, 1.0]


def test_one_client_serves_several_threads(connect):
    client, found = connect(), {}

    def ask(number):
        found[number] = client.predict(numbers(10)[number:])[0].yaw

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: float(number) for number in range(8)}


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda client: client.predict(b"1"), "images: expected a list"),
        (lambda client: client.predict("a.jpg"), "images: expected a list"),
        (lambda client: client.predict([3]), "images: expected bytes or a path, received int"),
        (lambda client: client.predict(["no.jpg"]), "'no.jpg' can't be read: No such file"),
        (lambda client: client.predict(["~no.jpg"]), "'~no.jpg' can't be read: No such file"),
        (lambda client: client.predict_crops([b"1"], np.zeros((2, 4))), r"boxes: .*\(1, 4\)"),
        (lambda client: client.predict_arrays(np.zeros((1, 4, 4, 3))), "arrays: .* float64"),
        (lambda client: client.predict([b"1"], deadline=0), "deadline: expected seconds"),
    ],
)
def test_a_callers_mistake_is_one_sentence_and_no_request(connect, server, call, message):
    with pytest.raises(RankPoseError, match=message) as caught:
        call(connect())
    assert not isinstance(caught.value, ServingError) and server.core.session.sizes == []


@pytest.mark.parametrize(
    "settings", [{"max_pictures": 0}, {"concurrency": 0}, {"retries": -1}, {"deadline": math.inf}]
)
def test_settings_that_can_not_be_are_refused(connect, settings):
    with pytest.raises(RankPoseError, match=next(iter(settings))):
        connect(**settings)


def test_an_answer_of_another_model_is_told(connect, server, monkeypatch):
    outputs = {"output_0": np.zeros(1, np.float32)}
    monkeypatch.setattr(server.core.session, "run", lambda *arguments: outputs)
    with pytest.raises(ServingError, match="DATA_LOSS: expected 1 values each of yaw"):
        connect().predict([b"1"])


@pytest.mark.parametrize(
    "settings",
    [
        {"deadline": "5"},
        {"deadline": None},
        {"deadline": float("nan")},
        {"max_pictures": "32"},
        {"max_pictures": 2.5},
        {"max_pictures": 0},
        {"concurrency": None},
        {"concurrency": True},
        {"retries": -1},
        {"retries": None},
        {"model": ""},
        {"model": None},
    ],
)
def test_settings_of_another_kind_are_named(settings):
    (name,) = settings
    with pytest.raises(RankPoseError, match=f"^{name}: expected .*received"):
        RestClient("localhost:1", **settings)


def test_numbers_of_numpy_are_settings_too():
    assert RestClient("localhost:1", retries=np.int64(2), deadline=np.float32(3)).retries == 2


@pytest.mark.parametrize("one", ["a.jpg", b"a", bytearray(b"a"), pathlib.Path("a.jpg")])
def test_one_picture_is_asked_for_as_a_list(one):
    client = RestClient("localhost:1")
    for ask in (client.predict, lambda image: client.predict_crops(image, [[1, 2, 3, 4]])):
        with pytest.raises(RankPoseError, match=r"images: expected a list.*pass \[image\]"):
            ask(one)


def test_what_can_not_be_sent_is_named():
    client = RestClient("localhost:1")
    for images in (None, 5, io.BytesIO(b"a")):
        with pytest.raises(RankPoseError, match="images: expected a list of bytes or paths"):
            client.predict(images)
    with pytest.raises(RankPoseError, match=r"boxes: expected \(N, 4\) numbers, received \['x'\]"):
        client.predict_crops([b"a"], ["x"])
    with pytest.raises(RankPoseError, match="arrays: expected pictures of one size"):
        client.predict_arrays([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)])


def test_expected_errors_are_with_the_pose_where_the_model_tells_them():
    outputs = {name: [float(n), 1.0] for n, name in enumerate((*ANGLES, *ERRORS))}
    outputs["valid"] = [True, False]
    first, second = Client("host:1")._poses(outputs, 2)
    assert (first.yaw, first.error) == (0.0, ExpectedError(3.0, 4.0, 5.0))
    assert not second.valid and second.error.mean == 1.0


def test_a_model_without_expected_errors_gives_none(connect):
    assert connect().predict([b"7"])[0].error is None
