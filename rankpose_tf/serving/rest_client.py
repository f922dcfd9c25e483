"""REST transport of the client of TF Serving, with the standard library alone."""

import base64
import errno
import http.client
import json
import math
import os
import socket
import time
import urllib.parse
from typing import Any

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving.client import Client
from rankpose_tf.serving.results import (
    ModelVersion,
    ServingError,
    Signature,
    TensorSpecification,
    understood,
)

# What TF Serving makes of its statuses. 400 also stands for FAILED_PRECONDITION and OUT_OF_RANGE.
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_PIECE = 1 << 16
# What a machine runs out of that asks too much at once.
_THIS_SIDE = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)


class RestClient(Client):
    """See `client.Client`. Each request has a connection of its own.

    Args:
      address: "host:port", or a URL with http:// or https:// and perhaps a path before /v1.
      **settings: of `Client`.

    Raises:
      RankPoseError: if the address has another form.
    """

    def __init__(self, address: str, **settings: Any):
        super().__init__(address, **settings)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        try:
            url = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
            self._connection, self._server = kinds[url.scheme], (url.hostname, url.port)
        except (KeyError, ValueError) as error:
            raise _no_address(address) from error
        if not url.hostname or url.username or url.query or any(map(str.isspace, address)):
            raise _no_address(address)
        if "/v1/" in f"{url.path}/":
            raise RankPoseError(
                f"address: expected what stands before /v1, received {address!r}; the model's name "
                "is the argument model"
            )
        self._path = f"{url.path.rstrip('/')}/v1/models/{urllib.parse.quote(self.model)}"

    def _call(self, path, body, seconds):
        """GET, or POST where there is a body: the answer's JSON."""
        end = time.monotonic() + seconds
        connection = self._connection(*self._server, timeout=seconds)
        try:
            status, content = _exchange(connection, path, body, end)
        except TimeoutError as error:
            message = f"no answer within {seconds:.3g} s"
            raise ServingError("DEADLINE_EXCEEDED", message, self.address) from error
        except (OSError, http.client.HTTPException) as error:
            raise ServingError(*_failure(error), self.address) from error
        finally:
            connection.close()
        if status != 200:
            name = _STATUSES.get(status, f"HTTP {status}")
            raise ServingError(name, _error_message(content), self.address)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            message = f"the answer is no JSON: {content[:80]!r}"
            raise ServingError("DATA_LOSS", message, self.address) from error

    def _predict(self, signature, inputs, seconds):
        columns = {name: _json_values(value) for name, value in inputs.items()}
        if len(columns) == 1:
            # The name is left out where it can't be mistaken: lists of numbers need that form.
            instances = next(iter(columns.values()))
        else:
            rows = zip(*columns.values(), strict=True)
            instances = [dict(zip(columns, row, strict=True)) for row in rows]
        body = json.dumps({"signature_name": signature, "instances": instances}).encode()
        content = self._call(f"{self._path}:predict", body, seconds)
        with understood(self.address):
            rows = content.get("predictions", [])
            rows = [row if isinstance(row, dict) else {} for row in rows]
            names = rows[0] if rows else ()
            return {name: [_number(row.get(name)) for row in rows] for name in names}

    def _status(self, seconds):
        content = self._call(self._path, None, seconds)
        with understood(self.address):
            return [
                ModelVersion(
                    version=int(item["version"]),
                    state=item["state"],
                    message=item.get("status", {}).get("error_message", ""),
                )
                for item in content.get("model_version_status", [])
            ]

    def _signatures(self, seconds):
        content = self._call(f"{self._path}/metadata", None, seconds)
        with understood(self.address):
            signatures = content["metadata"]["signature_def"]["signature_def"]
            return {
                name: Signature(_specifications(item["inputs"]), _specifications(item["outputs"]))
                for name, item in signatures.items()
            }


def _no_address(address):
    return RankPoseError(
        f"address: expected HOST:PORT or http(s)://HOST:PORT, such as localhost:8501, received "
        f"{address!r}"
    )


def _exchange(connection, path, body, end):
    """One request and its answer until the moment `end`: status and body.

    A socket's timeout holds for one step, so it is set anew to what is left before each.
    """
    connection.connect()
    # The connection lets go of its socket once the answer says that it is the last.
    held = connection.sock

    def hurry():
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        held.settimeout(left)

    hurry()
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("GET" if body is None else "POST", path, body, headers)
    hurry()
    answer = connection.getresponse()
    pieces = []
    while True:
        hurry()
        piece = answer.read1(_PIECE)
        if not piece and answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        if not piece:
            return answer.status, b"".join(pieces)
        pieces.append(piece)


def _failure(error):
    """Status and message of a connection that failed: which side gave it up, and how.

    A prediction changes nothing on the server, so what was cut off may be asked again, as gRPC
    does: its status is UNAVAILABLE.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, ConnectionRefusedError):
        return "UNAVAILABLE", "connection refused"
    if isinstance(error, socket.gaierror):
        return "UNAVAILABLE", f"the name has no address ({error.strerror})"
    if number in _THIS_SIDE:
        return "RESOURCE_EXHAUSTED", (
            f"this side has no connection left ({os.strerror(number)}); lower concurrency, or the "
            "number of clients"
        )
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "UNAVAILABLE", os.strerror(number).lower()
    if isinstance(error, http.client.IncompleteRead):
        return "UNAVAILABLE", "the server closed the connection in the middle of its answer"
    if isinstance(error, ConnectionError):
        reason = type(error).__name__
        return "UNAVAILABLE", f"the server closed the connection before it answered ({reason})"
    return "UNKNOWN", f"{type(error).__name__}: {error}"


def _json_values(value):
    """One entry a row: {"b64": ...} for bytes, nested lists for arrays."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [{"b64": base64.b64encode(content).decode()} for content in value]


def _number(value):
    """NaN travels as a bare NaN, which Python's json reads; some proxies turn it into null."""
    return math.nan if value is None else float(value)


def _error_message(content):
    """TF Serving's message; its JSON is not always valid, since it escapes as C does."""
    text = content.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text[:500] or "no message"


def _specifications(tensors):
    return {
        name: TensorSpecification(
            dtype=tensor["dtype"],
            shape=tuple(int(dim["size"]) for dim in tensor["tensor_shape"].get("dim", [])),
        )
        for name, tensor in tensors.items()
    }
