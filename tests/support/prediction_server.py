"""A PredictionService for tests: TF Serving's protocol over TensorFlow's C++ session.

    python -m tests.support.prediction_server --model=DIR/savedmodel/rankpose --port=8500 \
        --rest_port=8501

The protos are the official ones; statuses and messages are those of TF Serving's sources. Like
TF Serving it takes the highest version, replays the warm-up requests while loading, and does not
start if one fails. It takes one model and has no TLS, no reload and no metrics.
"""

import argparse
import concurrent.futures
import functools
import http.server
import pathlib
import sys
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from tests.support import prediction_rest, server_batching
from tests.support.session_loader import Failed, Session

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_INVALID_ARGUMENT, _NOT_FOUND, _FAILED_PRECONDITION = 3, 5, 9
# Requests that one door has under way; the next is RESOURCE_EXHAUSTED, so that no queue grows.
MOST = 128
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def load(base_path, batching=None):
    """The highest version below `base_path`, warmed up: its session and number.

    Args:
      base_path: folder with one folder a version.
      batching: `server_batching.Parameters`, or None.

    Raises:
      Failed: if there is no version, or it can't be loaded, or a warm-up request fails.
    """
    folders = [path for path in pathlib.Path(base_path).iterdir() if path.name.isdigit()]
    if not folders:
        raise Failed(_NOT_FOUND, f"No versions of servable found under base path {base_path}")
    folder = max(folders, key=lambda path: int(path.name))
    session = Session(folder)
    if batching:
        session = server_batching.BatchingSession(session, batching)
    core = Core(session, "rankpose", int(folder.name))
    try:
        warm_up(core, folder / "assets.extra" / "tf_serving_warmup_requests")
    except Failed:
        session.close()
        raise
    return session, int(folder.name)


def warm_up(core, path):
    """Replays the records of a warm-up file, if there is one; returns how many."""
    if not path.is_file():
        return 0
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    if len(records) > 1000:
        raise Failed(_INVALID_ARGUMENT, "Number of warmup records exceeds the maximum 1000")
    for record in records:
        log = prediction_log_pb2.PredictionLog.FromString(record)
        answer(core, log.predict_log.request)
    return len(records)


class Core:
    """What both servers ask.

    Args:
      session: offers `signatures` (name -> SignatureDef) and `run(signature, inputs)`.
      name: of the servable.
      version: of the servable.
      before: called before each prediction; what it raises as `Failed` is the answer.
    """

    def __init__(self, session, name, version, before=lambda: None):
        self.session, self.name, self.version, self.before = session, name, version, before

    def check(self, name, version):
        if name != self.name or version not in (None, self.version):
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Failed(_NOT_FOUND, f"Servable not found for request: {asked}")

    def signatures(self, name, version):
        """SignatureDefMap."""
        self.check(name, version)
        return get_model_metadata_pb2.SignatureDefMap(signature_def=self.session.signatures)

    def status(self, name, version):
        """GetModelStatusResponse."""
        if name != self.name or version not in (None, self.version):
            raise Failed(_NOT_FOUND, f"Could not find any versions of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(
            version=self.version, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
        )
        return response

    def predict(self, name, version, signature, inputs):
        """Name -> array of one signature, after the checks of predict_util.cc."""
        self.check(name, version)
        self.before()
        if signature not in self.session.signatures:
            raise Failed(_FAILED_PRECONDITION, f'Serving signature key "{signature}" not found.')
        expected = self.session.signatures[signature].inputs
        if set(inputs) != set(expected):
            extra, missing = set(inputs) - set(expected), set(expected) - set(inputs)
            raise Failed(
                _INVALID_ARGUMENT,
                f"input size does not match signature: {len(inputs)}!={len(expected)}. Sent "
                f"extra: {{{','.join(sorted(extra))}}}. Missing but required: "
                f"{{{','.join(sorted(missing))}}}.",
            )
        for key, value in inputs.items():
            dtype = tf.as_dtype(expected[key].dtype)
            if value.dtype != dtype.as_numpy_dtype:
                raise Failed(
                    _INVALID_ARGUMENT,
                    f"Expects {key} to be {dtype.name} but {value.dtype} is provided",
                )
        return self.session.run(signature, inputs)


