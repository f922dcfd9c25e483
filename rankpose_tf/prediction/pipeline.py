"""Pictures and frames on their way: read, looked at for faces, cropped, given to the network.

Each step is ahead of the next by a bounded amount, so that they overlap and memory does not grow
with the number of pictures or the length of a video.
"""

import copy
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import pictures, upright
from rankpose_tf.core.pose import Pose
from rankpose_tf.inference import answers, detection
from rankpose_tf.prediction.ahead import read_ahead

# Of what waits for a batch to be full, in bytes; decoded pictures are by far the most of it.
_WAITING = 200_000_000
_WHOLE = detection.Detection(None, None)


class Item(NamedTuple):
    """A picture or frame.

    Attributes:
      path: of the picture or video.
      frame: index from 0 in a video; None for a picture.
      time: of the frame, seconds.
      image: (H, W, 3) uint8 RGB, while it is still needed.
      faces: of `Detection`; its box and score are None where the whole picture is a crop.
      crops: of (S, S, 3) uint8, one a face.
      reason: why there is no picture.
      errors: (faces, 3) expected errors, degrees, once predicted; None of a model without them.
    """

    path: str
    frame: int | None = None
    time: float | None = None
    image: np.ndarray | None = None
    faces: tuple = ()
    crops: tuple = ()
    reason: str | None = None
    errors: np.ndarray | None = None


def weight(item):
    """Bytes of an item."""
    images = item.crops if item.image is None else (item.image, *item.crops)
    return sum(image.nbytes for image in images)


def read_picture(path, max_pixels, content=None):
    """The item of a picture file; with the reason if it can't be read.

    Args:
      path: what the results call it.
      max_pixels: nothing larger is decoded.
      content: of the file, bytes; None reads it from the path.
    """
    try:
        return Item(path, image=pictures.read(path if content is None else content, max_pixels))
    except pictures.PictureError as error:
        return Item(path, reason=error.reason)


class Look:
    """Finds the faces of items and cuts them out.

    Args:
      estimator: `PoseEstimator`, which cuts the crops.
      crops: each picture is a crop itself; no detector is used.
      detector: function image -> sequence of (box, score); by default `detection.for_pictures` or
        `detection.for_video`, made by `prepare`.
      keep_images: they are drawn on later.

    Raises:
      RankPoseError: for a detector that can't be called.
    """

    def __init__(self, estimator, crops=False, detector=None, keep_images=False):
        answers.require_detector(detector)
        self._estimator, self._keep_images = estimator, keep_images
        self.crops = crops
        self._of_pictures = self._of_frames = detector

    def prepare(self, for_pictures):
        """Makes the default detector of pictures or frames, where one is needed.

        Raises:
          RankPoseError: if its package is not installed.
        """
        if self.crops:
            return
        if for_pictures:
            self._of_pictures = self._of_pictures or detection.for_pictures()
        else:
            self._of_frames = self._of_frames or detection.for_video()

    def following(self):
        """The same for the frames of one video, in their order, where the detector can follow."""
        own = copy.copy(self)
        if hasattr(own._of_frames, "following"):
            own._of_frames = own._of_frames.following()
        return own

    def __call__(self, item):
        """The item with its faces and crops."""
        if item.image is None:
            return item
        if self.crops:
            faces = (_WHOLE,)
        else:
            detect_in = self._of_pictures if item.frame is None else self._of_frames
            faces = tuple(answers.read(detect_in(item.image), item.image))
        return item._replace(
            faces=faces,
            crops=tuple(self._estimator.crop(item.image, box, turn) for box, _, turn in faces),
            image=item.image if self._keep_images else None,
        )


def items_ahead(sources, read, look, threads, most):
    """Yields items with their crops, made by threads ahead of time.

    Args:
      sources: iterable.
      read: function of a source -> `Item`.
      look: `Look`, prepared.
      threads: for `read`; a detector serves one thread only, and has one of its own.
      most: items that may wait after each step.
    """
    amount = {"weigh": weight, "most": most, "budget": _WAITING}
    if look.crops:
        return read_ahead(sources, lambda source: look(read(source)), threads=threads, **amount)
    images = read_ahead(sources, read, threads=threads, **amount)
    return read_ahead(images, look, threads=1, **amount)


def poses(items, estimator, batch_size):
    """Gives the crops of several items to the network at once.

    Args:
      items: iterable of `Item`, looked at.
      estimator: `PoseEstimator`.
      batch_size: faces, or items, that make a batch.

    Yields:
      (item, (faces, 3) degrees; yaw, pitch, roll).
    """
    waiting, faces, held = [], 0, 0
    for item in items:
        waiting.append(item)
        faces, held = faces + len(item.crops), held + weight(item)
        if max(faces, len(waiting)) >= batch_size or held >= _WAITING:
            yield from _predicted(waiting, estimator)
            waiting, faces, held = [], 0, 0
    yield from _predicted(waiting, estimator)


def _predicted(items, estimator):
    crops = [crop for item in items for crop in item.crops]
    poses = estimator.predict_crops(np.stack(crops)) if crops else Pose.from_array(np.zeros((0, 3)))
    start = 0
    for item in items:
        end = start + len(item.crops)
        own, turns = poses[start:end], [face.turn for face in item.faces]
        if own.error is not None:
            item = item._replace(errors=upright.turned_errors(own.error.as_array(), turns))
        yield item, upright.turned_back(own.as_array(), turns)
        start = end
