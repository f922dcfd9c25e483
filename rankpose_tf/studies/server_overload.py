"""What a running server does when it is asked for more than it can answer.

First a closed load, clients that ask again when they have their answer, finds what it sustains.
Then requests of one picture come at a multiple of that rate, each at its moment, whether others
are answered or not. No request is repeated. Latencies count from that moment, so that waiting for
a client's turn counts too.
"""

import collections
import contextlib
import dataclasses
import itertools
import threading
import time

import numpy as np
from absl import logging

from rankpose_tf.core import tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import ServingError
from rankpose_tf.studies import server_load

_CLIENTS, _MOST_THREADS = 16, 512
_ALONE = 20
# A moment that no thread was free for until so many seconds after it is left out, and counted.
_LATE = 1.0


@dataclasses.dataclass(frozen=True)
class Overload:
    """One server under too much load; milliseconds, of requests that were answered.

    Attributes:
      sustained: requests a second that 16 clients were answered.
      offered: requests a second that were asked.
      seconds: for how long.
      answered: how many were.
      errors: status -> how many; NOT_SENT is the test's own, not the server's.
      p50, p99: None where none was answered.
      before, after: median of requests alone before the load; the first one after it.
    """

    server: str
    sustained: float
    offered: float
    seconds: float
    answered: int
    errors: dict[str, int]
    p50: float | None
    p99: float | None
    before: float
    after: float


def measure(servers, factor=2.0, seconds=30.0, images=None, deadline=10.0):
    """Overloads each server in turn.

    Args:
      servers, images: as for `server_load.measure`.
      factor: over the sustained rate, at which requests are offered.
      seconds: length of the overload; the rate is measured for a third of it.
      deadline: seconds that a request may take.

    Returns:
      List of `Overload`.

    Raises:
      RankPoseError: for numbers that can't be, or a server that does not answer before.
    """
    if not factor > 0:
        raise RankPoseError(f"overload: expected a factor above 0, received {factor}")
    encoded = server_load.read_pictures(images)
    closed = server_load.measure(servers, (_CLIENTS,), (1,), seconds / 3, images, deadline)
    found = []
    for row in closed:
        if not row.pictures_per_second:
            raise RankPoseError(
                f"servers: {row.server} answered none of {_CLIENTS} clients ({row.errors}); start "
                "it, or pass a longer --deadline"
            )
        address = servers[row.server]
        with server_load.client_of(address, deadline, 1) as client:
            before = [_timed(client, encoded[:1]) for _ in range(_ALONE)]
        rate = factor * row.pictures_per_second
        latencies, errors = _offer(address, encoded, rate, seconds, deadline)
        with server_load.client_of(address, deadline, 1) as client:
            after = _timed(client, encoded[:1])
        percentiles = np.percentile(latencies, (50, 99)) * 1e3 if latencies else (None, None)
        found.append(
            Overload(
                *(row.server, row.pictures_per_second, rate, seconds, len(latencies), errors),
                *(None if value is None else float(value) for value in percentiles),
                before=float(np.median(before)) * 1e3,
                after=after * 1e3,
            )
        )
        logging.info("%s", found[-1])
    return found


def table(rows):
    """Overloads as text for a terminal."""
    titles = ("server", "sustained/s", "offered/s", "answered/s", "p50 ms", "p99 ms")
    lines = [
        (
            *(row.server, f"{row.sustained:.1f}", f"{row.offered:.1f}"),
            f"{row.answered / row.seconds:.1f}",
            *("-" if ms is None else f"{ms:.1f}" for ms in (row.p50, row.p99)),
            *(f"{row.before:.1f}", f"{row.after:.1f}"),
            ", ".join(f"{count} {status}" for status, count in row.errors.items()) or 0,
        )
        for row in rows
    ]
    return tables.aligned((*titles, "alone before ms", "first after ms", "errors"), lines)


def _timed(client, pictures):
    start = time.perf_counter()
    client.predict(pictures)
    return time.perf_counter() - start


def _offer(address, encoded, rate, seconds, deadline):
    """Latencies in seconds and errors by status of requests that come at a rate."""
    moments = itertools.count()
    lock, latencies, errors = threading.Lock(), [], collections.Counter()
    start = time.perf_counter() + 0.1
    threads = min(_MOST_THREADS, max(_CLIENTS, round(rate * deadline)))

    def work(client):
        while True:
            with lock:
                number = next(moments)
            moment = start + number / rate
            if moment >= start + seconds:
                return
            time.sleep(max(0.0, moment - time.perf_counter()))
            outcome = "NOT_SENT"
            if time.perf_counter() - moment < _LATE:
                outcome = _asked(client, encoded[number % len(encoded)])
            with lock:
                if outcome:
                    errors[outcome] += 1
                else:
                    latencies.append(time.perf_counter() - moment)

    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(server_load.client_of(address, deadline, 1))
            for _ in range(_CLIENTS)
        ]
        workers = [
            threading.Thread(target=work, args=(clients[index % _CLIENTS],), daemon=True)
            for index in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(max(0.0, start + seconds + 2 * deadline - time.perf_counter()))
    return latencies, dict(errors)


def _asked(client, picture):
    """Status of a request for one picture; None if it was answered."""
    try:
        client.predict([picture])
    except ServingError as error:
        return error.status
    return None
