"""Frames of any source, one by one, with the faces that are followed from each to the next."""

import contextlib
import os
import time

import numpy as np

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import Pose
from rankpose_tf.inference.estimator import Face
from rankpose_tf.prediction import pipeline, video
from rankpose_tf.prediction.live import TrackedFrame
from rankpose_tf.prediction.tracking import VideoPoses


def followed(frames, estimator, detector, smoothing):
    """Generator of `TrackedFrame` of a generator of `video.Frame`; the rest as for `live.track`."""
    look = pipeline.Look(estimator, detector=detector, keep_images=True)
    look.prepare(for_pictures=False)
    return _followed(frames, estimator, look.following(), VideoPoses(smoothing))


def _followed(frames, estimator, look, poses):
    with contextlib.closing(frames):
        for frame in frames:
            item = look(pipeline.Item("", *frame))
            ((item, angles),) = pipeline.poses([item], estimator, 1)
            boxes = [face.box for face in item.faces]
            numbers, angles = poses.smooth(boxes, angles, item.time, item.errors)
            errors = [None] * len(boxes) if item.errors is None else item.errors
            faces = [
                Face(face.box, face.score, Pose.from_array(pose, error))
                for face, pose, error in zip(item.faces, angles, errors, strict=True)
            ]
            yield TrackedFrame(*frame, faces, numbers)


def frames_of(source, rate, max_pixels):
    """Generator of `video.Frame` of a source, which is open; arguments as for `live.track`."""
    if isinstance(source, np.integer):
        source = int(source)
    is_named = isinstance(source, str | os.PathLike)
    if is_named or (isinstance(source, int) and not isinstance(source, bool)):
        if rate is not None:
            raise RankPoseError("rate: is of an iterable of frames; a video tells its own")
        source = os.fspath(source) if is_named else source
        if is_named and source.isdecimal() and not os.path.exists(source):
            source = int(source)
        return _of_video(source, video.Video(source, max_pixels))
    if np.ndim(source) == 3 if isinstance(source, np.ndarray) else not hasattr(source, "__iter__"):
        raise RankPoseError(
            "source: expected a video's path, a camera's index, a stream's address or an iterable "
            f"of frames, received {type(source).__name__}"
        )
    if rate is not None and not rate > 0.0:
        raise RankPoseError(f"rate: expected frames a second above 0, received {rate}")
    return _of_iterable(source, rate, max_pixels)


def _of_video(source, opened):
    yield from opened
    if opened.shortfall:
        raise video.VideoError(source, opened.shortfall)


def _of_iterable(images, rate, max_pixels):
    start = None
    for index, image in enumerate(images):
        image = pictures.checked(image, f"source: frame {index}")
        if image.shape[0] * image.shape[1] > max_pixels:
            raise RankPoseError(
                f"source: frame {index} has {image.shape[1]} x {image.shape[0]} pixels, over the "
                f"{max_pixels} allowed"
            )
        now = time.monotonic()
        start = now if start is None else start
        yield video.Frame(index, now - start if rate is None else index / rate, image)
