"""Faces in a picture, as the boxes that the model was trained with.

A detector is one function: image (H, W, 3) uint8 RGB -> list of `Detection`, best first. A user's
own detector is any such function; `blazeface` makes the one that comes with the package, `mtcnn`
that of the extra `detect`, `for_pictures` and `for_video` the ones to start with.

The model was trained on squares around the tight box of 68 landmarks, and every detector draws its
boxes in another way. So one rule turns a detector's box into a landmark box: with centre c and
longer side s of the detector's box, and its points p_k (eyes, nose, ...) as q_k = (p_k - c) / s,

    (dx, dy, f) = (q_1x, q_1y, ..., q_Kx, q_Ky, 1) W          W: (2K + 1, 3), `Rule`
    centre of the landmark box = c + s (dx, dy),   its sides = s f

and the result is a square, because the crop depends on the centre and the longer side only. W is
fitted on training pictures by `python -m rankpose_tf.study detector_fit`; docs/detection.md says
what the rule costs against true landmark boxes. A rule without points is one row: shift and factor.
"""

from typing import NamedTuple

import numpy as np

from rankpose_tf.core import extras, pictures, upright
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import rolled

# The rule is fitted on faces; on something else its points may lie anywhere.
_SHIFT_LIMIT = 0.3
_FACTOR_LIMITS = (0.6, 1.6)
# MTCNN fails on pictures that are too small for a single step of its pyramid.
_MTCNN_SMALLEST = 48
# mtcnn 1.0 makes steps too small for its network when asked for larger faces or finer steps.
_MTCNN_FACE = 20
_MTCNN_FINEST = 0.709


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


class Rule(NamedTuple):
    """From a detector's box and points to the landmark box; see the module's docstring.

    Attributes:
      weights: (2K + 1, 3) rows of numbers; rows q_1x, q_1y, ..., 1, columns dx, dy, f.
    """

    weights: tuple


# A face of less is looked for in the other quarter turns as well: BlazeFace gives those that are
# upside down about 0.63 where upright ones get 0.85.
_BLAZEFACE_SURE = 0.85
_MTCNN_SURE = 0.95
# Which points the detectors give, in the order of their rules; left and right of the picture.
MTCNN_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

BLAZEFACE_RULE = Rule(
    (
        (-0.0336, 0.6283, 0.7269),
        (0.1893, -0.6510, 1.9592),
        (-0.0336, -0.6283, -0.7269),
        (-0.1893, -0.6510, 1.9592),
        (0.6684, 0.0, 0.0),
        (0.0, 1.1611, -2.5130),
        (-0.9185, 0.0, 0.0),
        (0.0, -0.0193, 0.5539),
        (-0.1369, -0.3579, -0.5877),
        (0.0870, 0.2795, -0.2856),
        (-0.1369, 0.3579, 0.5877),
        (-0.0870, 0.2795, -0.2856),
        (0.0, -0.2418, 1.4654),
    )
)
MTCNN_RULE = Rule(
    (
        (0.3949, -0.0321, -0.0963),
        (0.4382, 0.1319, -0.2117),
        (0.3949, 0.0321, 0.0963),
        (-0.4382, 0.1319, -0.2117),
        (-0.7420, 0.0, 0.0),
        (0.0, 0.1217, 0.0636),
        (0.1638, -0.0487, -0.2888),
        (-0.4209, 0.1589, 0.2189),
        (0.1638, 0.0487, 0.2888),
        (0.4209, 0.1589, 0.2189),
        (0.0, 0.0325, 0.5324),
    )
)


def for_pictures():
    """The detector for single pictures: `blazeface`; `mtcnn` also finds small faces."""
    return blazeface()


def for_video():
    """The detector for video: `blazeface`."""
    return blazeface()


def blazeface(threads=2, minimum_score=0.5):
    """BlazeFace, short range: a few milliseconds, for faces from a fifth of the longer side.

    Args:
      threads: for the network.
      minimum_score: faces with a lower score are left out, 0..1.

    Returns:
      A detector; calls from several threads run side by side.

    Raises:
      RankPoseError: if a package is missing.
    """
    from rankpose_tf.inference import blazeface as module

    find = module.backend(threads, minimum_score)
    return Detector(find, BLAZEFACE_RULE, _blazeface_eyes_and_mouth, _BLAZEFACE_SURE)


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
    find = mtcnn_backend(min_face_size, scale_factor)
    return Detector(find, MTCNN_RULE, _mtcnn_eyes_and_mouth, _MTCNN_SURE)


def mtcnn_backend(min_face_size=20, scale_factor=0.709):
    """MTCNN's own boxes and points; arguments as for `mtcnn`.

    Returns:
      Function: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, 5, 2), scores (N,), pixels.
    """
    if min_face_size < _MTCNN_FACE:
        raise RankPoseError(f"min_face_size: expected 20 pixels or more, received {min_face_size}")
    if not 0.0 < scale_factor <= _MTCNN_FINEST:
        raise RankPoseError(
            f"scale_factor: expected above 0 and up to {_MTCNN_FINEST}, received {scale_factor}"
        )
    own = "pass a detector of your own"
    network = extras.load("mtcnn", "detect", "detector", own).MTCNN()

    def find(image):
        pixels, scale = _for_mtcnn(image, _MTCNN_FACE / min_face_size)
        faces = network.detect_faces(
            pixels, fit_to_image=False, box_format="xyxy", scale_factor=scale_factor
        )
        boxes = [face["box"] for face in faces]
        points = [[face["keypoints"][name] for name in MTCNN_POINTS] for face in faces]
        scores = [face["confidence"] for face in faces]
        return (
            np.asarray(boxes, np.float64).reshape(-1, 4) / np.tile(scale, 2),
            np.asarray(points, np.float64).reshape(-1, len(MTCNN_POINTS), 2) / scale,
            np.asarray(scores, np.float64),
        )

    return find


