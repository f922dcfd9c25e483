"""What both clients of TF Serving do alike: batching, order, retries, typed results.

A transport (grpc_client.py, rest_client.py) sends one request; everything else is here.
"""

import collections
import concurrent.futures
import functools
import itertools
import os
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError, columns
from rankpose_tf.serving import arguments
from rankpose_tf.serving.results import ModelVersion, ServedPose, ServingError, Signature

Picture = bytes | bytearray | memoryview | str | os.PathLike[str]

# First pause before a retry, seconds; it doubles with each up to the longest, so that a server that
# is back is soon found, and each is shortened at random so that many clients do not come at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class Client:
    """Asks a server for poses; safe to share between threads.

    Every request may be sent again when the server is UNAVAILABLE, and only then: a prediction
    changes nothing on the server, and every other status would come back the same.

    Args:
      address: "host:port".
      model: name of the servable.
      deadline: seconds that one request may take, with its retries and pauses.
      retries: how often a request is sent again after UNAVAILABLE.
      max_pictures: largest number of pictures a request; a server that batches refuses more than
        its max_batch_size (32 in export/serving/batching.config).
      concurrency: how many requests are under way at once when there are more pictures than that.
    """

    def __init__(
        self,
        address: str,
        model: str = "rankpose",
        deadline: float = 10.0,
        retries: int = 3,
        max_pictures: int = 32,
        concurrency: int = 4,
    ):
        if not isinstance(address, str):
            raise RankPoseError(f"address: expected text such as HOST:PORT, received {address!r}")
        if not (isinstance(model, str) and model):
            raise RankPoseError(f"model: expected the servable's name, received {model!r}")
        arguments.require_whole("max_pictures", max_pictures, 1)
        arguments.require_whole("concurrency", concurrency, 1)
        arguments.require_whole("retries", retries, 0)
        self.address = address
        self.model = model
        self.deadline = arguments.checked_deadline(deadline)
        self.retries = retries
        self.max_pictures = max_pictures
        self.concurrency = concurrency

    def predict(self, images: Iterable[Picture], deadline: float | None = None) -> list[ServedPose]:
        """Poses of pictures of one face each.

        Args:
          images: encoded pictures as bytes (JPEG or PNG), or paths of such files.
          deadline: seconds a request; the client's own by default.

        Returns:
          List of `ServedPose`, one a picture, in their order.

        Raises:
          ServingError: if a request failed; no answer of the others is returned.
          RankPoseError: for an argument of another kind, or a file that can't be read.
        """
        return list(self.stream(images, deadline=deadline))

    def predict_crops(
        self, images: Iterable[Picture], boxes: Any, deadline: float | None = None
    ) -> list[ServedPose]:
        """Poses of faces in whole scenes, which the server crops as in training.

        Args:
          images: as for `predict`; a scene with two faces is given twice.
          boxes: (N, 4) left, top, right, bottom of each face, pixels.
          deadline: as for `predict`.

        Returns:
          As `predict`.

        Raises:
          ServingError, RankPoseError: as `predict`.
        """
        images, boxes = list(arguments.pictures(images)), arguments.boxes_of(boxes)
        if boxes.shape != (len(images), 4):
            raise RankPoseError(
                f"boxes: expected ({len(images)}, 4), one box a picture, received {boxes.shape}"
            )
        return list(self.stream(images, boxes, deadline))

    def predict_arrays(self, arrays: Any, deadline: float | None = None) -> list[ServedPose]:
        """Poses of decoded pictures; over REST encoded ones travel several times faster.

        Args:
          arrays: (N, H, W, 3) uint8 RGB.
          deadline: as for `predict`.

        Returns:
          As `predict`.

        Raises:
          ServingError, RankPoseError: as `predict`.
        """
        try:
            arrays = np.asarray(arrays)
        except ValueError as error:
            raise RankPoseError(
                "arrays: expected pictures of one size, received several; send encoded ones, or "
                "call predict_arrays for each size"
            ) from error
        if arrays.ndim != 4 or arrays.shape[3] != 3 or arrays.dtype != np.uint8:
            raise RankPoseError(
                f"arrays: expected (N, H, W, 3) uint8 RGB, received {arrays.shape} {arrays.dtype}"
            )
        starts = range(0, len(arrays), self.max_pictures)
        requests = ({"image": arrays[start : start + self.max_pictures]} for start in starts)
        return list(self._answers("image", requests, deadline))

    def stream(
        self,
        images: Iterable[Picture],
        boxes: Iterable[Any] | None = None,
        deadline: float | None = None,
    ) -> Iterator[ServedPose]:
        """Poses of any number of pictures, in their order, in constant memory.

        Pictures are read as answers are taken, `max_pictures` * (`concurrency` + 1) ahead at
        most.

        Args:
          images: iterable as for `predict`.
          boxes: iterable of (4,) boxes in step with the pictures, as for `predict_crops`, or None.
          deadline: as for `predict`.

        Yields:
          `ServedPose`.

        Raises:
          ServingError, RankPoseError: as `predict`, when the turn of the request comes that the
            failed picture is in: the answers of those before it are given first.
        """
        images = arguments.pictures(images)
        requests: Iterator[dict[str, Any]]
        if boxes is None:
            parts = _parts(images, self.max_pictures)
            requests = ({"image_bytes": list(map(arguments.content, part))} for part in parts)
            yield from self._answers("serving_default", requests, deadline)
            return
        parts = _parts(arguments.in_step(images, boxes), self.max_pictures)
        requests = (
            {
                "image_bytes": [arguments.content(image) for image, _ in part],
                "box": np.array([box for _, box in part], np.float32),
            }
            for part in parts
        )
        yield from self._answers("crop", requests, deadline)

    def ready(self, deadline: float = 1.0) -> bool:
        """Whether the server answers and a version of the model is AVAILABLE; asks once."""
        try:
            versions = self._status(arguments.checked_deadline(deadline))
        except ServingError:
            return False
        return any(version.state == "AVAILABLE" for version in versions)

    def model_status(self, deadline: float | None = None) -> list[ModelVersion]:
        """List of `ModelVersion`; raises `ServingError`."""
        return self._with_retries(self._status, deadline)

    def metadata(self, deadline: float | None = None) -> dict[str, Signature]:
        """Name -> `Signature`; raises `ServingError`."""
        return self._with_retries(self._signatures, deadline)

    def close(self) -> None:
        """Frees the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _answers(self, signature, requests, deadline):
        """`ServedPose` after `ServedPose` of a sequence of requests, several under way at once."""

        def ask(inputs):
            count = len(next(iter(inputs.values())))
            outputs = self._with_retries(
                lambda seconds: self._predict(signature, inputs, seconds), deadline
            )
            return self._poses(outputs, count)

        for poses in _in_order(ask, requests, self.concurrency):
            yield from poses

    def _poses(self, outputs, count):
        """`ServedPose`s of the outputs of one request, name -> (B,)."""
        names = [*columns(outputs), "valid"]
        shapes = {name: len(outputs[name]) for name in names if name in outputs}
        if shapes != dict.fromkeys(names, count):
            raise ServingError(
                "DATA_LOSS",
                f"expected {count} values each of {', '.join(names)}, received {shapes}; is "
                f"{self.model!r} a model that rankpose_tf.export wrote?",
                self.address,
            )
        rows = zip(*(map(float, outputs[name]) for name in names), strict=True)
        return [_pose(row) for row in rows]

    def _with_retries(self, send, deadline):
        """`send(seconds left)`, again after UNAVAILABLE while there is time."""
        seconds = self.deadline if deadline is None else deadline
        end = time.monotonic() + arguments.checked_deadline(seconds)
        for attempt in itertools.count():
            try:
                return send(end - time.monotonic())
            except ServingError as error:
                pause = min(_FIRST_PAUSE * 2.0 ** min(attempt, 60), _LONGEST_PAUSE)
                pause *= random.uniform(0.5, 1.0)
                out_of_time = time.monotonic() + pause >= end
                if error.status != "UNAVAILABLE" or attempt >= self.retries or out_of_time:
                    raise
            time.sleep(pause)

    def _predict(self, signature, inputs, seconds):
        """One request: name -> list of bytes or array, to name -> (B,) numbers."""
        raise NotImplementedError

    def _status(self, seconds):
        """One request: list of `ModelVersion`."""
        raise NotImplementedError

    def _signatures(self, seconds):
        """One request: name -> `Signature`."""
        raise NotImplementedError


def _pose(row):
    """`ServedPose` of yaw, pitch, roll, perhaps their expected errors, and valid."""
    error = ExpectedError(*row[3:6]) if len(row) > 4 else None
    return ServedPose(*row[:3], bool(row[-1]), error)


def _parts(items, size):
    """Lists of `size` items of an iterable; the last may be shorter."""
    items = iter(items)
    while part := list(itertools.islice(items, size)):
        yield part


def _in_order(function, items, concurrency):
    """`map`, with up to `concurrency` calls under way; a single item takes no thread.

    What an iterator of items raises is raised in the next answer's place, behind those before it.
    """
    calls = _calls(function, items)
    first = list(itertools.islice(calls, 2))
    if len(first) < 2:
        yield from (call() for call in first)
        return
    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        waiting = collections.deque()
        try:
            for call in itertools.chain(first, calls):
                if len(waiting) == concurrency:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(call))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _calls(function, items):
    """Yields a call for each item; where an item can't be had, a last one that raises why."""
    try:
        for item in items:
            yield functools.partial(function, item)
    except Exception as error:
        yield functools.partial(_raise, error)


def _raise(error):
    raise error
