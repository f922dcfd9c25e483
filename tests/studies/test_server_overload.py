"""A server that is asked for more than it can answer."""

import threading
import time

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import server_overload
from tests.support.number_session import NumberSession
from tests.support.prediction_server import Server
from tests.support.session_loader import Failed


@pytest.fixture
def server():
    own = Server(NumberSession())
    yield own
    own.stop()


@pytest.fixture
def images(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"1")
    return tmp_path


def test_what_is_refused_is_counted_beside_what_is_answered(server, images, monkeypatch):
    lock, calls = threading.Lock(), []

    def before():
        with lock:
            calls.append(time.monotonic())
            if len(calls) % 3 == 0:
                raise Failed(8, "no room")
        time.sleep(0.02)

    timed = server_overload._timed

    def alone(client, pictures):
        server.core.before = lambda: None
        seconds = timed(client, pictures)
        server.core.before = before
        return seconds

    monkeypatch.setattr(server_overload, "_timed", alone)
    (row,) = server_overload.measure({"one": server.address}, 2.0, 0.6, images, deadline=20)
    assert row.errors["RESOURCE_EXHAUSTED"] > 0 and row.answered > 0
    assert row.offered == pytest.approx(2 * row.sustained)
    asked = sum(row.errors.values()) + row.answered
    assert asked == pytest.approx(row.offered * row.seconds, abs=2)
    assert 0 < row.p50 <= row.p99 and row.before > 0 and row.after > 0
    assert "RESOURCE_EXHAUSTED" in server_overload.table([row])


def test_a_factor_that_is_none_is_told(server, images):
    with pytest.raises(RankPoseError, match="overload: expected a factor above 0"):
        server_overload.measure({"one": server.address}, factor=-1, images=images)