def from_backend(find, rule):
    """A detector out of what finds boxes of another kind.

    Args:
      find: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, K, 2), scores (N,), pixels.
      rule: `Rule` for these boxes.

    Returns:
      `Detector`, which takes faces as they are, however rolled.
    """
    return Detector(find, rule)


class Detector:
    """A detector out of what finds boxes and points; calls are functions of the picture alone.

    A picture is whatever the package takes (`pictures.to_array`); else it is a RankPoseError.
    """

    def __init__(self, find, rule, eyes_and_mouth=None, sure=0.0):
        """As `from_backend`, with what finds rolled faces, if anything does.

        Args:
          find, rule: as for `from_backend`.
          eyes_and_mouth, sure: as for `rolled.Backend`; None leaves faces as they are.
        """
        self._rule = rule
        self._backend = rolled.Backend(find, eyes_and_mouth, sure)

    def __call__(self, image):
        """List of `Detection`, best first."""
        return self._with_faces(image, ())[0]

    def following(self):
        """A detector of one video's frames, in their order: it knows the faces of the last one."""
        before = []

        def detect(image):
            detections, before[:] = self._with_faces(image, tuple(before))
            return detections

        return detect

    def _with_faces(self, image, before):
        # A slice such as image[..., ::-1] is no memory that OpenCV can read.
        picture = np.ascontiguousarray(pictures.to_array(image, "image"))
        if self._backend.eyes_and_mouth is None:
            faces = [rolled.Found(*face) for face in zip(*self._backend.find(picture), strict=True)]
            faces = [face for face in faces if np.all(face.box[2:] > face.box[:2])]
        else:
            faces = rolled.find(self._backend, picture, before)
        faces.sort(key=lambda face: -face.score)
        return [self._detection(face) for face in faces], faces

    def _detection(self, face):
        box = landmark_box(face.box, face.points, self._rule, face.turn)
        return Detection(box, float(face.score), face.turn)


def landmark_box(box, points, rule, turn=0.0):
    """The rule of the module's docstring, with the face upright.

    Args:
      box: (4,) left, top, right, bottom, of the detector; pixels, with an extent.
      points: (K, 2) x, y of the detector, pixels.
      rule: `Rule` for K points.
      turn: of the face, degrees.

    Returns:
      (4,) float64 left, top, right, bottom of a square, pixels. Shifts are kept within 0.3 and
      the factor within 0.6 to 1.6, whatever the points are.
    """
    features, centre, side = relative(box, points)
    turned = upright.rotation(turn)
    features[:-1] = (features[:-1].reshape(-1, 2) @ turned).reshape(-1)
    *shift, factor = features @ np.asarray(rule.weights)
    centre = centre + side * turned @ np.clip(shift, -_SHIFT_LIMIT, _SHIFT_LIMIT)
    half = 0.5 * side * np.clip(factor, *_FACTOR_LIMITS)
    return np.concatenate([centre - half, centre + half])


def relative(box, points):
    """What the rule looks at.

    Args:
      box: (4,) left, top, right, bottom, pixels.
      points: (K, 2) x, y, pixels.

    Returns:
      features (2K + 1,): q_1x, q_1y, ..., 1; centre (2,) and longer side of the box, pixels.
    """
    box = np.asarray(box, np.float64)
    centre, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    offsets = (np.asarray(points, np.float64).reshape(-1, 2) - centre) / side
    return np.append(offsets.reshape(-1), 1.0), centre, side


def of_mtcnn(box, points, score):
    """`Detection` of a box (4,) and five points (5, 2) that MTCNN gave, pixels."""
    turn = upright.beyond_limit(upright.angle(*_mtcnn_eyes_and_mouth(points)))
    return Detection(landmark_box(box, points, MTCNN_RULE, turn), score, turn)


def _blazeface_eyes_and_mouth(points):
    return points[0], points[1], points[3]


def _mtcnn_eyes_and_mouth(points):
    return points[0], points[1], (points[3] + points[4]) / 2


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


def _for_mtcnn(image, shrink):
    """The picture shrunk, with black right of and below it where it is too small; scale (2,)."""
    import cv2

    sides = np.array(image.shape[1::-1])
    fitted = np.maximum(np.rint(sides * shrink), 1).astype(int)
    if shrink < 1.0:
        image = cv2.resize(image, tuple(fitted.tolist()), interpolation=cv2.INTER_AREA)
    missing = [(0, max(_MTCNN_SMALLEST - length, 0)) for length in image.shape[:2]]
    return np.pad(image, [*missing, (0, 0)]), fitted / sides
