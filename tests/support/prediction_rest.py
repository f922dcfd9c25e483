"""TF Serving's REST API in its JSON shapes, over the same core as the gRPC server of the tests."""

import base64
import contextlib
import http.server
import json
import re
import threading

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tests.support.session_loader import Failed

# tensorflow_serving/model_servers/http_server.cc, ToHTTPStatusCode.
_HTTP = {3: 400, 4: 504, 5: 404, 8: 429, 9: 400, 11: 400, 12: 501, 14: 503}
_PATH = re.compile(r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+))?(?P<what>.*)")


def handler(core, most):
    """A request handler class for `http.server`; `most` requests are answered at a time."""
    under_way = threading.BoundedSemaphore(most)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A client that sends no more is not waited for.
        timeout = 60

        def do_GET(self):
            self._answer(lambda path: _get(core, path))

        def do_POST(self):
            length = self.headers.get("Content-Length", "0")
            if not length.isdecimal():
                # Where the next request would begin is not known.
                self.close_connection = True
                length = 0
            body = self.rfile.read(int(length))
            self._answer(lambda path: _post(core, path, body))

        def _answer(self, ask):
            status, content = 429, {"error": f"{most} requests are under way already"}
            if under_way.acquire(blocking=False):
                try:
                    status, content = self._asked(ask)
                finally:
                    under_way.release()
            # A NaN is written as a bare NaN, as TF Serving does.
            content = json.dumps(content, indent=4).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            # A client past its deadline has gone.
            with contextlib.suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(content)

        def _asked(self, ask):
            """Status and JSON of the answer."""
            try:
                path = _PATH.fullmatch(self.path)
                if not path:
                    raise Failed(3, f"Malformed request: {self.command} {self.path}")
                return 200, ask(path)
            except Failed as error:
                return _HTTP.get(error.code, 500), {"error": error.message}
            except Exception as error:
                # Whatever it is, it is answered: who asked is not to guess.
                return 500, {"error": f"{type(error).__name__}: {error}"}

        def log_message(self, *arguments):
            """Quiet."""

    return Handler


def _get(core, path):
    specification = path["model"], int(path["version"]) if path["version"] else None
    if path["what"] == "/metadata":
        return _metadata(core, *specification)
    if path["what"]:
        raise Failed(3, f"Malformed request: GET {path[0]}")
    return _as_json(core.status(*specification))


def _metadata(core, name, version):
    signatures = core.signatures(name, version)
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(core.version)},
        "metadata": {"signature_def": _as_json(signatures)},
    }


def _as_json(message):
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _post(core, path, body):
    if path["what"] != ":predict":
        raise Failed(3, f"Malformed request: POST {path[0]}")
    try:
        content = json.loads(body)
        name, rows = content.get("signature_name", "serving_default"), content["instances"]
        if not isinstance(rows, list) or not rows:
            raise ValueError("'instances' is no list, or an empty one")
        if not isinstance(name, str):
            raise ValueError("'signature_name' is no string")
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(3, f"JSON Parse error: {error}") from error
    version = int(path["version"]) if path["version"] else None
    definitions = core.signatures(path["model"], version).signature_def
    if name not in definitions:
        raise Failed(3, f'Serving signature name: "{name}" not found in signature def')
    inputs = _columns(rows, definitions[name].inputs)
    outputs = core.predict(path["model"], version, name, inputs)
    columns = {key: value.tolist() for key, value in sorted(outputs.items())}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def _columns(rows, specifications):
    """Name -> array of the rows of a request."""
    names = list(specifications)
    unnamed = len(names) == 1 and not (isinstance(rows[0], dict) and "b64" not in rows[0])
    if unnamed:
        rows = [{names[0]: row} for row in rows]
    columns = {}
    for row in rows:
        if not isinstance(row, dict):
            raise Failed(3, "instances is a plain list, but expecting a list of objects")
        if set(row) != set(names):
            raise Failed(
                3, f"Failed to process element: expected {sorted(names)}, received {sorted(row)}"
            )
    for name in names:
        dtype = tf.as_dtype(specifications[name].dtype)
        values = [row[name] for row in rows]
        try:
            if dtype == tf.string:
                columns[name] = np.array([_text(value) for value in values], object)
            else:
                if dtype.is_integer and np.array(values).dtype.kind != "i":
                    raise TypeError(f"{dtype.name} takes whole numbers")
                columns[name] = np.array(values, dtype.as_numpy_dtype)
        except (ValueError, TypeError, OverflowError, AttributeError, RecursionError) as error:
            raise Failed(3, f"JSON Value is not of expected type: {error}") from error
    return columns


def _text(value):
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return value.encode()
