"""What a user meets first: a model that predicts poses, wherever its file comes from.

    estimator = rankpose_tf.load()
    pose = estimator.predict(image)

Every format is given the same crops: cut and resized by `crop.py`, which is the rule of training,
and rounded to whole grey levels, because exported files take bytes. So all formats agree to the
tolerance of their export. `loading.load` makes estimators.
"""

import itertools
import logging
import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rankpose_tf.core import boxes, crop, pictures, upright
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES, Pose
from rankpose_tf.inference import answers

# Crops that the network sees at once: more are not faster on a CPU, and memory stays bounded.
BATCH_SIZE = 64
# Python's own: absl, whose logger the commands have, is not needed to predict.
_LOGGER = logging.getLogger(__name__)
# What `predict` does where a picture or a box can't be used.
ON_ERROR = ("raise", "nan")


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
    file or an open file, read by `pictures.read`. Without a box it has to be a face crop, a square
    of about 1.4 times the longer side of the box around the 68 landmarks; one that is not square is
    fitted whole, black beside it. With a box, left, top, right, bottom in pixels around the
    landmarks, the crop is made of the scene as in training, black outside it.

    Calls from several threads run side by side. An estimator may be pickled and copied. One on
    LiteRT works in a forked process too; TensorFlow can't, and there the call is refused.

    Attributes:
      network: function (N, S, S, 3) uint8 RGB -> (N, 3) degrees; yaw, pitch, roll. Of a model that
        tells them (N, 6), the expected errors behind.
      input_size: side of the network's crops, pixels.
      crop_scale: side of the square over the box's longer side.
      description: dict, what is known about the model.
    """

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], description: dict[str, Any]):
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
    def tells_error(self) -> bool:
        """Whether its poses have an `error`."""
        return self._nothing().shape[1] > len(ANGLES)

    def __getstate__(self):
        # The detector is made again where it is needed.
        return self.__dict__ | {"_detector": None}

    def predict(self, image: Any, box: Any = None, *, on_error: str = "raise") -> Pose:
        """Predicts the pose in one picture, or in many.

        Args:
          image: a picture; a (B, H, W, 3) array; or a list of B pictures, whose sizes may differ.
          box: (4,) for one picture, or (N, 4) for N faces in it, N may be 0; (B, 4) for B pictures,
            one each.
          on_error: "raise", or "nan": what can't be read, and a box that does not lie in its
            picture, has a pose of NaN, a logged warning says why, and all others are predicted.

        Returns:
          `Pose`, of floats for one picture and at most one box, else of (B,) or (N,) arrays; its
          `error` is None where the model tells none.

        Raises:
          RankPoseError: for anything else; a `pictures.PictureError` for a file that can't be
            read.
        """
        faces = _boxes(box, on_error)
        if _is_column(image):
            image = list(image)
        if not _is_one(image):
            _require_as_many(image, faces)
            each = itertools.repeat(None) if faces is None else faces
            pairs = zip(image, each, strict=False)
            named = ((f"image[{index}]", *pair) for index, pair in enumerate(pairs))
        elif faces is None or faces.ndim == 1:
            return self._predict(self._crops([("image", image, faces)], on_error))[0]
        else:
            picture = _or_none(on_error, "image", lambda: pictures.to_array(image, "image"))
            if picture is None:
                return self._predict(itertools.repeat(None, len(faces)))
            named = ((f"box[{index}]", picture, face) for index, face in enumerate(faces))
        return self._predict(self._crops(named, on_error))

    def predict_faces(
        self, image: Any, detector: Callable[[np.ndarray], Any] | None = None
    ) -> list[Face]:
        """Finds the faces of a picture and predicts the pose of each.

        Args:
          image: a picture.
          detector: function (H, W, 3) uint8 RGB -> what `answers.read` reads: boxes (N, 4), or
            boxes and scores (N, 5), a sequence of (box, score), or MTCNN's dicts. Its boxes must
            be about those around the 68 landmarks. None is `detection.for_pictures()`, which
            also turns faces that are rolled by more than 25 degrees upright.

        Returns:
          List of `Face`, in the detector's order; empty where it finds none. Faces whose box has
          no extent, or no part in the picture, are left out.

        Raises:
          RankPoseError: for another `image`, a detector that answers otherwise, or where the
            default detector's package is not installed.
        """
        if not _is_one(image):
            raise RankPoseError("image: expected one picture, received several; call it for each")
        answers.require_detector(detector)
        picture = pictures.to_array(image, "image")
        if detector is None:
            detector = self._default_detector()
        found = answers.read(detector(picture), picture)
        if not found:
            return []
        poses = self._predict(self.crop(picture, face.box, face.turn) for face in found)
        poses = turned_back(poses, [face.turn for face in found])
        return [Face(face.box, face.score, pose) for face, pose in zip(found, poses, strict=True)]

    def crop(self, image: Any, box: Any = None, turn: float = 0.0) -> np.ndarray:
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
        if not (isinstance(turn, numbers.Real) and math.isfinite(turn)):
            raise RankPoseError(f"turn: expected degrees, received {turn!r}")
        box = None if box is None else boxes.read(box)
        if box is not None and box.ndim != 1:
            raise RankPoseError(f"box: expected shape (4,), received {box.shape}")
        return self._crop(image, box, "image", turn)

    def predict_crops(self, crops: Any) -> Pose:
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

    def _crops(self, named, on_error):
        """Yields the crop of each (name, image, box); None where it has none."""
        for name, image, box in named:
            yield _or_none(on_error, name, lambda: self._crop(image, box, name))  # noqa: B023

    def _crop(self, image, box, name, turn=0.0):
        picture = pictures.to_array(image, name)
        height, width = picture.shape[:2]
        if box is None and not turn and height == width == self.input_size:
            return picture
        if box is None:
            square = crop.square_around((0, 0, width, height), 1.0)
        else:
            boxes.require_extent(box)
            boxes.require_inside(box, picture)
            square = crop.square_around(box, self.crop_scale)
        if turn:
            picture, square = upright.upright_square(picture, square, turn, self.input_size)
        return np.rint(crop.crop_and_resize(picture, square, self.input_size)).astype(np.uint8)

    def _predict(self, crops):
        """`Pose` of an iterator of crops, which is drawn from a batch at a time; of None NaN."""
        answers = []
        while batch := list(itertools.islice(crops, BATCH_SIZE)):
            usable = [face is not None for face in batch]
            kept = list(itertools.compress(batch, usable))
            predicted = self.network(np.stack(kept)) if kept else self._nothing()
            answers.append(np.full((len(batch), predicted.shape[1]), np.nan))
            answers[-1][usable] = predicted
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


def _is_one(image):
    """Whether `image` is one picture rather than several."""
    return pictures.is_file(image) or not (isinstance(image, list | tuple) or np.ndim(image) == 4)


def _is_column(image):
    """Whether `image` is an array, or a column of a table, of paths or of pictures."""
    dtype = getattr(image, "dtype", None)
    return dtype is not None and np.ndim(image) == 1 and getattr(dtype, "kind", "O") in "OUS"


def _boxes(box, on_error):
    """(4,) or (N, 4) float64 of the argument `box`; RankPoseError, also for another `on_error`."""
    if on_error not in ON_ERROR:
        raise RankPoseError(f"on_error: expected {' or '.join(ON_ERROR)}, received {on_error!r}")
    if box is None:
        return None
    faces = boxes.read(box)
    if on_error == "raise":
        # Before any picture is read.
        boxes.require_extent(faces)
    return faces


def _require_as_many(images, faces):
    if len(images) == 0:
        raise RankPoseError("image: expected at least one picture, received an empty list")
    if faces is not None and faces.shape != (len(images), 4):
        raise RankPoseError(
            f"box: expected shape ({len(images)}, 4), one box for each of the {len(images)} "
            f"pictures, received {faces.shape}"
        )


def _or_none(on_error, name, make):
    """What `make()` returns; None, and a logged warning, where it refuses and may be left out."""
    try:
        return make()
    except RankPoseError as error:
        if on_error == "raise":
            raise
        _LOGGER.warning("%s: its pose is NaN: %s", name, error)
        return None
