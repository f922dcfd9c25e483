"""gRPC transport of the client of TF Serving: PredictionService and ModelService."""

import math
from typing import Any

import numpy as np

from rankpose_tf.core import extras
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import messages
from rankpose_tf.serving.client import Client
from rankpose_tf.serving.results import (
    ModelVersion,
    ServingError,
    Signature,
    TensorSpecification,
    understood,
)

METHODS = {
    "Predict": "/tensorflow.serving.PredictionService/Predict",
    "GetModelMetadata": "/tensorflow.serving.PredictionService/GetModelMetadata",
    "GetModelStatus": "/tensorflow.serving.ModelService/GetModelStatus",
}
_OPTIONS = [
    # gRPC stops at 4 MB, which is 40 phone pictures; TF Serving itself takes 2 GB.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Clients to one address would share a connection, and so one server behind a balancer.
    ("grpc.use_local_subchannel_pool", 1),
    # Of a name with several addresses, as a headless service has, each is used in turn.
    ("grpc.lb_policy_name", "round_robin"),
    # A restarted server is found again within the retries: gRPC's own pauses are 1 to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcClient(Client):
    """See `client.Client`. The channel connects with the first request.

    Args:
      address: "host:port".
      credentials: `grpc.ChannelCredentials` for TLS; None is a plain connection.
      **settings: of `Client`.

    Raises:
      RankPoseError: if grpcio is not installed, or the address is none or one of HTTP.
    """

    def __init__(self, address: str, credentials: Any = None, **settings: Any):
        super().__init__(address, **settings)
        _check_address(address)
        grpc = extras.load("grpc", "serving", "client", "use RestClient")
        self._failure = grpc.RpcError
        self._messages = messages.messages()
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, options=_OPTIONS)
        self._methods = {
            name: self._channel.unary_unary(
                path,
                request_serializer=getattr(self._messages, f"{name}Request").SerializeToString,
                response_deserializer=getattr(self._messages, f"{name}Response").FromString,
            )
            for name, path in METHODS.items()
        }

    def close(self) -> None:
        """Frees the connection; requests under way fail with CANCELLED."""
        self._channel.close()

    def _call(self, name, request, seconds):
        try:
            return self._methods[name](request, timeout=seconds)
        except self._failure as error:
            details = error.details() or "no message"
            raise ServingError(error.code().name, details, self.address) from error
        except ValueError as error:
            # gRPC's word for a channel that was closed.
            raise RankPoseError(f"client: {error}; make a new GrpcClient") from error

    def _predict(self, signature, inputs, seconds):
        request = self._messages.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            _fill(request.inputs[name], value)
        response = self._call("Predict", request, seconds)
        with understood(self.address):
            return {name: _values(tensor) for name, tensor in response.outputs.items()}

    def _status(self, seconds):
        request = self._messages.GetModelStatusRequest()
        request.model_spec.name = self.model
        response = self._call("GetModelStatus", request, seconds)
        return [
            ModelVersion(
                version=item.version,
                state=messages.STATES.get(item.state, str(item.state)),
                message=item.status.error_message,
            )
            for item in response.model_version_status
        ]

    def _signatures(self, seconds):
        request = self._messages.GetModelMetadataRequest()
        request.model_spec.name = self.model
        request.metadata_field.append("signature_def")
        packed = self._call("GetModelMetadata", request, seconds).metadata["signature_def"]
        content = self._messages.SignatureDefMap.FromString(packed.value)
        return {
            name: Signature(_specifications(item.inputs), _specifications(item.outputs))
            for name, item in content.signature_def.items()
        }


def _check_address(address):
    """gRPC itself fails with the first request, and takes http for the name of a resolver."""
    of_http = address.lower().startswith(("http:", "https:"))
    if of_http or not address.strip(" /:") or any(map(str.isspace, address)):
        advice = "; RestClient takes addresses of HTTP" if of_http else ""
        raise RankPoseError(
            f"address: expected HOST:PORT, such as localhost:8500, received {address!r}{advice}"
        )


def _fill(tensor, value):
    """Puts a list of bytes, or an array of uint8 or float32, into a TensorProto."""
    types = messages.DATA_TYPES
    if isinstance(value, list):
        tensor.dtype = types["DT_STRING"]
        tensor.tensor_shape.dim.add(size=len(value))
        tensor.string_val.extend(value)
        return
    tensor.dtype = types["DT_UINT8" if value.dtype == np.uint8 else "DT_FLOAT"]
    for size in value.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = value.tobytes()


def _values(tensor):
    """(B,) values of a TensorProto of float32 or bool, in either of the two ways to write it."""
    is_bool = tensor.dtype == messages.DATA_TYPES["DT_BOOL"]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, np.bool_ if is_bool else "<f4")
    values = tensor.bool_val if is_bool else tensor.float_val
    count = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    # Equal values at the end may be left out.
    return [*values, *[values[-1]] * (count - len(values))] if values else []


def _specifications(tensors):
    names = {number: name for name, number in messages.DATA_TYPES.items()}
    return {
        name: TensorSpecification(
            dtype=names.get(tensor.dtype, str(tensor.dtype)),
            shape=tuple(dim.size for dim in tensor.tensor_shape.dim),
        )
        for name, tensor in tensors.items()
    }
