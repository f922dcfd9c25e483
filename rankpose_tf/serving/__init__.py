"""Clients of the exported model in TF Serving: gRPC and REST, with the same methods.

    from rankpose_tf.serving import GrpcClient

    with GrpcClient("localhost:8500") as client:
        for pose in client.predict(["face.jpg"]):
            print(pose.yaw, pose.pitch, pose.roll, pose.valid)

Neither imports TensorFlow. gRPC needs the extra [serving] (grpcio, protobuf); REST needs nothing
beside the standard library and NumPy. Encoded pictures travel about equally fast by both; decoded
ones (`predict_arrays`) are written out as text by REST, and are several times slower there.
"""

from rankpose_tf.serving.client import Client
from rankpose_tf.serving.grpc_client import GrpcClient
from rankpose_tf.serving.rest_client import RestClient
from rankpose_tf.serving.results import (
    ModelVersion,
    ServedPose,
    ServingError,
    Signature,
    TensorSpecification,
)

__all__ = [
    "Client",
    "GrpcClient",
    "ModelVersion",
    "RestClient",
    "ServedPose",
    "ServingError",
    "Signature",
    "TensorSpecification",
]
