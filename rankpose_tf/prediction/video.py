"""Video files, cameras and windows, by OpenCV; frames are (H, W, 3) uint8 RGB."""

import contextlib
import re
import time
from typing import NamedTuple

import cv2
import numpy as np
from absl import logging

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError

# Of a file or camera that does not tell.
USUAL_RATE = 30.0
_WINDOW = "rankpose_tf"


class VideoError(RankPoseError):
    """A video that can't be read.

    Attributes:
      reason: why, in words that fit into a table.
    """

    def __init__(self, path, reason):
        super().__init__(f"video: {path}: {reason}")
        self.reason = reason


class Frame(NamedTuple):
    """One frame: its index from 0, its time in seconds, and (H, W, 3) uint8 RGB."""

    index: int
    time: float
    image: np.ndarray


class Video:
    """A video file or camera that is read once, frame by frame.

    Args:
      source: path, or a camera's index as an integer.
      max_pixels: a video of larger frames is refused.

    Attributes:
      rate: frames a second.
      frames: how many there are by the file's own account; None if it does not tell.

    Raises:
      VideoError: if it can't be opened or its frames are too large.
    """

    def __init__(self, source, max_pixels=None):
        self._source = source
        self._live = isinstance(source, int)
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            reason = "there is no such camera" if self._live else "can't be opened as a video"
            raise VideoError(source, reason)
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if max_pixels is not None and width * height > max_pixels:
            self._capture.release()
            raise VideoError(
                source, f"has frames of {width} x {height}, over the {max_pixels} pixels allowed"
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0.0 < rate < 1000.0 else USUAL_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = count if count > 0 and not self._live else None

    def __iter__(self):
        """Yields `Frame`s.

        The time is the file's own, also where frames do not follow each other evenly; a camera's
        is that since its first frame. Where it does not rise, one frame's time is added.

        Raises:
          VideoError: if there is no frame that can be decoded.
        """
        index, last, started = 0, None, time.monotonic()
        try:
            while True:
                read, image = self._capture.read()
                if not read:
                    break
                seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
                if self._live:
                    seconds = time.monotonic() - started
                if last is not None and not seconds > last:
                    seconds = last + 1.0 / self.rate
                yield Frame(index, seconds, _colours(image))
                index, last = index + 1, seconds
        finally:
            self._capture.release()
        if index == 0:
            raise VideoError(self._source, "has no frame that can be decoded")
        if self.frames is not None and index < self.frames:
            logging.warning(
                "%s: %d of the %d frames that it announces could be decoded",
                *(self._source, index, self.frames),
            )


def _colours(image):
    """OpenCV's BGR or grey -> RGB."""
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@contextlib.contextmanager
def writer(path, rate):
    """Yields a function that takes the frames of a new video; it is there once all are written.

    Args:
      path: ends in .mp4.
      rate: frames a second.

    Yields:
      function ((H, W, 3) uint8 RGB); all frames have the size of the first. OpenCV's encoders
      take even sizes: of an odd one the last row or column is left out.

    Raises:
      RankPoseError: if this OpenCV can't write videos.
    """
    with files.replaced(path) as beside:
        streams = []

        def write(image):
            if not streams:
                streams.append(_open(beside, rate, image.shape))
            streams[0].write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

        try:
            yield write
        finally:
            for stream in streams:
                stream.release()


def _open(path, rate, shape):
    code = cv2.VideoWriter_fourcc(*"mp4v")
    stream = cv2.VideoWriter(str(path), code, rate, (shape[1], shape[0]))
    if not stream.isOpened():
        raise RankPoseError(
            f"draw_dir: this OpenCV ({cv2.__version__}) can't write MPEG-4 video; install "
            "opencv-python-headless from PyPI, or pass --draw=none"
        )
    return stream


def check_window():
    """Refuses to open a window where this OpenCV has none.

    Raises:
      RankPoseError: says how to swap the package.
    """
    if re.search(r"GUI:\s*NONE", cv2.getBuildInformation()):
        raise RankPoseError(
            "preview: this OpenCV is headless and can't open a window; swap it by `pip uninstall "
            "opencv-python-headless`, then `pip install opencv-python`, or leave --preview out"
        )


def show(image):
    """Shows a picture in a window.

    Args:
      image: (H, W, 3) uint8 RGB.

    Returns:
      False once the user has pressed q or Escape.
    """
    cv2.imshow(_WINDOW, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)
