"""Requests that no client of ours sends: the test server answers each, and the next one too."""

import http.client
import json
import socket
import threading

import grpc
import pytest

from rankpose_tf.serving import GrpcClient, RestClient, ServingError
from rankpose_tf.serving.grpc_client import METHODS
from tests.support import prediction_server
from tests.support.number_session import NumberSession
from tests.support.session_loader import Failed


@pytest.fixture
def server():
    own = prediction_server.Server(NumberSession())
    yield own
    own.stop()


def post(server, body, path="/v1/models/rankpose:predict", headers=()):
    connection = http.client.HTTPConnection(server.rest_address, timeout=60)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "body",
    [
        *('{"instances":[1,2]}', "[" * 100_000, '{"instances":' + "[" * 100_000, "", "[]", "null"),
        *('{"instances":[]}', '{"instances":{}}', '{"instances":null}', '{"instances":"a"}', "{}"),
        *('{"instances":[{"b64":5}]}', '{"instances":[{"b64":"!"}]}', '{"instances":[{}]}'),
        *('{"instances":[null]}', '{"instances":[[[1]]]}', '{"instances":[{"x":1}]}', "\0" * 1000),
        '{"signature_name":"image","instances":[[[[1e400]]]]}',
        '{"signature_name":"image","instances":[[[[NaN]]]]}',
        '{"signature_name":"image","instances":[[[[1]],[[1],[2]]]]}',
        '{"signature_name":"crop","instances":[{"image_bytes":{"b64":""},"box":[1]},1]}',
        '{"signature_name":5,"instances":[1]}',
        '{"signature_name":[],"instances":[1]}',
    ],
    ids=lambda body: body[:40],
)
def test_a_wrong_body_is_answered_with_a_reason_and_the_next_request_as_ever(server, body):
    status, content = post(server, body)
    assert 400 <= status < 500 and content["error"]
    assert RestClient(server.rest_address).predict([b"7"])[0].yaw == 7.0


@pytest.mark.parametrize("length", ["-1", "x", "1e3"])
def test_a_length_that_is_none_is_answered(server, length):
    status, _ = post(server, None, headers={"Content-Length": length})
    assert status == 400


def test_a_fault_of_the_server_is_told_too(server):
    def fail():
        raise ZeroDivisionError("by chance")

    server.core.before = fail
    with pytest.raises(ServingError, match="INTERNAL: ZeroDivisionError: by chance"):
        RestClient(server.rest_address).predict([b"7"])


@pytest.mark.parametrize("path", ["/v1/models/rankpose/versions/9:predict", "/v1/models/x:predict"])
def test_an_unknown_version_or_model_is_not_found(server, path):
    assert post(server, '{"instances":[{"b64":""}]}', path)[0] == 404


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 1000, b"\x12\x7f", b"\x0a\x02\x08"])
def test_bytes_that_are_no_message_are_answered(server, content):
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(METHODS["Predict"])(content, timeout=60)
    assert caught.value.code() != grpc.StatusCode.DEADLINE_EXCEEDED
    with GrpcClient(server.address) as client:
        assert client.predict([b"7"])[0].yaw == 7.0


def test_a_call_that_is_cancelled_harms_no_other(server):
    entered, go = threading.Event(), threading.Event()

    def before():
        entered.set()
        go.wait(60)

    server.core.before = before
    client = GrpcClient(server.address)
    threading.Thread(target=lambda: entered.wait(60) and client.close(), daemon=True).start()
    with pytest.raises(ServingError, match="CANCELLED"):
        client.predict([b"7"])
    go.set()
    with GrpcClient(server.address) as other:
        assert other.predict([b"7"])[0].yaw == 7.0


def test_a_slow_client_holds_up_no_other(server):
    host, port = server.rest_address.split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v1/models/rankpose:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
        assert RestClient(server.rest_address).predict([b"7"])[0].yaw == 7.0


@pytest.mark.parametrize("door", ["grpc", "rest"])
def test_more_than_can_be_under_way_is_refused_with_a_status(monkeypatch, door):
    monkeypatch.setattr(prediction_server, "MOST", 2)
    own = prediction_server.Server(NumberSession())
    entered, go = threading.Semaphore(0), threading.Event()

    def before():
        entered.release()
        if not go.wait(60):
            raise Failed(13, "late")

    own.core.before = before
    make = {"grpc": lambda: GrpcClient(own.address), "rest": lambda: RestClient(own.rest_address)}
    found = []
    try:
        with make[door]() as client:
            waiting = [
                threading.Thread(target=lambda: found.extend(client.predict([b"7"])))
                for _ in range(2)
            ]
            for thread in waiting:
                thread.start()
            assert all(entered.acquire(timeout=60) for _ in waiting)
            with pytest.raises(ServingError, match="RESOURCE_EXHAUSTED"):
                client.predict([b"8"])
            go.set()
            for thread in waiting:
                thread.join(60)
    finally:
        go.set()
        own.stop()
    assert [pose.yaw for pose in found] == [7.0, 7.0]
