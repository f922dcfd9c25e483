"""The client's own message declarations against the official protos of TF Serving."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pool
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
)

from rankpose_tf.serving import messages

DECLARED = [
    (package, name, fields)
    for package, content in messages.PACKAGES.items()
    for name, fields in content.items()
    if isinstance(fields, dict)
]


@pytest.mark.parametrize("package, name, fields", DECLARED, ids=lambda value: str(value)[:30])
def test_fields_have_the_official_numbers_and_wire_types(package, name, fields):
    official = descriptor_pool.Default().FindMessageTypeByName(f"{package}.{name}")
    ours = getattr(messages.messages(), name.replace(".", "")).DESCRIPTOR
    assert set(fields) <= set(official.fields_by_name)
    for field in ours.fields:
        expected = official.fields_by_name[field.name]
        assert field.number == expected.number
        assert field.is_repeated == expected.is_repeated
        # An enumeration travels as the integer that it is declared as here.
        if not (field.type == field.TYPE_INT32 and expected.type == expected.TYPE_ENUM):
            assert field.type == expected.type


def test_enumerations_have_the_official_numbers():
    for name, number in messages.DATA_TYPES.items():
        assert types_pb2.DataType.Value(name) == number
    states = get_model_status_pb2.ModelVersionStatus.State.items()
    assert messages.STATES == {number: name for name, number in states}


def test_a_request_reads_the_same_through_the_official_class():
    ours = messages.messages().PredictRequest()
    ours.model_spec.name = "rankpose"
    ours.model_spec.version.value = 3
    box = ours.inputs["box"]
    box.dtype = types_pb2.DT_FLOAT
    for size in (2, 4):
        box.tensor_shape.dim.add(size=size)
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    box.tensor_content = values.tobytes()
    read = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert (read.model_spec.name, read.model_spec.version.value) == ("rankpose", 3)
    np.testing.assert_array_equal(tf.make_ndarray(read.inputs["box"]), values)


def test_service_methods_have_the_official_names():
    from rankpose_tf.serving import grpc_client

    services = {
        "Predict": prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
        "GetModelMetadata": prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
        "GetModelStatus": model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
    }
    assert set(grpc_client.METHODS) == set(services)
    for name, path in grpc_client.METHODS.items():
        method = services[name].methods_by_name[name]
        assert path == f"/{services[name].full_name}/{name}"
        assert method.input_type.name == f"{name}Request"
        assert method.output_type.name == f"{name}Response"


def test_neither_client_imports_tensorflow():
    program = (
        "import sys\n"
        "from rankpose_tf import serving\n"
        "serving.RestClient('localhost:1')\n"
        "serving.GrpcClient('localhost:1').close()\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
