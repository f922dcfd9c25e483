"""What the gRPC client alone does; test_client.py has what both do."""

import sys

import grpc
import numpy as np
import pytest
from tensorflow.core.framework import tensor_pb2

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.serving import GrpcClient, ServingError, grpc_client
from tests.support.number_session import NumberSession
from tests.support.prediction_server import Server


@pytest.fixture(scope="module")
def server():
    server = Server(NumberSession())
    yield server
    server.stop()


def test_grpc_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(RankPoseError, match=r'pip install "rankpose_tf\[serving\]"'):
        GrpcClient("localhost:8500")


def test_grpc_after_close_is_a_callers_mistake(server):
    client = GrpcClient(server.address)
    client.predict([b"1"])
    client.close()
    with pytest.raises(RankPoseError, match="closed"):
        client.predict([b"1"])


def test_grpc_with_credentials_asks_for_tls(server):
    credentials = grpc.ssl_channel_credentials()
    # The server has no TLS: a client that asked without it would be answered.
    with GrpcClient(server.address, credentials, retries=0, deadline=2.0) as client:
        with pytest.raises(ServingError, match="UNAVAILABLE|DEADLINE_EXCEEDED"):
            client.predict([b"1"])


def test_values_are_read_in_each_of_the_ways_to_write_them():
    values = np.float32([1.5, np.nan, 1.5])
    as_content = tensor_pb2.TensorProto(dtype="DT_FLOAT", tensor_content=values.tobytes())
    as_field = tensor_pb2.TensorProto(dtype="DT_FLOAT", float_val=values)
    for tensor in (as_content, as_field):
        tensor.tensor_shape.dim.add(size=3)
        np.testing.assert_array_equal(grpc_client._values(tensor), values)
    # A last value that repeats may be written once.
    shortened = tensor_pb2.TensorProto(dtype="DT_BOOL", bool_val=[False, True])
    shortened.tensor_shape.dim.add(size=4)
    assert grpc_client._values(shortened) == [False, True, True, True]


@pytest.mark.parametrize("address", ["", "  ", ":", "a host:1", None, 8500])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(RankPoseError, match="^address: expected .*HOST:PORT"):
        GrpcClient(address)


@pytest.mark.parametrize("address", ["http://localhost:8500", "HTTPS://host/v1"])
def test_an_address_of_http_is_sent_to_the_rest_client(address):
    with pytest.raises(RankPoseError, match="address: .*RestClient takes addresses of HTTP"):
        GrpcClient(address)
