"""What detectors answer: the shapes that are read, each made a list of `detection.Detection`.

    (N, 4)                       boxes: left, top, right, bottom, pixels
    (N, 5)                       boxes and scores
    [(box, score), ...]
    (boxes, scores)              (N, 4) and (N,); of no face also ([], []) and (None, ...)
    [Detection, ...]             of this package, with the turn of rolled faces
    [{"box": [left, top, width, height], "confidence": ..., "keypoints": {...}}, ...]

The last is what `MTCNN().detect_faces` gives; its boxes are made landmark boxes by the rule for
MTCNN where the five keypoints are there, and its faces turned upright.
"""

import reprlib
import warnings

import numpy as np

from rankpose_tf.core import boxes
from rankpose_tf.core.errors import RankPoseError

_KEYS = {"box", "confidence", "keypoints"}


def require_detector(detector):
    """Refuses what can't be called, such as a detector's name; None, the usual one, may be."""
    if not (detector is None or callable(detector)):
        raise RankPoseError(
            "detector: expected a function from a picture to boxes, such as "
            f"MTCNN().detect_faces or detection.mtcnn(), received {reprlib.repr(detector)}"
        )


def read(found, picture):
    """The faces of a detector's answer.

    Those whose box has no extent, or no part in the picture, are left out.

    Args:
      found: see the module's docstring.
      picture: (H, W, 3), in which they were found.

    Returns:
      List of `detection.Detection`, in the detector's order; score None where it gives none.

    Raises:
      RankPoseError: for anything else, boxes that are not finite or in shares of the picture too.
    """
    try:
        faces = [_face(face) for face in _with_scores(found)]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise RankPoseError(
            "detector: expected boxes (N, 4), boxes and scores (N, 5), pairs of box and score, or "
            f"dicts with {', '.join(sorted(_KEYS))} as MTCNN gives them, received "
            f"{reprlib.repr(found)}"
        ) from error
    for face in faces:
        if not np.all(np.isfinite(face.box)):
            raise RankPoseError(
                f"detector: box: expected finite left, top, right, bottom, received "
                f"{face.box.tolist()}"
            )
    _tell_inside_out(faces)
    faces = [face for face in faces if _has_extent(face.box)]
    if faces and boxes.in_shares(np.stack([face.box for face in faces])):
        raise RankPoseError(
            f"detector: box: expected pixels, received {faces[0].box.tolist()}, shares of the "
            "picture; multiply them by its width and height"
        )
    height, width = picture.shape[:2]
    return [face for face in faces if not boxes.is_outside(face.box, width, height)]


def _with_scores(found):
    """Rows of box and score where they are told side by side, and not as a tuple of two faces."""
    if not (isinstance(found, tuple) and len(found) == 2):
        return found
    first, second = found
    if first is None:
        return []
    # A face is a box and a score, four or five numbers, or a dict: never boxes alone.
    are_boxes = all(np.shape(each) == (4,) for each in first)
    return list(zip(first, second, strict=True)) if are_boxes else found


def _tell_inside_out(faces):
    """A detector that answers left, top, width, height has such boxes, and wrong ones besides."""
    if any(np.any(face.box[2:] < face.box[:2]) for face in faces):
        # Python shows it once, however many frames there are.
        warnings.warn(
            "detector: boxes that end before they begin are left out; expected left, top, right, "
            "bottom, not width and height",
            stacklevel=3,
        )


def _has_extent(box):
    return bool(np.all(box[2:] > box[:2]))


def _face(face):
    from rankpose_tf.inference.detection import Detection

    if isinstance(face, Detection):
        return face._replace(box=np.asarray(face.box, np.float64).reshape(4))
    if isinstance(face, dict):
        return _of_mtcnn(face)
    if len(face) == 2:
        box, score = face
    elif len(face) in (4, 5):
        box, score = face[:4], (*face[4:], None)[0]
    else:
        raise TypeError
    box = np.asarray(box, np.float64).reshape(4)
    return Detection(box, None if score is None else float(score))


def _of_mtcnn(face):
    from rankpose_tf.inference import detection, mtcnn

    left, top, width, height = (float(value) for value in face["box"])
    box = np.array([left, top, left + width, top + height])
    score = float(face["confidence"]) if "confidence" in face else None
    points = face.get("keypoints") or {}
    if not all(name in points for name in mtcnn.POINTS) or not _has_extent(box):
        return detection.Detection(box, score)
    points = np.array([points[name] for name in mtcnn.POINTS], np.float64)
    return detection.of_mtcnn(box, points, score)
