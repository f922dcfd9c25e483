"""Faces in a picture, as the boxes that the model was trained with.

A detector is one function: image (H, W, 3) uint8 RGB -> list of `Detection`, best first. A user's
own detector is any such function; `for_pictures` and `for_video` make the ones to start with.

Every detector draws another box; `landmark_rule` has how each becomes the one that the model knows.
"""

import functools
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import pictures, upright
from rankpose_tf.inference import rolled
from rankpose_tf.inference.landmark_rule import BLAZEFACE_RULE, MTCNN_RULE, landmark_box
from rankpose_tf.inference.landmark_rule import Rule as Rule  # For detectors of one's own.

# A face of less is looked for in the other quarter turns as well: BlazeFace gives those that are
# upside down about 0.63 where upright ones get 0.85.
_BLAZEFACE_SURE = 0.85
_MTCNN_SURE = 0.95
# MediaPipe's own.
_MINIMUM_SCORE = 0.5


class Detection(NamedTuple):
    """One face.

    Attributes:
      box: (4,) float64 left, top, right, bottom, pixels: the landmark box; the crop is
        `crop_scale` times its longer side. It may reach outside the picture.
      score: 0..1.
      turn: degrees clockwise by which the face is rolled beyond `upright.LIMIT`, else 0: the crop
        is turned upright by it (core/upright.py).
    """

    box: np.ndarray
    score: float
    turn: float = 0.0


def for_pictures():
    """The detector for single pictures: `multiscale`."""
    return multiscale()


def for_video():
    """The detector for video: `multiscale`, which spreads its work over the frames."""
    return multiscale()


def blazeface(threads=2, minimum_score=_MINIMUM_SCORE):
    """BlazeFace, short range: a few milliseconds, for faces from a fifth of the longer side.

    Args:
      threads: for the network.
      minimum_score: faces with a lower score are left out, 0..1.

    Returns:
      A detector; calls from several threads run side by side.

    Raises:
      RankPoseError: if a package is missing.
    """
    return _detector(rolled, _blazeface_backend("SHORT_RANGE", threads, minimum_score))


def multiscale(threads=2):
    """BlazeFace's two models, on the picture and its parts: large faces and small ones.

    Args:
      threads: for each network.

    Returns:
      A detector; calls from several threads run side by side.

    Raises:
      RankPoseError: if a package is missing.
    """
    from rankpose_tf.inference import multiscale as module

    near = _blazeface_backend("SHORT_RANGE", threads, _MINIMUM_SCORE)
    far = _blazeface_backend("BACK_CAMERA", threads, module.LEAST_PROPOSAL)
    return _detector(module, module.Backends(near, far))


def _blazeface_backend(model, threads, minimum_score):
    from rankpose_tf.inference import blazeface as module

    find = module.backend(threads, minimum_score, getattr(module, model))
    return rolled.Backend(find, module.eyes_and_mouth, _BLAZEFACE_SURE)


def mtcnn(min_face_size=20, scale_factor=0.709):
    """MTCNN (Zhang et al., 2016), the paper's choice: slow, finds small faces too.

    Args:
      min_face_size: smallest face to look for, pixels, from 20; the picture is shrunk to
        20 / min_face_size first, which saves most of the time.
      scale_factor: step of the pyramid of sizes, up to 0.709; 0.5 is faster and finds less.

    Returns:
      A detector.

    Raises:
      RankPoseError: if the package mtcnn is missing, or an argument is out of range.
    """
    from rankpose_tf.inference import mtcnn as module

    find = module.backend(min_face_size, scale_factor)
    backend = rolled.Backend(find, module.eyes_and_mouth, _MTCNN_SURE)
    return _detector(rolled, backend, MTCNN_RULE)


def from_backend(find, rule):
    """A detector out of what finds boxes of another kind.

    Args:
      find: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, K, 2), scores (N,), pixels.
      rule: `Rule` for these boxes.

    Returns:
      `Detector`, which takes faces as they are, however rolled.
    """

    def as_they_are(image):
        faces = [rolled.Found(*face) for face in zip(*find(image), strict=True)]
        return [face for face in faces if np.all(face.box[2:] > face.box[:2])]

    return Detector(as_they_are, rule)


def _detector(module, backend, rule=BLAZEFACE_RULE):
    """By `find` and `follower` of a module."""
    find, follower = (functools.partial(f, backend) for f in (module.find, module.follower))
    return Detector(find, rule, follower)


class Detector:
    """A detector out of what finds boxes and points; calls are functions of the picture alone.

    A picture is whatever the package takes (`pictures.to_array`); else it is a RankPoseError.
    """

    def __init__(self, find, rule, follower=None):
        """A detector.

        Args:
          find: (H, W, 3) uint8 RGB -> list of `rolled.Found`.
          rule: `Rule` for these faces.
          follower: makes what takes the place of `find` for the frames of one video.
        """
        self._find, self._rule = find, rule
        self._follower = follower or (lambda: find)

    def __call__(self, image):
        """List of `Detection`, best first."""
        return self._detections(self._find(_picture(image)))

    def following(self):
        """A detector of one video's frames, in their order: it knows the faces of the last one."""
        find = self._follower()
        return lambda image: self._detections(find(_picture(image)))

    def _detections(self, faces):
        return [self._detection(face) for face in sorted(faces, key=lambda face: -face.score)]

    def _detection(self, face):
        box = landmark_box(face.box, face.points, self._rule, face.turn)
        return Detection(box, float(face.score), face.turn)


def of_mtcnn(box, points, score):
    """`Detection` of a box (4,) and five points (5, 2) that MTCNN gave, pixels."""
    from rankpose_tf.inference import mtcnn as module

    turn = upright.beyond_limit(upright.angle(*module.eyes_and_mouth(points)))
    return Detection(landmark_box(box, points, MTCNN_RULE, turn), score, turn)


def _picture(image):
    # A slice such as image[..., ::-1] is no memory that OpenCV can read.
    return np.ascontiguousarray(pictures.to_array(image, "image"))


def main_face(detections, width, height):
    """The face that a picture is of: near its middle, and large.

    Args:
      detections: from a detector; at least one.
      width, height: of the picture, pixels.

    Returns:
      The detection with the least distance from the picture's middle to its centre, less half
      of its side.
    """
    middle = np.array([width, height]) / 2

    def distance(detection):
        box = detection.box
        return np.hypot(*((box[:2] + box[2:]) / 2 - middle)) - (box[2:] - box[:2]).max() / 2

    return min(detections, key=distance)
