"""Workers on this machine: one training, equal to that of one process, through a kill too.

Each test starts processes that import TensorFlow and talk through the network: minutes each on a
busy machine.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support.small_training import history

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1800)]
ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Shards of 24 rendered heads, six files."""
    from rankpose_tf.data import synthetic
    from tests.conftest import write_prepared

    folder = tmp_path_factory.mktemp("data")
    heads = list(synthetic.identities(24, views=4, seed=3, size=64))
    write_prepared(folder, [heads[index::6] for index in range(6)])
    return folder


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(data, workdir, out, workers, **options):
    """Processes of all workers; of one without TF_CONFIG where `workers` is the reference's."""
    count = abs(workers)
    line = [sys.executable, "-m", "tests.support.worker_training", data, workdir, out, count]
    line = [str(part) for part in [*line, json.dumps(options)]]
    own = {**os.environ, "PYTHONPATH": str(ROOT)}
    if workers < 0:
        return [subprocess.Popen(line, cwd=ROOT, env=own)]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    configs = [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(count)
    ]
    return [subprocess.Popen(line, cwd=ROOT, env=own | {"TF_CONFIG": text}) for text in configs]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_train_as_one_process_does_with_their_whole_batches(data, tmp_path, workers):
    for name, count in (("several", workers), ("one", -workers)):
        started = start(data, tmp_path / name, tmp_path / f"{name}-state", count)
        assert [process.wait() for process in started] == [0] * len(started)
    for epoch in range(2):
        one = np.load(tmp_path / f"one-state-0-{epoch}.npz")
        for worker in range(workers):
            own = np.load(tmp_path / f"several-state-{worker}-{epoch}.npz")
            assert list(own["names"]) == list(one["names"])
            np.testing.assert_allclose(own["logs"], one["logs"], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(own["statistics"], one["statistics"], atol=1e-4)
            first = np.load(tmp_path / f"several-state-0-{epoch}.npz")
            np.testing.assert_array_equal(own["statistics"], first["statistics"])
            np.testing.assert_array_equal(own["weights"], first["weights"])
    # One has written: what a run on one device leaves, and nothing else.
    names = [{path.name for path in (tmp_path / n).iterdir()} for n in ("several", "one")]
    assert names[0] == names[1]


def test_a_worker_that_is_killed_and_started_again_ends_the_run_as_planned(data, tmp_path):
    run, last = tmp_path / "run", tmp_path / "run" / "last.keras"
    options = {"epochs": 3, "checkpoint_steps": 2}
    chief, other = start(data, run, tmp_path / "state", 2, **options)
    deadline = time.monotonic() + 1200
    while not last.exists() and chief.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert chief.wait(timeout=600) != 0
    assert not (run / "result.json").exists()
    again = start(data, run, tmp_path / "state", 2, **options)
    assert [process.wait() for process in again] == [0, 0]
    assert json.loads((run / "result.json").read_text())["steps"] == 3 * STEPS
    assert [int(float(row["step"])) for row in history(run)] == [STEPS, 2 * STEPS, 3 * STEPS]
