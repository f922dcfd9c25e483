"""MTCNN (Zhang et al., 2016), of the package mtcnn: its boxes and points, on TensorFlow."""

import numpy as np

from rankpose_tf.core import extras
from rankpose_tf.core.errors import RankPoseError

# In the order of its rule; left and right of the picture.
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
# MTCNN fails on pictures that are too small for a single step of its pyramid.
_SMALLEST = 48
# mtcnn 1.0 makes steps too small for its network when asked for larger faces or finer steps.
_FACE = 20
_FINEST = 0.709


def backend(min_face_size=20, scale_factor=0.709):
    """MTCNN's own boxes and points; arguments as for `detection.mtcnn`.

    Returns:
      Function: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, 5, 2), scores (N,), pixels.
    """
    if min_face_size < _FACE:
        raise RankPoseError(f"min_face_size: expected 20 pixels or more, received {min_face_size}")
    if not 0.0 < scale_factor <= _FINEST:
        raise RankPoseError(
            f"scale_factor: expected above 0 and up to {_FINEST}, received {scale_factor}"
        )
    own = "pass a detector of your own"
    network = extras.load("mtcnn", "detect", "detector", own).MTCNN()

    def find(image):
        pixels, scale = _fitted(image, _FACE / min_face_size)
        faces = network.detect_faces(
            pixels, fit_to_image=False, box_format="xyxy", scale_factor=scale_factor
        )
        boxes = [face["box"] for face in faces]
        points = [[face["keypoints"][name] for name in POINTS] for face in faces]
        scores = [face["confidence"] for face in faces]
        return (
            np.asarray(boxes, np.float64).reshape(-1, 4) / np.tile(scale, 2),
            np.asarray(points, np.float64).reshape(-1, len(POINTS), 2) / scale,
            np.asarray(scores, np.float64),
        )

    return find


def eyes_and_mouth(points):
    """Eye, other eye and mouth, each (2,), of the points (5, 2)."""
    return points[0], points[1], (points[3] + points[4]) / 2


def _fitted(image, shrink):
    """The picture shrunk, with black right of and below it where it is too small; scale (2,)."""
    import cv2

    sides = np.array(image.shape[1::-1])
    fitted = np.maximum(np.rint(sides * shrink), 1).astype(int)
    if shrink < 1.0:
        image = cv2.resize(image, tuple(fitted.tolist()), interpolation=cv2.INTER_AREA)
    missing = [(0, max(_SMALLEST - length, 0)) for length in image.shape[:2]]
    return np.pad(image, [*missing, (0, 0)]), fitted / sides
