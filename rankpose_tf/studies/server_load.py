"""How fast a running server answers: latency and pictures per second at several clients.

Each client is a thread with a connection of its own that asks again as soon as it has its answer.
A failed request is counted by its status and not repeated. The test itself takes processor time:
on the server's own machine the figures compare settings, they do not say what the server can do.
"""

import collections
import contextlib
import dataclasses
import itertools
import pathlib
import threading
import time
import typing
from collections.abc import Callable

import cv2
import numpy as np
from absl import logging

from rankpose_tf.core import pictures, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import GrpcClient, RestClient, ServingError

# Enough that no cache sees one picture only, and little enough to hold.
_MOST_PICTURES = 256
_RENDERED_HEADS, _RENDERED_SIDE = 16, 128
_PAUSE_AFTER_ERROR = 0.05
SIGNATURES = ("serving_default", "image", "crop")
# Side of the arrays that `image` is sent, pixels: that of most faces that are cut out for a model.
_ARRAY_SIDE = 112
# The face's share of a crop's side; a box of that share is cropped to the whole picture again.
_BOX_SHARE = 1 / 1.4


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One measurement. Latencies are of the requests that were answered, milliseconds."""

    server: str
    signature: str
    pictures_per_request: int
    clients: int
    seconds: float
    requests: int
    p50: float | None
    p95: float | None
    p99: float | None
    pictures_per_second: float
    not_valid: int
    errors: dict[str, int]


def measure(
    servers,
    clients=(1, 4, 16),
    pictures_per_request=(1,),
    seconds=10.0,
    images=None,
    deadline=10.0,
    signatures=SIGNATURES[:1],
):
    """Loads each server in every combination, in turn, so that all see the same disturbances.

    Args:
      servers: name -> address; "host:port" is gRPC, "http://host:port" is REST.
      clients: numbers of clients.
      pictures_per_request: numbers of pictures that a client joins into one request.
      seconds: length of one measurement.
      images: folder of JPEG and PNG pictures; rendered heads by default.
      deadline: seconds that a request may take. A measurement ends `seconds` + 2 * `deadline`
        after its start at the latest, its first requests included, whatever the server does.
      signatures: some of `SIGNATURES`: encoded pictures; arrays, decoded before and scaled to 112
        pixels; encoded pictures with a box of 1 / 1.4 of their sides.

    Returns:
      List of `Measurement`.

    Raises:
      RankPoseError: for numbers or signatures that can't be, a folder without pictures, or a
        server that does not answer the first request.
    """
    for name, values in (("clients", clients), ("pictures_per_request", pictures_per_request)):
        if min(values, default=0) < 1:
            raise RankPoseError(f"{name}: expected numbers from 1, received {list(values)}")
    if not seconds > 0:
        raise RankPoseError(f"seconds: expected above 0, received {seconds}")
    unknown = [name for name in signatures if name not in SIGNATURES]
    if unknown or not signatures:
        raise RankPoseError(
            f"signatures: expected some of {', '.join(SIGNATURES)}, received {list(signatures)}"
        )
    encoded = read_pictures(images)
    questions = {name: _question(name, encoded) for name in signatures}
    for address, question in itertools.product(servers.values(), questions.values()):
        with client_of(address, deadline, 1) as client:
            question.ask(client, question.pictures[:1])
    measurements = []
    for signature, joined, count in itertools.product(signatures, pictures_per_request, clients):
        question = questions[signature]
        for name, address in servers.items():
            measured = _load((name, signature), address, question, count, joined, seconds, deadline)
            logging.info("%s", measured)
            measurements.append(measured)
    return measurements


class _Question(typing.NamedTuple):
    """What is sent of each picture, and how some of them are asked at once."""

    pictures: list
    ask: Callable


def _question(signature, encoded):
    """The `_Question` of a signature about encoded pictures."""
    if signature == "image":
        return _Question(
            [_array(content) for content in encoded],
            lambda client, arrays: client.predict_arrays(np.stack(arrays)),
        )
    if signature == "crop":
        return _Question(
            [(content, _box(content)) for content in encoded],
            lambda client, scenes: client.predict_crops(*zip(*scenes, strict=True)),
        )
    return _Question(encoded, lambda client, contents: client.predict(contents))


def _array(content):
    """An encoded picture as (112, 112, 3) uint8 RGB."""
    return cv2.resize(pictures.read(content), (_ARRAY_SIDE,) * 2, interpolation=cv2.INTER_AREA)


def _box(content):
    """(4,) left, top, right, bottom of the face in a crop, pixels."""
    height, width = pictures.read(content).shape[:2]
    corners = np.array([(1 - _BOX_SHARE) / 2, (1 + _BOX_SHARE) / 2])[:, None] * (width, height)
    return corners.reshape(-1)


def table(measurements):
    """Measurements as text for a terminal."""
    titles = ("server", "signature", "pictures", "clients", "requests", "p50 ms", "p95 ms")
    lines = []
    for row in measurements:
        latencies = ("-" if ms is None else f"{ms:.1f}" for ms in (row.p50, row.p95, row.p99))
        errors = ", ".join(f"{count} {status}" for status, count in row.errors.items())
        asked = (row.server, row.signature, row.pictures_per_request)
        load = (*asked, row.clients, row.requests)
        lines.append((*load, *latencies, f"{row.pictures_per_second:.1f}", errors or 0))
    return tables.aligned((*titles, "p99 ms", "pictures/s", "errors"), lines)


def client_of(address, deadline, joined):
    """A client that repeats nothing: of gRPC, or of REST where the address is a URL."""
    kind = RestClient if "://" in address else GrpcClient
    return kind(address, deadline=deadline, retries=0, max_pictures=joined, concurrency=1)


def read_pictures(folder):
    """Encoded pictures of a folder, or rendered ones."""
    if folder is None:
        # Here, since it imports TensorFlow, which a test on given pictures can do without.
        from rankpose_tf.data import synthetic

        heads = synthetic.identities(_RENDERED_HEADS, views=2, size=_RENDERED_SIDE)
        return [view.image for head in heads for view in head.views]
    folder = pathlib.Path(folder)
    paths = sorted(path for path in folder.rglob("*") if pictures.is_jpeg_or_png(path.name))
    if not paths:
        raise RankPoseError(
            f"images: expected a folder with JPEG or PNG files, found none in {str(folder)!r}"
        )
    return [path.read_bytes() for path in paths[:_MOST_PICTURES]]


class _Tally:
    """What the clients of one measurement have seen so far."""

    def __init__(self):
        self._lock = threading.Lock()
        self._latencies, self._not_valid = [], 0
        self._errors = collections.Counter()

    def answered(self, latency, not_valid):
        with self._lock:
            self._latencies.append(latency)
            self._not_valid += not_valid

    def failed(self, status):
        with self._lock:
            self._errors[status] += 1

    def so_far(self):
        """Latencies in seconds, pictures that were not valid, errors by status: copies."""
        with self._lock:
            return list(self._latencies), self._not_valid, dict(self._errors)


def _load(names, address, question, count, joined, seconds, deadline):
    """One `Measurement`."""
    tally, ready = _Tally(), threading.Barrier(count + 1)
    stop = threading.Event()
    clients = [client_of(address, deadline, joined) for _ in range(count)]
    workers = [
        # A daemon, so that a thread which never comes back can't hold up the process.
        threading.Thread(
            target=_ask_until,
            args=(stop, ready, client, question, joined, number, tally),
            daemon=True,
        )
        for number, client in enumerate(clients)
    ]
    for worker in workers:
        worker.start()
    try:
        ready.wait(timeout=deadline)
    except threading.BrokenBarrierError:
        logging.warning("%s: not all of %d clients were ready after %s s", names, count, deadline)
    start = time.monotonic()
    stop.wait(seconds)
    stop.set()
    for worker in workers:
        worker.join(max(0.0, start + seconds + deadline - time.monotonic()))
    elapsed = time.monotonic() - start
    latencies, not_valid, errors = tally.so_far()
    unfinished = sum(worker.is_alive() for worker in workers)
    if unfinished:
        errors["UNFINISHED"] = unfinished
    percentiles = np.percentile(latencies, (50, 95, 99)) * 1e3 if latencies else (None,) * 3
    return Measurement(
        *names,
        joined,
        count,
        elapsed,
        len(latencies),
        *(None if value is None else float(value) for value in percentiles),
        pictures_per_second=len(latencies) * joined / elapsed,
        not_valid=not_valid,
        errors=errors,
    )


def _ask_until(stop, ready, client, question, joined, number, tally):
    """One client: connects, waits for the others, then asks until `stop`."""
    # Clients start at different pictures.
    pictures, ask = question
    turn = itertools.islice(itertools.cycle(pictures), number % len(pictures), None)
    with client:
        try:
            ask(client, list(itertools.islice(turn, joined)))
        except ServingError as error:
            logging.warning("first request of client %d: %s", number, error)
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait()
        # At least once: a client that a busy machine wakes late counts too.
        for _ in itertools.chain([None], iter(stop.is_set, True)):
            request = list(itertools.islice(turn, joined))
            start = time.perf_counter()
            try:
                poses = ask(client, request)
            except ServingError as error:
                tally.failed(error.status)
                stop.wait(_PAUSE_AFTER_ERROR)
            else:
                latency = time.perf_counter() - start
                tally.answered(latency, sum(not pose.valid for pose in poses))
