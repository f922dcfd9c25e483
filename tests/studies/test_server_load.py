"""The load test of a server, and its command."""

import itertools
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import ServingError
from rankpose_tf.studies import server_load
from tests.support.doors import run_door
from tests.support.number_session import NumberSession
from tests.support.prediction_server import Server
from tests.support.session_loader import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def server():
    """Of one test: what a hanging test has asked for late is not counted by the next."""
    own = Server(NumberSession())
    yield own
    own.stop()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of pictures that `NumberSession` reads, one of them not valid, and other files."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "below").mkdir()
    for name, content in (("1.jpg", b"1"), ("below/2.PNG", b"2"), ("3.jpeg", b"damaged")):
        (folder / name).write_bytes(content)
    (folder / "notes.txt").write_bytes(b"4")
    return folder


def measure(server, images, **settings):
    given = {"clients": (1,), "seconds": 0.2, "images": images, **settings}
    return server_load.measure({"one": server.address}, **given)


def test_every_combination_is_measured_over_both_protocols(server, images):
    servers = {"grpc": server.address, "rest": f"http://{server.rest_address}"}
    rows = server_load.measure(
        servers, clients=(1, 3), pictures_per_request=(1, 2), seconds=0.2, images=images
    )
    found = [(row.pictures_per_request, row.clients, row.server) for row in rows]
    assert found == [(p, c, s) for p in (1, 2) for c in (1, 3) for s in ("grpc", "rest")]
    assert all(row.requests > 0 and row.errors == {} for row in rows)


def test_pictures_are_joined_into_requests(server, images):
    (row,) = measure(server, images, pictures_per_request=(5,))
    # The first is the check before the measurement, the second the client's first request.
    assert server.core.session.sizes == [1, 5] + [5] * row.requests
    assert row.pictures_per_second == pytest.approx(5 * row.requests / row.seconds)


