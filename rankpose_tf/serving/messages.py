"""The messages that the gRPC client of TF Serving sends and receives.

The official classes are in tensorflow-serving-api, and importing them imports all of TensorFlow:
seconds and hundreds of megabytes in a process that only asks a server. A message is told by the
names and numbers of its fields, so the few that the client needs are declared here.
tests/serving/test_messages.py compares each with the official one.
"""

import functools
import types

from rankpose_tf.core import extras

_TENSORS = {
    "DataType": (
        "DT_INVALID DT_FLOAT DT_DOUBLE DT_INT32 DT_UINT8 DT_INT16 DT_INT8 DT_STRING DT_COMPLEX64 "
        "DT_INT64 DT_BOOL"
    ).split(),
    "TensorShapeProto.Dim": {"size": (1, "int64"), "name": (2, "string")},
    "TensorShapeProto": {
        "dim": (2, "repeated TensorShapeProto.Dim"),
        "unknown_rank": (3, "bool"),
    },
    "TensorProto": {
        "dtype": (1, "DataType"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "string_val": (8, "repeated bytes"),
        "bool_val": (11, "repeated bool"),
    },
    "TensorInfo": {
        "name": (1, "string"),
        "dtype": (2, "DataType"),
        "tensor_shape": (3, "TensorShapeProto"),
    },
    "SignatureDef": {
        "inputs": (1, "map TensorInfo"),
        "outputs": (2, "map TensorInfo"),
        "method_name": (3, "string"),
    },
}
_SERVING = {
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, ".google.protobuf.Int64Value"),
        "signature_name": (3, "string"),
    },
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, "map .tensorflow.TensorProto"),
    },
    "PredictResponse": {
        "outputs": (1, "map .tensorflow.TensorProto"),
        "model_spec": (2, "ModelSpec"),
    },
    "GetModelMetadataRequest": {
        "model_spec": (1, "ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    "GetModelMetadataResponse": {
        "model_spec": (1, "ModelSpec"),
        "metadata": (2, "map .google.protobuf.Any"),
    },
    "SignatureDefMap": {"signature_def": (1, "map .tensorflow.SignatureDef")},
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec")},
    "StatusProto": {"error_code": (1, "int32"), "error_message": (2, "string")},
    "ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "int32"),
        "status": (3, "StatusProto"),
    },
    "GetModelStatusResponse": {"model_version_status": (1, "repeated ModelVersionStatus")},
}
PACKAGES = {"tensorflow": _TENSORS, "tensorflow.serving": _SERVING}
DATA_TYPES = {name: number for number, name in enumerate(_TENSORS["DataType"])}
# ModelVersionStatus.State, whose numbers are no sequence.
STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


@functools.cache
def messages():
    """The message classes, as attributes of one object.

    Raises:
      RankPoseError: if the package protobuf is not installed.
    """
    extras.load("google.protobuf", "serving", "client", "use RestClient")
    from google.protobuf import any_pb2, descriptor_pool, message_factory, wrappers_pb2

    # A pool of its own: the official classes may live in the same process.
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    classes = {}
    for package, content in PACKAGES.items():
        pool.Add(file_descriptor(package, content))
        for name, fields in content.items():
            if isinstance(fields, dict):
                descriptor = pool.FindMessageTypeByName(f"{package}.{name}")
                classes[name.replace(".", "")] = message_factory.GetMessageClass(descriptor)
    return types.SimpleNamespace(**classes)


def file_descriptor(package, content):
    """A FileDescriptorProto of declared messages and enumerations.

    Args:
      package: such as "tensorflow".
      content: name -> {field: (number, type)} for a message, a list of names for an enumeration.
        A type is a scalar's name, a message of the package, or a full name that starts with a
        dot; "repeated" or "map" (of strings to it) may precede it.
    """
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(
        name=f"rankpose_tf/{package}.proto",
        package=package,
        syntax="proto3",
        dependency=["google/protobuf/any.proto", "google/protobuf/wrappers.proto"],
    )
    if package != "tensorflow":
        file.dependency.append("rankpose_tf/tensorflow.proto")
    declared = {}
    # Outer messages first, so that there is something to put the nested ones into.
    for name, fields in sorted(content.items(), key=lambda item: item[0].count(".")):
        outer, _, inner = name.rpartition(".")
        if isinstance(fields, list):
            enumeration = file.enum_type.add(name=name)
            for number, value in enumerate(fields):
                enumeration.value.add(name=value, number=number)
            continue
        holder = declared[outer].nested_type if outer else file.message_type
        declared[name] = holder.add(name=inner)
        for field, (number, kind) in fields.items():
            _add_field(declared[name], f".{package}.{name}", field, number, kind, content, package)
    return file


def _add_field(message, path, name, number, kind, content, package):
    from google.protobuf import descriptor_pb2

    Field = descriptor_pb2.FieldDescriptorProto
    *label, kind = kind.split()
    field = message.field.add(name=name, number=number)
    field.label = Field.LABEL_REPEATED if label else Field.LABEL_OPTIONAL
    if label == ["map"]:
        entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
        entry.options.map_entry = True
        _add_field(entry, path, "key", 1, "string", content, package)
        _add_field(entry, path, "value", 2, kind, content, package)
        field.type, field.type_name = Field.TYPE_MESSAGE, f"{path}.{entry.name}"
    elif kind.startswith(".") or kind in content:
        is_enumeration = isinstance(content.get(kind), list)
        field.type = Field.TYPE_ENUM if is_enumeration else Field.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".{package}.{kind}"
    else:
        field.type = Field.Type.Value(f"TYPE_{kind.upper()}")
