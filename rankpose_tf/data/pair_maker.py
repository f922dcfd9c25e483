"""Training pairs from records: which two views, where they are cut, what is done to them.

A plain function of records and of their places in the stream, run by tf.data in its threads. The
pixels are OpenCV's and NumPy's work, which lets other threads run meanwhile; as TensorFlow
operations the same steps take four times as long (docs/performance.md).
"""

import dataclasses
import functools
import math

import cv2
import numpy as np
from google.protobuf import message

from rankpose_tf.core import pose
from rankpose_tf.data import looks, places, records, training_crops, two_views

_LIMIT = math.radians(pose.LIMIT_DEGREES)
_CHOICE = two_views.DRAWS
_LOOKS = looks.CHANGES * looks.DRAWS
# Numbers that are drawn for a pair; a multiple of four, in which Philox counts.
_BLOCK = _CHOICE + places.DRAWS + 2 * _LOOKS


def _damage_told(make):
    """What a record's content breaks is a ValueError, which an input pipeline can tell of."""

    @functools.wraps(make)
    def told(self, first, serialized):
        try:
            return make(self, first, serialized)
        except (cv2.error, LookupError, ArithmeticError, message.DecodeError) as error:
            raise ValueError(f"a record is damaged: {' '.join(str(error).split())}") from error

    return told


class PairMaker:
    """Makes pairs of records.

    Attributes:
      augmented: whether views are made, rather than pictures and boxes chosen.
    """

    def __init__(
        self,
        seed,
        worker,
        *,
        input_size,
        crop_scale,
        filter_angles=True,
        pairs="identity",
        first_view_probability=0.0,
        augmentation=None,
    ):
        """Args are those of `pairs.training_pairs`, but for `worker`, which is an index alone.

        Raises:
          RankPoseError: for a number out of its range.
        """
        two_views.check(first_view_probability)
        of_looks = {field.name for field in dataclasses.fields(looks.Looks)}
        options = dict(augmentation or {})
        self.augmented = any(v for key, v in options.items() if key.endswith("_probability"))
        self._looks = looks.Looks(**{key: options.pop(key) for key in of_looks & options.keys()})
        self._places = places.Places(crop_scale, **options)
        # No two workers' pairs are drawn alike.
        self._key = np.array([seed % 2**64, worker], np.uint64)
        self._size = input_size
        self._filter_angles = filter_angles
        self._pairs = pairs
        self._first_view_probability = first_view_probability

    @_damage_told
    def views(self, first, serialized):
        """Makes pairs of views.

        Args:
          first: place of the first pair in this worker's stream.
          serialized: (C,) bytes of records, or (C, 2) for pairs of two identities.

        Returns:
          Two (C, size, size, 3) uint8, RGB, and (C, 2, 3) float32 radians; yaw, pitch, roll.
        """
        made = np.empty((2, len(serialized), self._size, self._size, 3), np.uint8)
        labels = []
        for index, (images, boxes, poses, draws) in enumerate(self._choose(first, serialized)):
            where, mirrored = self._places.draw(boxes, poses, draws[: places.DRAWS], self._size)
            for side, place in enumerate(where):
                own = draws[places.DRAWS + side * _LOOKS :]
                view = self._view(images[side], place, own)
                if mirrored:
                    cv2.flip(view, 1, dst=made[side, index])
                else:
                    made[side, index] = view
            labels.append([place.pose for place in where])
        return made[0], made[1], np.array(labels, np.float32)

    def _view(self, image, place, draws):
        picture = training_crops.decode(image, place.halved)
        view = training_crops.cut(picture, place.square, place.angle, self._size, place.halved)
        return self._looks.change(view, draws)

    @_damage_told
    def chosen(self, first, serialized):
        """Chooses pairs of pictures; arguments as for `views`.

        Returns:
          (C, 2) bytes, (C, 2, 4) float32 boxes, and (C, 2, 3) float32 poses.
        """
        images, boxes, poses, _ = zip(*self._choose(first, serialized), strict=True)
        return np.array(images, object), np.array(boxes, np.float32), np.array(poses, np.float32)

    def _choose(self, first, serialized):
        """Yields two images, boxes, poses, and the draws that are left, of each pair."""
        # Where in the generator's numbers a pair's begin follows from its place alone.
        counter = int(first) * _BLOCK // 4
        generator = np.random.Generator(np.random.Philox(key=self._key, counter=counter))
        draws = generator.random((len(serialized), _BLOCK))
        choose = self._of_one if self._pairs == "identity" else self._of_two
        for record, own in zip(serialized, draws.tolist(), strict=True):
            images, boxes, poses = zip(*choose(record, own), strict=True)
            yield images, boxes, poses, own[_CHOICE:]

    def _of_one(self, record, draws):
        images, boxes, poses, usable = self._usable(record)
        indices = two_views.draw(usable, draws, self._first_view_probability)
        return [(images[index], boxes[index], poses[index]) for index in indices]

    def _of_two(self, both, draws):
        views = []
        for record, draw in zip(both, draws, strict=False):
            images, boxes, poses, usable = self._usable(record)
            index = usable[0 if self._pairs == "photos" else int(draw * len(usable))]
            views.append((images[index], boxes[index], poses[index]))
        return views

    def _usable(self, record):
        """Images, boxes, poses and the indices of those views that may train."""
        images, boxes, poses = records.read_views(record)
        if not self._filter_angles:
            return images, boxes, poses, range(len(images))
        usable = [
            n for n, angles in enumerate(poses) if all(abs(value) <= _LIMIT for value in angles)
        ]
        return images, boxes, poses, usable
