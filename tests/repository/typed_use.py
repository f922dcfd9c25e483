"""The public functions as a user's program calls them, for the type checker: `mypy` reads this.

Nothing here runs. A function that has lost its types answers Any, and `assert_type` fails.
"""

from typing import assert_type

import numpy as np

import rankpose_tf
from rankpose_tf.inference.estimator import Face
from rankpose_tf.prediction import results
from rankpose_tf.serving import GrpcClient, ModelVersion, RestClient, ServedPose, Signature


def predict(picture: np.ndarray) -> None:
    estimator = assert_type(rankpose_tf.load("wide", threads=1), rankpose_tf.PoseEstimator)
    pose = assert_type(estimator.predict(picture), rankpose_tf.Pose)
    assert_type(pose.yaw, float | np.ndarray)
    assert_type(pose.as_array(), np.ndarray)
    assert_type(pose[0], rankpose_tf.Pose)
    for one in pose:
        assert_type(one, rankpose_tf.Pose)
    assert_type(rankpose_tf.Pose.from_matrix(pose.matrix), rankpose_tf.Pose)
    faces = assert_type(estimator.predict_faces("a.jpg"), list[Face])
    assert_type(faces[0].pose, rankpose_tf.Pose)
    assert_type(estimator.predict_crops(estimator.crop(picture)), rankpose_tf.Pose)


def follow() -> None:
    for frame in rankpose_tf.track(0, rate=25.0):
        assert_type(frame.faces[0].score, float | None)
        assert_type(frame.numbers, list[int])
        assert_type(frame.drawn("axes"), np.ndarray)


def read() -> None:
    row = results.Row("a.jpg")
    assert_type(row.time, float | None)


def ask() -> None:
    with GrpcClient("localhost:8500", deadline=5.0) as client:
        assert_type(client, GrpcClient)
        poses = assert_type(client.predict(["a.jpg", b"..."]), list[ServedPose])
        assert_type(poses[0].yaw, float)
    other = RestClient("localhost:8501", model="wide")
    assert_type(other.predict_crops(["a.jpg"], [[0, 0, 9, 9]]), list[ServedPose])
    assert_type(other.predict_arrays(np.zeros((1, 8, 8, 3), np.uint8)), list[ServedPose])
    for pose in other.stream(iter(["a.jpg"])):
        assert_type(pose.valid, bool)
    assert_type(other.ready(), bool)
    assert_type(other.model_status(), list[ModelVersion])
    assert_type(other.metadata(), dict[str, Signature])
