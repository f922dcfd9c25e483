"""Faces followed while they come: what `rankpose_tf.track` gives, frame by frame."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import loading
from rankpose_tf.inference.estimator import Face, PoseEstimator

# OpenCV and what else is heavy is imported when first needed: a look at the package's names, of
# which `track` is one, stays cheap.


class TrackedFrame(NamedTuple):
    """One frame of a video, stream or camera, and the faces in it.

    Attributes:
      index: counted from 0.
      time: seconds, as of `video.Frame`.
      image: (H, W, 3) uint8 RGB.
      faces: list of `Face`: box (4,) pixels, score, pose; empty where there is none.
      numbers: list of as many integers; a face keeps its number from frame to frame.
    """

    index: int  # type: ignore[assignment]
    time: float
    image: np.ndarray
    faces: list[Face]
    numbers: list[int]

    def drawn(self, draw: str | None = None) -> np.ndarray:
        """(H, W, 3) uint8 RGB: a copy with the faces drawn on it, "cube" (default) or "axes".

        A face of which the model gave no finite pose is left out.

        Raises:
          RankPoseError: for another `draw`.
        """
        from rankpose_tf.prediction import drawings

        if draw not in (None, "cube", "axes"):
            raise RankPoseError(f"draw: expected cube or axes, received {draw!r}")
        faces = [
            drawings.DrawnFace(face.box, face.pose.as_array(), number, _is_doubted(face.pose))
            for number, face in zip(self.numbers, self.faces, strict=True)
            if np.all(np.isfinite(face.pose.as_array()))
        ]
        return drawings.annotate(self.image, faces, draw or drawings.USUAL)


def _is_doubted(pose):
    return pose.error is not None and pose.error.doubted


def track(
    source: Any,
    estimator: PoseEstimator | None = None,
    *,
    detector: Callable[[np.ndarray], Any] | None = None,
    smoothing: bool = True,
    rate: float | None = None,
    max_pixels: int = pictures.MAX_PIXELS,
) -> Iterator[TrackedFrame]:
    """Follows the faces of a video, stream or camera, and gives each frame as soon as it is done.

        for frame in rankpose_tf.track(0):
            for number, face in zip(frame.numbers, frame.faces):
                print(frame.time, number, face.pose.yaw)

    Of a camera or stream the newest frame is taken each time, so that a slow loop sees fewer
    frames and not older ones. The source is let go when the loop ends, also by `break` once the
    generator is closed or forgotten.

    Args:
      source: a video's path, a camera's index, its device, a stream's address (rtsp://, http://,
        ...), or an iterable of (H, W, 3) uint8 RGB frames.
      estimator: from `load`; the usual one by default.
      detector: as for `PoseEstimator.predict_faces`; by default `detection.for_video`.
      smoothing: False leaves the poses of each frame as they are.
      rate: frames a second of an iterable, for the times; by default they are those at which the
        frames came.
      max_pixels: a source of larger frames is refused.

    Returns:
      Generator of `TrackedFrame`.

    Raises:
      RankPoseError: if the source can't be opened, at once; while frames are given, if a video
        ends before its time, a stream's frames stop coming, or an iterable gives something else.
    """
    from rankpose_tf.prediction import following

    frames = following.frames_of(source, rate, max_pixels)
    return following.followed(frames, estimator or loading.load(), detector, smoothing)