def test_each_signature_is_asked_with_what_it_takes(server, images, tmp_path):
    """Arrays of 112 pixels; boxes of 1 / 1.4 of the sides, so that the crop is the picture."""
    folder = tmp_path / "faces"
    folder.mkdir()
    picture = np.full((60, 84, 3), 200, np.uint8)
    (folder / "face.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    seen, run = {}, server.core.session.run

    def record(signature, inputs):
        seen[signature] = inputs
        return run(signature, inputs)

    server.core.session.run = record
    rows = measure(server, folder, pictures_per_request=(2,), signatures=server_load.SIGNATURES)
    assert [row.signature for row in rows] == ["serving_default", "image", "crop"]
    assert all(row.requests > 0 and row.errors == {} for row in rows)
    assert seen["image"]["image"].shape == (2, 112, 112, 3)
    assert (seen["image"]["image"] == 200).all()
    np.testing.assert_allclose(seen["crop"]["box"], [[12, 60 / 7, 72, 360 / 7]] * 2, rtol=1e-6)


def test_latencies_are_percentiles_in_milliseconds(server, images, monkeypatch):
    tallied = []
    answered = server_load._Tally.answered

    def record(tally, latency, not_valid):
        tallied.append(latency)
        answered(tally, latency, not_valid)

    monkeypatch.setattr(server_load._Tally, "answered", record)
    server.core.before = lambda: time.sleep(0.02)
    (row,) = measure(server, images)
    expected = np.percentile(tallied, (50, 95, 99)) * 1e3
    np.testing.assert_allclose((row.p50, row.p95, row.p99), expected, rtol=1e-6)
    assert row.p50 >= 20 and row.requests == len(tallied)


def test_clients_ask_at_once(server, images):
    lock, now, most, calls = threading.Lock(), [0], [0], itertools.count()
    meeting = threading.Barrier(4)

    def before():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            number = next(calls)
        # After the check before the measurement, the clients' first requests wait for each other.
        if 0 < number < 5:
            meeting.wait(timeout=60)
        with lock:
            now[0] -= 1

    server.core.before = before
    measure(server, images, clients=(4,), deadline=90)
    assert most == [4]


def test_errors_are_counted_by_status_and_have_no_latency(server, images, monkeypatch):
    monkeypatch.setattr(server_load, "_PAUSE_AFTER_ERROR", 0)
    calls = []

    def before():
        calls.append(1)
        if len(calls) > 2:
            raise Failed(*((14, "full") if len(calls) % 2 else (8, "no memory")))

    server.core.before = before
    (row,) = measure(server, images, seconds=1)
    assert set(row.errors) == {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    assert sum(row.errors.values()) == len(calls) - 2
    assert (row.requests, row.p50, row.p99, row.pictures_per_second) == (0, None, None, 0)
    assert "UNAVAILABLE" in server_load.table([row])


def test_pictures_that_are_not_valid_are_counted(server, images):
    (row,) = measure(server, images, pictures_per_request=(3,))
    assert row.not_valid == row.requests > 0


def test_a_server_that_hangs_ends_in_time(server, images):
    calls, answer = [], threading.Event()

    def before():
        calls.append(1)
        # The check and the first request of each client are answered.
        if len(calls) > 3:
            answer.wait(30)

    server.core.before = before
    start = time.monotonic()
    (row,) = measure(server, images, clients=(2,), seconds=0.3, deadline=0.5)
    assert time.monotonic() - start < 30
    answer.set()
    assert row.errors["DEADLINE_EXCEEDED"] >= 2


def test_a_client_that_never_returns_is_counted_and_not_waited_for(server, images, monkeypatch):
    answer = threading.Event()
    predict = server_load.GrpcClient.predict

    def hanging(client, pictures):
        if client.max_pictures == 1:
            return predict(client, pictures)
        answer.wait(30)
        return []

    monkeypatch.setattr(server_load.GrpcClient, "predict", hanging)
    (row,) = measure(server, images, pictures_per_request=(2,), deadline=0.2)
    assert row.errors == {"UNFINISHED": 1} and row.requests == 0
    answer.set()


def test_a_server_that_is_not_there_is_an_error_at_once(images):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ServingError, match=f"{address}: UNAVAILABLE"):
        server_load.measure({"gone": address}, images=images)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"clients": (0,)}, "clients: expected numbers from 1"),
        ({"clients": ()}, "clients: expected numbers from 1"),
        ({"pictures_per_request": (4, -1)}, "pictures_per_request: expected numbers from 1"),
        ({"seconds": 0}, "seconds: expected above 0"),
        ({"signatures": ("image", "video")}, "signatures: expected some of serving_default, im"),
        ({"signatures": ()}, "signatures: expected some of serving_default, image, crop"),
        ({"images": ROOT / ".ci"}, "images: expected a folder with JPEG or PNG"),
    ],
)
def test_wrong_settings_are_told(server, images, settings, message):
    with pytest.raises(RankPoseError, match=message):
        measure(server, **{"images": images, **settings})
    assert server.core.session.sizes == []


def test_the_command_prints_a_table_and_writes_json(server, images, tmp_path):
    out = tmp_path / "load.json"
    servers = f"--servers=plain={server.address},rest=http://{server.rest_address}"
    done = subprocess.run(
        [sys.executable, "-m", "rankpose_tf.benchmark", "serving", servers, "--clients=1,2",
         "--seconds=0.2", f"--images={images}", f"--out={out}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()[:5]
    assert header.split()[:3] == ["server", "signature", "pictures"]
    assert [line.split()[0] for line in lines] == ["plain", "rest"] * 2
    written = json.loads(out.read_text())
    assert [row["clients"] for row in written["rows"]] == [1, 1, 2, 2]
    assert written["command"].startswith(f"rankpose benchmark serving {servers}")
    again = run_door("benchmark", "serving", servers, f"--out={out}")
    assert again.returncode == 1 and "exists already" in again.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "error: servers: pass --servers=NAME=HOST:PORT"),
        (("--servers=localhost:8500",), "error: servers: pass --servers=NAME=HOST:PORT"),
        (("--servers=a=localhost:1", "--clients=two"), "error: clients: expected whole numbers"),
        (("--servers=a=localhost:1", "--out=no/folder/x.json"), "error: out: .* does not exist"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(arguments, message):
    done = run_door("benchmark", "serving", *arguments)
    assert done.returncode == 1 and re.match(message, done.stderr)
    assert len(done.stderr.splitlines()) == 1
