"""What the REST client alone does; test_client.py has what both do."""

import errno
import http.client
import http.server
import json
import math
import socket
import struct
import threading

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import RestClient, ServingError


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://host:1", "host:port", "", "http://", ":8501", "a host:1", "http://[::1:8501"),
        None,
        *("http://name:word@host:8501", "http://host:8501?key=1", "grpc://host:8500", 8501),
        *("http://host:8501/v1/models/rankpose", "host:8501/v1"),
    ],
)
def test_rest_refuses_other_addresses(address):
    with pytest.raises(RankPoseError, match="^address: expected "):
        RestClient(address)


@pytest.fixture
def canned():
    """An HTTP server whose answer, (status, body), is the list's content; its requests' paths."""
    answer, paths = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            paths.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answer, paths
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("nothing", ["NaN", "null"])
def test_rest_reads_nan_and_null(canned, nothing):
    address, answer, paths = canned
    row = f'{{"yaw": {nothing}, "pitch": 1.5, "roll": -2, "valid": false}}'
    answer[:] = 200, f'{{"predictions": [{row}]}}'.encode()
    (pose,) = RestClient(f"{address}/behind/a/proxy/").predict([b"1"])
    assert math.isnan(pose.yaw) and (pose.pitch, pose.roll, pose.valid) == (1.5, -2.0, False)
    assert paths == ["/behind/a/proxy/v1/models/rankpose:predict"]


@pytest.mark.parametrize(
    "status, body, expected",
    [
        # TF Serving escapes as C does, and \' is no JSON.
        (400, rb"""{ "error": "tensor \'x\'" }""", r"INVALID_ARGUMENT: \{ \"error\": \"tensor"),
        (400, json.dumps({"error": "wrong"}).encode(), "INVALID_ARGUMENT: wrong$"),
        (502, b"<html>bad gateway</html>", "HTTP 502: <html>bad gateway"),
        (500, b"", "INTERNAL: no message"),
        (200, b"<html>", "DATA_LOSS: the answer is no JSON"),
        (200, b'{"predictions": [1.0]}', "DATA_LOSS: expected 1 values each"),
        (200, b"[1]", "DATA_LOSS: the answer has another form"),
        (200, b'{"predictions": 5}', "DATA_LOSS: the answer has another form"),
        (200, b'{"predictions": [{"yaw": "east"}]}', "DATA_LOSS: the answer has another form"),
        (200, b"[" * 100_000, "DATA_LOSS: the answer is no JSON"),
    ],
)
def test_rest_errors_are_told_whatever_their_form(canned, status, body, expected):
    address, answer, paths = canned
    answer[:] = status, body
    with pytest.raises(ServingError, match=expected):
        RestClient(address).predict([b"1"])
    assert len(paths) == 1


GOOD = b'{"predictions": [{"yaw": 1, "pitch": 2, "roll": 3, "valid": true}]}'


@pytest.fixture
def unruly():
    """A server that meets its connections as the list says; how many there were.

    "reset" is cut off unread, "silent" when it was read, "half" in the middle of the answer.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    todo, met = [], []

    def serve():
        while todo:
            connection, _ = listening.accept()
            met.append(todo.pop(0))
            with connection:
                if met[-1] == "reset":
                    at_once = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                    continue
                with connection.makefile("rb") as request:
                    # To its end: what is unread would reset the connection.
                    lines = iter(request.readline, b"\r\n")
                    lengths = [line.split()[1] for line in lines if line.startswith(b"Content-L")]
                    request.read(int(lengths[0]))
                length = {"silent": 0, "half": 30, "good": len(GOOD)}[met[-1]]
                if length:
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
                    connection.sendall(head + GOOD[:length])

    def begin(*kinds):
        todo[:] = kinds
        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield begin, met
    listening.close()


@pytest.mark.parametrize(
    "kind, told",
    [
        ("reset", "the server closed the connection before it answered"),
        ("silent", "the server closed the connection before it answered"),
        ("half", "the server closed the connection in the middle of its answer"),
    ],
)
def test_a_connection_that_the_server_gave_up_is_asked_again_and_told(unruly, kind, told):
    begin, met = unruly
    (pose,) = RestClient(begin(kind, "good")).predict([b"1"])
    assert pose.yaw == 1.0 and met == [kind, "good"]
    met.clear()
    with pytest.raises(ServingError, match=f"UNAVAILABLE: {told}"):
        RestClient(begin(kind), retries=0).predict([b"1"])


@pytest.mark.parametrize(
    "error, status, told",
    [
        (OSError(errno.EMFILE, "x"), "RESOURCE_EXHAUSTED", "this side has no connection left"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "RESOURCE_EXHAUSTED", "lower concurrency"),
        (OSError(errno.EHOSTUNREACH, "x"), "UNAVAILABLE", "no route to host"),
        (socket.gaierror(-2, "Name or service not known"), "UNAVAILABLE", "has no address"),
        (OSError(errno.EPROTO, "odd"), "UNKNOWN", "odd"),
    ],
)
def test_an_error_says_which_side_failed(monkeypatch, error, status, told):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(http.client.HTTPConnection, "connect", fail)
    with pytest.raises(ServingError, match=told) as caught:
        RestClient("host:1", retries=0).predict([b"1"])
    assert caught.value.status == status


@pytest.mark.parametrize(
    "boxes, told",
    [
        ([], "one box a picture, received fewer"),
        ([[0, 0, 1, 1]] * 3, "one box a picture, received more"),
        ([[0, 0, 1]] * 2, r"expected \(4,\) left, top, right, bottom, received \(3,\)"),
        (["ab", "cd"], "expected .* numbers"),
    ],
)
def test_boxes_that_are_not_in_step_with_the_pictures_are_told(boxes, told):
    with pytest.raises(RankPoseError, match=f"^boxes: .*{told}"):
        list(RestClient("host:1").stream([b"1", b"2"], boxes=boxes))
