"""Video files, streams, cameras and windows, by OpenCV; frames are (H, W, 3) uint8 RGB."""

import os
import re
import time
from typing import NamedTuple

import cv2
import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import containers, matroska, streams

# Of a file or camera that does not tell.
USUAL_RATE = 30.0
_WINDOW = "rankpose_tf"
# Of a file of which no time of its video alone is known: sound may go on after the last frame.
_SOUND_GOES_ON = 0.5
# A pixel that is longer than this is a mistake of the file.
_LONGEST_PIXEL = 4.0
_CODECS = {"av01": "AV1", "h264": "H.264", "avc1": "H.264", "hevc": "H.265", "hvc1": "H.265"}
_CODECS |= {"hev1": "H.265", "vvc1": "H.266", "vp80": "VP8", "vp90": "VP9", "vp09": "VP9"}


class VideoError(RankPoseError):
    """A video that can't be read.

    Attributes:
      reason: why, in words that fit into a table.
    """

    def __init__(self, path, reason):
        super().__init__(f"video: {streams.shown(path)}: {reason}")
        self.reason = reason


class Frame(NamedTuple):
    """One frame: its index from 0, its time in seconds, and (H, W, 3) uint8 RGB."""

    index: int
    time: float
    image: np.ndarray


class Video:
    """A video file, stream or camera that is read once, frame by frame.

    Frames are as a player shows them: turned, mirrored, and with square pixels; the shorter side
    of pixels that are not square is stretched.

    Args:
      source: path, a camera's index as an integer, its device, or a stream's address.
      max_pixels: a video of larger frames is refused.

    Attributes:
      rate: frames a second.
      frames: how many there are by the file's own account; None if it does not tell.
      shortfall: once it was read, how a file ended before its time, in words that fit into a
        table; None if it was whole.

    Raises:
      VideoError: if it can't be opened or its frames are too large.
    """

    def __init__(self, source, max_pixels=None):
        self._source = source
        self._capture = _opened(source)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0.0 < rate < 1000.0 else USUAL_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        is_camera = not isinstance(source, str) or streams.camera_index(source) is not None
        self.frames = count if count > 0 and not is_camera else None
        is_stream = is_camera or streams.is_stream(source)
        # A file that is read through the net tells its length, and has times of its own.
        self._live = is_stream and self.frames is None
        presentation = containers.Presentation() if is_stream else containers.presentation(source)
        self._seconds = presentation.seconds
        self._as_shown = _AsShown(self._capture, presentation.matrix)
        self.shortfall = None
        width, height = self._as_shown.size
        if max_pixels is not None and width * height > max_pixels:
            self._capture.release()
            raise VideoError(
                source, f"has frames of {width} x {height}, over the {max_pixels} pixels allowed"
            )

    def __iter__(self):
        """Yields `Frame`s.

        The time is the file's own, also where frames do not follow each other evenly; of cameras
        and streams it is that since the first frame, and of frames that come while nobody asks
        for one only the newest is given. Where a time does not rise, one frame's time is added.

        Raises:
          VideoError: if there is no frame that can be decoded, or a stream's frames stop coming.
        """
        index, last, interval = 0, None, 1.0 / self.rate
        try:
            for seconds, image in self._read_live() if self._live else self._read_file():
                if last is not None and not seconds > last:
                    seconds = last + 1.0 / self.rate
                interval = interval if last is None else seconds - last
                yield Frame(index, seconds, self._as_shown(_colours(image)))
                index, last = index + 1, seconds
            if index == 0:
                raise VideoError(self._source, f"has no frame that can be decoded{self._codec()}")
        finally:
            self._capture.release()
        self.shortfall = self._missing(index, last, interval)

    def _read_file(self):
        while (read := self._capture.read())[0]:
            yield self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, read[1]

    def _read_live(self):
        start, waited = None, 0.0

        def read():
            nonlocal waited
            before = time.monotonic()
            is_read, image = self._capture.read()
            waited = time.monotonic() - before
            return image if is_read else None

        for image, came in streams.newest(read):
            start = came if start is None else start
            yield came - start, image
        if waited >= 0.9 * streams.TIME_LIMIT:
            raise VideoError(self._source, f"no frame came for {streams.TIME_LIMIT:.0f} seconds")

    def _codec(self):
        tag = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        name = tag.to_bytes(4, "little", signed=True).decode("latin-1").strip("\0 ")
        if not name.isalnum():
            return ""
        name = _CODECS.get(name.lower(), name)
        if name == "H.264":
            return f", of codec {name}"
        return f", of codec {name}; this OpenCV may lack a decoder for it: convert it to H.264"

    def _missing(self, count, last, interval):
        """How a file of `count` frames ended too early: at `last`, `interval` after another."""
        if self._live or self.frames is None or count >= self.frames:
            return None
        if containers.is_mpeg_stream(self._source):
            return None
        seconds, spare = self._seconds, 0.0
        if seconds is None and (span := matroska.span(self._source)) is not None:
            seconds = span + 1.0 / self.rate
        if seconds is None:
            seconds = self.frames / self.rate
            spare = min(_SOUND_GOES_ON, seconds / 10)
        if seconds - last <= 1.5 * max(interval, 1.0 / self.rate) + spare:
            return None
        return f"is incomplete: ends at {last:.2f} of {seconds:.2f} seconds"


