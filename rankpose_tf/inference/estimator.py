"""What a user meets first: a model that predicts poses, wherever its file comes from.

    estimator = rankpose_tf.load()
    pose = estimator.predict(image)

Every format is given the same crops: cut and resized by `crop.py`, which is the rule of training,
and rounded to whole grey levels, because exported files take bytes. So all formats agree to the
tolerance of their export. `loading.load` makes estimators.
"""

import itertools
import os
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import crop, pictures, upright
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES, Pose
from rankpose_tf.inference import answers

# Crops that the network sees at once: more are not faster on a CPU, and memory stays bounded.
BATCH_SIZE = 64
# Pixels; float32 still tells halves of them apart there.
_LARGEST_COORDINATE = 2.0**22


class Face(NamedTuple):
    """A face in a picture.

    Attributes:
      box: (4,) float64 left, top, right, bottom, pixels.
      score: how sure the detector is; None where it does not say.
      pose: `Pose`.
    """

    box: np.ndarray
    score: float | None
    pose: Pose


class PoseEstimator:
    """A model that predicts the poses of faces. Made by `load`.

    A picture is RGB: a (H, W, 3) uint8 array, a picture of Pillow's, or the path or content of a
    file, read by `pictures.read`. Without a box it has to be a face crop, a square of about 1.4
    times the longer side of the box around the 68 landmarks; one that is not square is fitted
    whole, black beside it. With a box, left, top, right, bottom in pixels around the landmarks, the
    crop is made of the scene as in training, black outside it.

    Calls from several threads run side by side. An estimator may be pickled and copied. One on
    LiteRT works in a forked process too; TensorFlow can't, and there the call is refused.

    Attributes:
      network: function (N, S, S, 3) uint8 RGB -> (N, 3) degrees; yaw, pitch, roll. Of a model that
        tells them (N, 6), the expected errors behind.
      input_size: side of the network's crops, pixels.
      crop_scale: side of the square over the box's longer side.
      description: dict, what is known about the model.
    """

    def __init__(self, network, description):
        """Wraps a network.

        Args:
          network: function (N, S, S, 3) uint8 RGB -> (N, 3) or (N, 6) degrees, see above.
          description: dict with input_size S, crop_scale, and what else is known.
        """
        self.network = network
        self._detector = None
        self.description = dict(description)
        self.input_size = int(description["input_size"])
        self.crop_scale = float(description["crop_scale"])

    @property
    def tells_error(self):
        """Whether its poses have an `error`."""
        return self._nothing().shape[1] > len(ANGLES)

    def __getstate__(self):
        # The detector is made again where it is needed.
        return self.__dict__ | {"_detector": None}

    def predict(self, image, box=None):
        """Predicts the pose in one picture, or in many.

        Args:
          image: a picture; a (B, H, W, 3) array; or a list of B pictures, whose sizes may differ.
          box: (4,) for one picture, or (N, 4) for N faces in it; (B, 4) for B pictures, one each.

        Returns:
          `Pose`, of floats for one picture and at most one box, else of (B,) or (N,) arrays; its
          `error` is None where the model tells none.

        Raises:
          RankPoseError: for anything else; a `pictures.PictureError` for a file that can't be
            read.
        """
        boxes = None if box is None else _checked_boxes(box)
        if _is_one(image):
            if boxes is None or boxes.ndim == 1:
                return self.predict_crops(self._inside(image, boxes, "image")[np.newaxis])[0]
            picture = _picture(image, "image")
            return self._predict(self._inside(picture, face, "image") for face in boxes)
        if len(image) == 0:
            raise RankPoseError("image: expected at least one picture, received an empty list")
        if boxes is not None and boxes.shape != (len(image), 4):
            raise RankPoseError(
                f"box: expected shape ({len(image)}, 4), one box for each of the {len(image)} "
                f"pictures, received {boxes.shape}"
            )
        each = itertools.repeat(None) if boxes is None else boxes
        return self._predict(
            self._inside(picture, face, f"image[{index}]")
            for index, (picture, face) in enumerate(zip(image, each, strict=False))
        )

    def predict_faces(self, image, detector=None):
        """Finds the faces of a picture and predicts the pose of each.

        Args:
          image: a picture.
          detector: function (H, W, 3) uint8 RGB -> what `answers.read` reads: boxes (N, 4), or
            boxes and scores (N, 5), a sequence of (box, score), or MTCNN's dicts. Its boxes must
            be about those around the 68 landmarks. None is `detection.for_pictures()`, which
            also turns faces that are rolled by more than 25 degrees upright.

        Returns:
          List of `Face`, in the detector's order; empty where it finds none. Faces whose box has
          no extent are left out.

        Raises:
          RankPoseError: for another `image`, a detector that answers otherwise, or where the
            default detector's package is not installed.
        """
        picture = _picture(image, "image")
        if detector is None:
            detector = self._default_detector()
        found = answers.read(detector(picture))
        if not found:
            return []
        poses = self._predict(self.crop(picture, face.box, face.turn) for face in found)
        poses = turned_back(poses, [face.turn for face in found])
        return [
            Face(face.box, face.score, pose) for face, pose in zip(found, poses, strict=True)
        ]

    def crop(self, image, box=None, turn=0.0):
        """The network's input for one picture.

        Args:
          image: a picture.
          box: (4,); None takes the whole picture.
          turn: degrees clockwise by which the face is rolled, which is turned upright
            (core/upright.py); `upright.turned_back` gives the pose in the picture.

        Returns:
          (S, S, 3) uint8, as training cropped it.

        Raises:
          RankPoseError: as for `predict`.
        """
        box = None if box is None else _checked_boxes(box)
        if box is not None and box.ndim != 1:
            raise RankPoseError(f"box: expected shape (4,), received {box.shape}")
        return self._crop(image, box, "image", turn)

    def predict_crops(self, crops):
        """Predicts the poses in what `crop` made, for those who read and crop in threads.

        Args:
          crops: (N, S, S, 3) uint8.

        Returns:
          `Pose` of (N,) arrays.

        Raises:
          RankPoseError: for another shape or type.
        """
        crops = np.asarray(crops)
        side = self.input_size
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            raise RankPoseError(
                f"crops: expected (N, {side}, {side}, 3) uint8 from crop(), received "
                f"{crops.shape} {crops.dtype}"
            )
        return self._predict(iter(crops))

    def _inside(self, image, box, name):
        """A crop whose box has to meet the picture, as a user's does."""
        picture = _picture(image, name)
        if box is not None:
            _require_inside(box, picture)
        return self._crop(picture, box, name)

    def _crop(self, image, box, name, turn=0.0):
        picture = _picture(image, name)
        height, width = picture.shape[:2]
        if box is None and height == width == self.input_size:
            return picture
        whole = box is None
        square = crop.square_around(
            (0, 0, width, height) if whole else box, 1.0 if whole else self.crop_scale
        )
        if turn:
            picture, square = upright.upright_square(picture, square, turn, self.input_size)
        return np.rint(crop.crop_and_resize(picture, square, self.input_size)).astype(np.uint8)

    def _predict(self, crops):
        """`Pose` of an iterator of crops, which is drawn from a batch at a time."""
        answers = []
        while batch := list(itertools.islice(crops, BATCH_SIZE)):
            answers.append(self.network(np.stack(batch)))
        answers = np.concatenate(answers) if answers else self._nothing()
        error = answers[:, 3:] if answers.shape[1] > len(ANGLES) else None
        return Pose.from_array(answers[:, :3], error)

    def _nothing(self):
        """The answer to no crop, which has as many columns as any other."""
        black = np.zeros((1, self.input_size, self.input_size, 3), np.uint8)
        return self.network(black)[:0]

    def _default_detector(self):
        # Without a lock, which a fork could copy while it is held: two threads may both make one.
        if self._detector is None:
            from rankpose_tf.inference import detection

            self._detector = detection.for_pictures()
        return self._detector


