"""Faces over time: which face is which from frame to frame, each smoothed by itself.

Boxes are left, top, right, bottom in pixels; angles are (3,) degrees in the order yaw, pitch, roll;
times are seconds.
"""

import numpy as np

from rankpose_tf.core.boxes import overlaps
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction.smoothing import RotationSmoother

SMALLEST_OVERLAP = 0.3
KEEP_FRAMES = 15


class Tracker:
    """Numbers faces so that a face keeps its number from frame to frame.

    Boxes are joined to known faces from the greatest overlap down, each at most once; of equal
    overlaps the older face, then the earlier box, comes first, so that a video always gives the
    same numbers. A box that overlaps no known face is a new face. Numbers count from 0 and are
    never used again.

    Args:
      smallest_overlap: intersection over union that joins a box to a face.
      keep_frames: frames in a row that a face may be missing and still be known.
    """

    def __init__(self, smallest_overlap=SMALLEST_OVERLAP, keep_frames=KEEP_FRAMES):
        if not 0.0 < smallest_overlap <= 1.0:
            raise RankPoseError(
                f"smallest_overlap: expected above 0 and at most 1, received {smallest_overlap}"
            )
        if keep_frames < 0:
            raise RankPoseError(f"keep_frames: expected 0 or more, received {keep_frames}")
        self._smallest_overlap = smallest_overlap
        self._keep_frames = keep_frames
        # Number of a face: its last box and the frames since; in the order of the numbers.
        self._known = {}
        self._next = 0

    @property
    def known(self):
        """Numbers of the faces that a box of the next frame may be joined to."""
        return tuple(self._known)

    def update(self, boxes):
        """Takes the boxes of the next frame.

        Args:
          boxes: (N, 4), N may be 0.

        Returns:
          List of N integers, the faces' numbers.

        Raises:
          RankPoseError: if `boxes` does not have four numbers a face.
        """
        boxes = np.asarray(boxes, np.float64) if len(boxes) else np.zeros((0, 4))
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise RankPoseError(
                f"boxes: expected (N, 4), left, top, right, bottom, received {boxes.shape}"
            )
        joined = self._join(boxes)
        missing = {
            number: (box, frames + 1)
            for number, (box, frames) in self._known.items()
            if number not in joined.values() and frames < self._keep_frames
        }
        for index in range(len(boxes)):
            if index not in joined:
                joined[index] = self._next
                self._next += 1
        seen = {number: (boxes[index], 0) for index, number in joined.items()}
        self._known = dict(sorted((missing | seen).items()))
        return [joined[index] for index in range(len(boxes))]

    def _join(self, boxes):
        """Index of a box -> number of the known face it is joined to."""
        numbers = list(self._known)
        if not numbers or not len(boxes):
            return {}
        overlap = overlaps([self._known[number][0] for number in numbers], boxes)
        joined, taken = {}, set()
        # A stable sort of the table read row by row: older faces first, then earlier boxes.
        for position in np.argsort(-overlap, axis=None, kind="stable"):
            row, column = divmod(int(position), len(boxes))
            if overlap[row, column] < self._smallest_overlap:
                break
            if column not in joined and row not in taken:
                joined[column] = numbers[row]
                taken.add(row)
        return joined


class VideoPoses:
    """A tracker, and a smoother for each face it knows.

    Args:
      smoothing: False gives numbers only and leaves the angles as they are.
      tracker: `Tracker`, a new one by default.
      new_smoother: function () -> `RotationSmoother`, called for each new face.
    """

    def __init__(self, smoothing=True, tracker=None, new_smoother=RotationSmoother):
        self._tracker = tracker or Tracker()
        self._new_smoother = new_smoother if smoothing else None
        self._smoothers = {}

    def smooth(self, boxes, angles, time, errors=None):
        """Takes the faces of the next frame; frames without faces have to be given too.

        Args:
          boxes: (N, 4), N may be 0.
          angles: (N, 3) degrees.
          time: seconds.
          errors: (N, 3) expected errors, degrees; None of a model without them.

        Returns:
          List of N integers, the faces' numbers, and list of N angles (3,), smoothed.
        """
        numbers = self._tracker.update(boxes)
        if self._new_smoother is None:
            return numbers, list(angles)
        known = self._tracker.known
        self._smoothers = {n: self._smoothers.get(n) or self._new_smoother() for n in known}
        errors = [None] * len(numbers) if errors is None else errors
        faces = zip(numbers, angles, errors, strict=True)
        return numbers, [self._smoothers[n].filter(pose, time, error) for n, pose, error in faces]