def _opened(source):
    """cv2.VideoCapture of a source, open."""
    if not streams.is_utf8(source):
        raise VideoError(source, "has a name that is no UTF-8; rename it")
    index = streams.camera_index(source)
    start = time.monotonic()
    if index is not None:
        capture, reason = cv2.VideoCapture(index), "there is no such camera"
    elif streams.is_stream(source):
        capture, reason = streams.open_stream(source), "can't be opened as a stream"
        if time.monotonic() - start >= 0.9 * streams.TIME_LIMIT:
            reason = f"no answer came for {streams.TIME_LIMIT:.0f} seconds"
    elif os.path.exists(source) and not os.path.isfile(source):
        # Opening a pipe waits for somebody to write into it.
        raise VideoError(source, "is no file; keep the video in one, or name a stream's address")
    else:
        is_there = os.path.exists(source)
        reason = "can't be opened as a video" if is_there else "there is no such file"
        # FFmpeg takes the start of 12:31.mp4 for a protocol.
        capture = cv2.VideoCapture(os.path.join(os.curdir, source))
    if not capture.isOpened():
        raise VideoError(source, reason)
    return capture


class _AsShown:
    """Makes of a stored frame what a player shows.

    OpenCV itself turns frames by quarters; it leaves pixels that are not square, and takes what is
    mirrored for turned.

    Args:
      capture: cv2.VideoCapture.
      matrix: as of `containers.Presentation`.

    Attributes:
      size: width, height as shown, pixels.
    """

    def __init__(self, capture, matrix):
        is_mirrored = matrix is not None and np.linalg.det(matrix) < 0
        self._matrix = matrix if is_mirrored else None
        if is_mirrored:
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        longer = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        ratio = longer[0] / longer[1] if min(longer) > 0 else 1.0
        if not is_mirrored and int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90:
            ratio = 1.0 / ratio
        if not 1.0 / _LONGEST_PIXEL <= ratio <= _LONGEST_PIXEL:
            ratio = 1.0
        self._stretch = max(ratio, 1.0), max(1.0 / ratio, 1.0)
        stored = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self.size = self._stretched(stored)

    def _stretched(self, size):
        return tuple(
            int(round(length * by)) for length, by in zip(size, self._stretch, strict=True)
        )

    def __call__(self, image):
        if self._stretch != (1.0, 1.0):
            size = self._stretched(image.shape[1::-1])
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        if self._matrix is None:
            return image
        if self._matrix[0, 0] == 0:
            image = image.transpose(1, 0, 2)
        right, down = self._matrix.sum(axis=1)
        return np.ascontiguousarray(image[::down, ::right])


def _colours(image):
    """OpenCV's BGR or grey -> RGB."""
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