def turned_back(poses, turns):
    """Poses in the picture of poses in its upright parts; arguments as `upright.turned_back`."""
    error = None if poses.error is None else upright.turned_errors(poses.error.as_array(), turns)
    return Pose.from_array(upright.turned_back(poses.as_array(), turns), error)


def _is_file(image):
    return isinstance(image, str | os.PathLike | bytes)


def _is_one(image):
    """Whether `image` is one picture rather than several."""
    return _is_file(image) or not (isinstance(image, list | tuple) or np.ndim(image) == 4)


def _picture(image, name):
    """(H, W, 3) uint8 of a picture; RankPoseError, naming the argument, for anything else."""
    if _is_file(image):
        return pictures.read(image)
    if pictures.is_pillow(image):
        return pictures.of_pillow(image, name)
    return pictures.checked(image, name)


def _require_inside(box, picture):
    """Refuses a box of which no part is in the picture, and one in shares of it."""
    height, width = picture.shape[:2]
    if np.all((box >= 0) & (box <= 1)):
        raise RankPoseError(
            f"box: expected pixels, received {box.tolist()}, which are shares of the picture; "
            f"multiply them by its width {width} and height {height}"
        )
    if np.any(box[:2] >= (width, height)) or np.any(box[2:] <= 0):
        raise RankPoseError(
            f"box: expected a part of it within the picture of {width} x {height} pixels, received "
            f"{box.tolist()}"
        )


def _checked_boxes(box):
    """(4,) or (N, 4) float64, or RankPoseError."""
    try:
        boxes = np.asarray(box, np.float64)
    except (TypeError, ValueError) as error:
        raise RankPoseError(f"box: expected numbers, received {box!r}") from error
    if boxes.ndim not in (1, 2) or boxes.shape[-1] != 4:
        raise RankPoseError(
            f"box: expected shape (4,) or (B, 4): left, top, right, bottom in pixels; received "
            f"{boxes.shape}"
        )
    wrong = ~np.all(np.abs(boxes) < _LARGEST_COORDINATE, axis=-1)  # NaN is not below it either.
    wrong |= np.any(boxes[..., 2:] <= boxes[..., :2], axis=-1)
    if wrong.any():
        first = np.atleast_2d(boxes)[np.flatnonzero(wrong)[0]].tolist()
        raise RankPoseError(
            f"box: expected finite left, top, right, bottom with left < right and top < bottom, "
            f"received {first}"
        )
    return boxes
