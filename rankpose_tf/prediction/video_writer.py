"""Videos that are written: H.264, which browsers play, by PyAV; MPEG-4 by OpenCV without it."""

import contextlib
import fractions
import importlib.util

import cv2
import numpy as np
from absl import logging

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import drawings, inputs

# Ticks a second, as usual for video: 24, 25, 30 and 30000 / 1001 frames a second are exact.
_TICKS = 90_000
# Of x264: a picture that is hard to tell from what was given, at a tenth of the default's time.
_OPTIONS = {"crf": "20", "preset": "veryfast"}
# AVCOL_SPC_SMPTE170M: the colours that FFmpeg's conversion makes, told to the player.
_COLOUR_SPACE = 6


def has_h264():
    """Whether H.264 can be written."""
    if importlib.util.find_spec("av") is None:
        return False
    import av

    return "libx264" in av.codecs_available


def warn_of_mpeg4(sources):
    """Says, before videos of some of the sources are written, where browsers won't play them."""
    if not has_h264() and any(source.kind != inputs.PICTURE for source in sources):
        logging.warning(
            "draw_dir: drawn videos are MPEG-4 without the package av, and browsers don't play "
            'them; for H.264 install it with pip install "rankpose_tf[video]"'
        )


@contextlib.contextmanager
def writer(path, rate):
    """Yields a function that takes the frames of a new video; it is there once all are written.

    Args:
      path: ends in .mp4; where a file is there, as of `drawings.beside_others`.
      rate: frames a second.

    Yields:
      function (image (H, W, 3) uint8 RGB, time of the frame in seconds, or None for one that
      follows evenly). All frames get the size of the first: one of another size is fitted into it,
      black beside it. Both encoders take even sizes: of an odd one the last row or column is left
      out. MPEG-4 is written at the even rate, whatever the times.

    Raises:
      RankPoseError: if it can't be written, as on a full disk; nothing is there then.
    """
    with contextlib.suppress(_NoFrame), drawings.beside_others(path) as beside:
        film = _Film(path, beside, rate)
        try:
            yield film.write
            film.end()
        finally:
            film.release()


class _NoFrame(Exception):
    """A video of which no frame came: there is nothing to keep."""


class _Film:
    """The frames of one video on their way to the encoder, which their first one opens."""

    def __init__(self, path, beside, rate):
        self._path, self._beside, self._rate = path, beside, rate
        self._encoder, self._count = None, 0

    def write(self, image, time=None):
        with self._told():
            if self._encoder is None:
                # Both encoders take even sizes.
                self._size = tuple(max(2, length // 2 * 2) for length in image.shape[1::-1])
                kind = _H264 if has_h264() else _Mpeg4
                self._encoder = kind(str(self._beside), self._rate, self._size)
                self._whole = image.shape[:2]
            image = _fitted(image, self._whole)[: self._size[1], : self._size[0]]
            self._encoder.write(np.ascontiguousarray(image), time)
            self._count += 1

    def end(self):
        if self._encoder is None:
            raise _NoFrame
        with self._told():
            self._encoder.end()
            if not _is_whole(str(self._beside), self._count):
                raise OSError("what was written can't be read again; is the disk full?")

    def release(self):
        if self._encoder is not None:
            self._encoder.release()

    @contextlib.contextmanager
    def _told(self):
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RankPoseError(
                f"draw_dir: can't write the video {str(self._path)!r} ({reason}); make room, or "
                "pass another folder"
            ) from error


class _H264:
    """Frames to H.264, each at its time."""

    def __init__(self, path, rate, size):
        import av

        self._rate, self._start, self._last = rate, None, -1
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        even = fractions.Fraction(rate).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate=even, options=_OPTIONS)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = fractions.Fraction(1, _TICKS)
        self._stream.codec_context.colorspace = _COLOUR_SPACE

    def write(self, image, time):
        import av

        step = _TICKS / self._rate
        if time is not None:
            self._start = time if self._start is None else self._start
            ticks = round((time - self._start) * _TICKS)
        else:
            ticks = self._last + round(step) if self._last >= 0 else 0
        self._last = max(ticks, self._last + 1)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = self._last, fractions.Fraction(1, _TICKS)
        frame.duration = round(step)
        self._container.mux(self._stream.encode(frame))

    def end(self):
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def release(self):
        # What is left half done is thrown away; that it can't be finished is no news then.
        with contextlib.suppress(OSError, ValueError):
            self._container.close()


class _Mpeg4:
    """Frames to MPEG-4, evenly."""

    def __init__(self, path, rate, size):
        code = cv2.VideoWriter_fourcc(*"mp4v")
        self._stream = cv2.VideoWriter(path, code, rate, size)
        if not self._stream.isOpened():
            raise RankPoseError(
                f"draw_dir: this OpenCV ({cv2.__version__}) can't write MPEG-4 video; install "
                "opencv-python-headless from PyPI, or pass --draw=none"
            )

    def write(self, image, time):
        self._stream.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def end(self):
        self._stream.release()

    release = end


def _fitted(image, size):
    """The frame whole in (height, width), black beside it; one of that size as it is."""
    if image.shape[:2] == size:
        return image
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inner = [max(1, round(length * scale)) for length in (width, height)]
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    fitted = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - inner[1]) // 2, (size[1] - inner[0]) // 2
    fitted[top : top + inner[1], left : left + inner[0]] = small
    return fitted


def _is_whole(path, count):
    """Whether a video has so many frames and its last one can be decoded.

    OpenCV's encoder says nothing of a disk that is full.
    """
    capture = cv2.VideoCapture(path)
    try:
        if int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) != count:
            return False
        capture.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
        return capture.read()[0]
    finally:
        capture.release()
