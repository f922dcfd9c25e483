"""What the REST client alone does; test_client.py has what both do."""

import http.server
import json
import math
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
    ],
)
def test_rest_errors_are_told_whatever_their_form(canned, status, body, expected):
    address, answer, paths = canned
    answer[:] = status, body
    with pytest.raises(ServingError, match=expected):
        RestClient(address).predict([b"1"])
    assert len(paths) == 1
