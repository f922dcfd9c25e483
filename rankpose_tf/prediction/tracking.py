"""Faces over time: which face is which from frame to frame, each smoothed by itself.

Boxes are left, top, right, bottom in pixels; angles are (3,) degrees in the order yaw, pitch, roll;
times are seconds.
"""

from typing import NamedTuple

import numpy as np

from rankpose_tf.core.boxes import overlaps
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction.smoothing import RotationSmoother

SMALLEST_OVERLAP = 0.3
KEEP_FRAMES = 15
# Weight of the newest step in a face's speed: of boxes that jitter by 2 pixels the speed keeps
# 0.6 pixels a frame, which is 8 over 12 unseen frames; a new speed is known after 5 frames.
_NEWEST_STEP = 0.3


class _Face(NamedTuple):
    """A known face.

    Attributes:
      box: (4,) where it was seen last.
      step: (2,) its movement x, y, pixels a frame: a mean that forgets.
      certainty: of `step`: 0 before there was a second box, then towards 1.
      unseen: frames since it was seen.
    """

    box: np.ndarray
    step: np.ndarray
    certainty: float
    unseen: int

    def expected(self):
        """(4,) where it is in the next frame, if it goes on as it did."""
        return self.box + np.tile(self.step, 2) * (self.unseen + 1)

    def seen(self, box):
        """The face after the next frame, in which it has `box`."""
        moved = (box - self.box).reshape(2, 2).mean(axis=0) / (self.unseen + 1)
        certainty = self.certainty + _NEWEST_STEP * (1.0 - self.certainty)
        step = self.step + _NEWEST_STEP / certainty * (moved - self.step)
        return _Face(box, step, certainty, 0)


class Tracker:
    """Numbers faces so that a face keeps its number from frame to frame.

    A known face is expected where it would be if it went on as it did, also while it is not seen.
    Boxes are joined to expected places from the greatest overlap down, each at most once; of equal
    overlaps the older face, then the earlier box, comes first, so that a video always gives the
    same numbers. A box that meets no expected place is joined to a face that stood still since it
    was seen, by the same rule; else it is a new face. Numbers count from 0 and are never used
    again.

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
        # Number of a face: `_Face`; in the order of the numbers.
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
        known = {
            number: face._replace(unseen=face.unseen + 1)
            for number, face in self._known.items()
            if number not in joined.values() and face.unseen < self._keep_frames
        }
        for index, box in enumerate(boxes):
            if index in joined:
                known[joined[index]] = self._known[joined[index]].seen(box)
            else:
                joined[index] = self._next
                known[self._next] = _Face(box, np.zeros(2), 0.0, 0)
                self._next += 1
        self._known = dict(sorted(known.items()))
        return [joined[index] for index in range(len(boxes))]

    def _join(self, boxes):
        """Index of a box -> number of the known face it is joined to."""
        joined = {}
        # Not the greater of the two overlaps: one face may be where another was before it.
        for place in (_Face.expected, lambda face: face.box):
            places = {
                number: place(face)
                for number, face in self._known.items()
                if number not in joined.values()
            }
            left = [index for index in range(len(boxes)) if index not in joined]
            for index, number in self._overlapping(places, boxes[left]).items():
                joined[left[index]] = number
        return joined

    def _overlapping(self, places, boxes):
        """Index of a box -> number of the place, of a dict of number -> (4,), it is joined to."""
        if not places or not len(boxes):
            return {}
        numbers = list(places)
        overlap = overlaps(list(places.values()), boxes)
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