def answer(core, request):
    """PredictResponse to a PredictRequest."""
    try:
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    except (TypeError, ValueError) as error:
        raise Failed(_INVALID_ARGUMENT, f"tensor parsing error: {error}") from error
    name, version = _asked(request.model_spec)
    signature = request.model_spec.signature_name or "serving_default"
    response = predict_pb2.PredictResponse()
    response.model_spec.name = name
    response.model_spec.version.value = core.version
    response.model_spec.signature_name = signature
    for key, value in core.predict(name, version, signature, inputs).items():
        tensor = response.outputs[key]
        tensor.dtype = tf.as_dtype(value.dtype).as_datatype_enum
        for size in value.shape:
            tensor.tensor_shape.dim.add(size=size)
        # TF Serving writes values into typed fields unless it is told otherwise.
        field = tensor.bool_val if value.dtype == bool else tensor.float_val
        field.extend(value.ravel().tolist())
    return response


def _asked(specification):
    has_version = specification.HasField("version")
    return specification.name, specification.version.value if has_version else None


class _Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, core):
        self._core = core

    def _guarded(self, context, call):
        # It may have waited so long that no one waits for its answer any more.
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "the client has gone")
        try:
            return call()
        except Failed as error:
            context.abort(_CODES[error.code], error.message)

    def Predict(self, request, context):
        return self._guarded(context, lambda: answer(self._core, request))

    def GetModelMetadata(self, request, context):
        def call():
            if list(request.metadata_field) != ["signature_def"]:
                raise Failed(_INVALID_ARGUMENT, "Metadata field is not supported")
            name, version = _asked(request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = name
            response.model_spec.version.value = self._core.version
            response.metadata["signature_def"].Pack(self._core.signatures(name, version))
            return response

        return self._guarded(context, call)

    def GetModelStatus(self, request, context):
        return self._guarded(context, lambda: self._core.status(*_asked(request.model_spec)))


class _RestServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # With the 5 of Python the connections of 64 clients were reset now and then.
    request_queue_size = 128


class Server:
    """Both servers on loopback; starts with the object, ends with `stop`.

    Attributes:
      core: `Core`; its `before` may be exchanged while the server runs.
      address: "host:port" of gRPC.
      rest_address: "host:port" of REST.
    """

    def __init__(self, session, version=1, port=0, rest_port=0, name="rankpose"):
        self.core = Core(session, name, version)
        service = _Service(self.core)
        pool = concurrent.futures.ThreadPoolExecutor(32)
        options = [*_UNLIMITED, ("grpc.so_reuseport", 0)]
        self._grpc = grpc.server(pool, options=options, maximum_concurrent_rpcs=MOST)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, self._grpc)
        self.address = f"127.0.0.1:{self._grpc.add_insecure_port(f'127.0.0.1:{port}')}"
        self._grpc.start()
        handler = prediction_rest.handler(self.core, MOST)
        self._rest = _RestServer(("127.0.0.1", rest_port), handler)
        self.rest_address = f"127.0.0.1:{self._rest.server_port}"
        # `stop` waits for one look at whether to go on.
        serve = functools.partial(self._rest.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, daemon=True).start()

    def stop(self):
        self._grpc.stop(grace=None).wait()
        self._rest.shutdown()
        self._rest.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="Folder that holds the versions.")
    parser.add_argument("--port", type=int, default=8500, help="gRPC; 0 takes a free one.")
    parser.add_argument("--rest_port", type=int, default=8501, help="REST; 0 takes a free one.")
    parser.add_argument("--enable_batching", action="store_true")
    parser.add_argument("--batching_parameters_file", type=pathlib.Path)
    options = parser.parse_args()
    if options.enable_batching != bool(options.batching_parameters_file):
        parser.error("--enable_batching and --batching_parameters_file go together here")
    batching = None
    if options.enable_batching:
        batching = server_batching.read_parameters(options.batching_parameters_file)
    try:
        session, version = load(options.model, batching)
    except Failed as error:
        sys.exit(f"not loaded: {error}")
    server = Server(session, version, options.port, options.rest_port)
    print(f"version {version}: gRPC {server.address}, REST {server.rest_address}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
