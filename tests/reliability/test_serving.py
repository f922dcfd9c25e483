"""The exported model in a server of its own, under load, under odd pictures, and killed.

    python -m pytest -m reliability -n 0 -s tests/reliability/test_serving.py
"""

import contextlib
import dataclasses
import io
import itertools
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from rankpose_tf.data import synthetic
from rankpose_tf.exporting import savedmodel
from rankpose_tf.models import saving
from rankpose_tf.serving import GrpcClient, RestClient
from rankpose_tf.studies import server_overload

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1800)]
ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "export" / "serving" / "batching.config"
BATCHING = ["--enable_batching", f"--batching_parameters_file={CONFIG}"]
KILLS, ROWS = 5, 40
NUMBERS = """
import sys, threading
from tests.support.number_session import NumberSession
from tests.support.prediction_server import Server
server = Server(NumberSession(), port=int(sys.argv[1]), rest_port=int(sys.argv[2]))
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def model(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    savedmodel.write(*saving.load_model(small_model), folder / "1")
    return folder


@contextlib.contextmanager
def process(*arguments):
    """A Python process in the checkout that has said a line; it, and the line."""
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as started:  # fmt: skip
        try:
            yield started, started.stdout.readline()
        finally:
            started.kill()


@contextlib.contextmanager
def served(model, *options):
    """The server's process, and its addresses: gRPC, REST."""
    ports = ["--port=0", "--rest_port=0"]
    line = ["-m", "tests.support.prediction_server", f"--model={model}", *ports, *options]
    with process(*line) as (started, said):
        grpc, rest = said.strip().removeprefix("version 1: gRPC ").split(", REST ")
        yield started, grpc, f"http://{rest}"


def resident(process_id):
    """MB of a process."""
    lines = pathlib.Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.parametrize("options", [(), BATCHING], ids=["plain", "batching"])
def test_twice_the_sustainable_rate(model, options):
    with served(model, *options) as (started, grpc, rest):
        memory = [resident(started.pid)]
        for _ in range(2):
            rows = server_overload.measure({"grpc": grpc, "rest": rest}, 2.0, 30.0, deadline=10.0)
            memory.append(resident(started.pid))
            print(f"\n{server_overload.table(rows)}\nresident MB: {memory}")
            for row in rows:
                print(dataclasses.asdict(row))
                # Of the others, the load that this process can't make is its own.
                told = {"RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_SENT"}
                assert set(row.errors) <= told and row.answered > 0
                assert row.p99 < 10_000
                assert row.after < 1000 + 10 * row.before
        assert memory[2] < 1.2 * memory[1]


def encoded(picture, kind=".jpg"):
    return cv2.imencode(kind, picture)[1].tobytes()


def odd_pictures():
    """Name -> bytes, and whether a pose can be told."""
    head = synthetic.render(1, (0.3, 0.1, 0.0), 200)[0]
    jpeg = encoded(head)
    large = io.BytesIO()
    Image.new("RGB", (8000, 8000)).save(large, "PNG")
    garbage = np.random.default_rng(0).bytes(10_000_000)
    return {
        "empty": (b"", False),
        "10 MB of garbage": (garbage, False),
        "10 MB behind a JPEG's first bytes": (jpeg[:4] + garbage, False),
        "half a JPEG": (jpeg[: len(jpeg) // 2], False),
        "half a PNG": (encoded(head, ".png")[:1000], False),
        "1 x 1": (encoded(head[:1, :1]), True),
        "1 x 2000": (encoded(np.full((1, 2000, 3), 90, np.uint8), ".png"), True),
        "8000 x 8000": (large.getvalue(), None),
        "grey": (encoded(head[..., 0]), True),
        "16 bits": (encoded(head.astype(np.uint16) * 257, ".png"), True),
    }


@pytest.mark.parametrize("door", ["grpc", "rest"])
@pytest.mark.parametrize("options", [(), BATCHING], ids=["plain", "batching"])
def test_one_odd_picture_never_spoils_another_row(model, options, door):
    good = encoded(synthetic.render(2, (-0.4, 0.1, 0.0), 120)[0])
    with served(model, *options) as (started, grpc, rest):
        make = {"grpc": lambda: GrpcClient(grpc), "rest": lambda: RestClient(rest)}[door]
        with make() as client:
            client.deadline = 120.0
            (alone,) = client.predict([good])
            assert alone.valid and client.predict([]) == []
            for name, (content, told) in odd_pictures().items():
                first, odd, last = client.predict([good, content, good])
                for row in (first, last):
                    found = np.array([row.yaw, row.pitch, row.roll])
                    expected = [alone.yaw, alone.pitch, alone.roll]
                    np.testing.assert_allclose(found, expected, atol=1e-3, err_msg=name)
                assert told is None or odd.valid == told, name
                assert odd.valid == bool(np.isfinite([odd.yaw, odd.pitch, odd.roll]).all()), name
                print(name, "valid" if odd.valid else "not valid")
            boxes = [[0, 0, 100, 100], [np.nan, 0, 1, 1], [0, 0, np.inf, 9], [5, 5, 5, 9]]
            rows = client.predict_crops([good] * 4, boxes)
            assert [row.valid for row in rows] == [True, False, False, False]
        assert started.poll() is None


@pytest.mark.parametrize("door", ["grpc", "rest"])
def test_a_server_that_is_killed_in_mid_stream_loses_and_doubles_no_row(door):
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ports.append(taken.getsockname()[1])
    settings = {"max_pictures": 5, "concurrency": 4, "retries": 10_000, "deadline": 900.0}
    make = {
        "grpc": lambda: GrpcClient(f"127.0.0.1:{ports[0]}", **settings),
        "rest": lambda: RestClient(f"127.0.0.1:{ports[1]}", **settings),
    }[door]
    rows, kills, progress = [], [], threading.Condition()
    done = threading.Event()

    def kill_after_some_rows():
        while not done.is_set():
            with process("-c", NUMBERS, *map(str, ports)) as (started, said), progress:
                assert said == "ready\n"
                enough = len(rows) + ROWS if len(kills) < KILLS else math.inf
                while not done.is_set() and len(rows) < enough:
                    progress.wait()
                if not done.is_set():
                    kills.append(os.kill(started.pid, signal.SIGKILL))

    def numbers():
        for number in itertools.count():
            if len(kills) == KILLS and len(rows) > (KILLS + 1) * ROWS:
                return
            yield str(number).encode()

    killer = threading.Thread(target=kill_after_some_rows)
    killer.start()
    try:
        with make() as client:
            for pose in client.stream(numbers()):
                with progress:
                    rows.append(pose.yaw)
                    progress.notify_all()
    finally:
        with progress:
            done.set()
            progress.notify_all()
        killer.join()
    print(f"{door}: {len(rows)} rows, {len(kills)} kills")
    assert rows == list(range(len(rows))) and len(kills) == KILLS
