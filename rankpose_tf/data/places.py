"""Where the two views of a training pair are cut out of their pictures, and their labels there.

The paper's random scale and random crop (BMVC 2020, section 4.1), and turns in the plane and
mirroring, which are ours and off in its recipe.
"""

import dataclasses
import typing

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import rotation, training_crops

# Of a pair: scale, mirroring, and five for each view.
DRAWS = 16
_PAIR, _VIEW = 4, 6
# Of scale and shift: beyond, a face is a speck or is not in the view.
_LARGEST = 1000.0


class Place(typing.NamedTuple):
    """What of a picture becomes a view.

    Attributes:
      halved: how often the picture is halved first.
      square: left, top, side, pixels of the halved picture; whole ones if it shrinks.
      angle: radians by which the picture is turned clockwise.
      pose: yaw, pitch, roll as they are then seen, radians.
    """

    halved: int
    square: tuple
    angle: float
    pose: tuple


@dataclasses.dataclass(frozen=True)
class Places:
    """How views are placed.

    Attributes:
      crop_scale: side of the square over the box's longer side, the one of evaluation.
      crop_scale_min: random scale draws from here on, 0 being `crop_scale`.
      crop_scale_max: up to here.
      scale_probability: of drawing a scale, once a pair: what differs between its views is the
        pose.
      crop_probability: of moving a view's square, by up to `crop_shift` of its side along an axis.
      crop_shift: see above.
      rotation_probability: of turning a view in its plane, by up to +-`rotation_degrees`, with
        the label that it then has. Each view has its own turn: views that were made by turning a
        head about its vertical axis differ little in roll, and would be ranked by next to nothing.
      rotation_degrees: see above.
      flip_probability: of mirroring the pair, with the signs of yaw and roll.

    Raises:
      RankPoseError: for a number out of its range.
    """

    crop_scale: float = 1.4
    crop_scale_min: float = 0.0
    crop_scale_max: float = 0.0
    scale_probability: float = 0.0
    crop_probability: float = 0.0
    crop_shift: float = 0.0
    rotation_probability: float = 0.0
    rotation_degrees: float = 0.0
    flip_probability: float = 0.0

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            high = {"rotation_degrees": 180.0}.get(name, 1.0)
            if name.startswith("crop_s"):
                high = _LARGEST
            if not 0.0 <= value <= high:
                raise RankPoseError(
                    f"{name}: expected a number from 0 to {high:g}, received {value}"
                )
        if self.crop_scale == 0.0:
            raise RankPoseError("crop_scale: expected a number above 0, such as 1.4, received 0")

    def draw(self, boxes, poses, draws, size):
        """Draws the places of one pair's views.

        Args:
          boxes: (2, 4) left, top, right, bottom of the faces, pixels.
          poses: (2, 3) radians; yaw, pitch, roll.
          draws: `DRAWS` numbers from 0 up to 1.
          size: side of the views, pixels.

        Returns:
          Two `Place`, and whether the views are mirrored, as their poses then are.
        """
        scale = self.draw_scale(*draws[:2])
        mirrored = draws[2] < self.flip_probability
        views = [
            self._place(box, label, scale, draws[_PAIR + _VIEW * index :], size)
            for index, (box, label) in enumerate(zip(boxes, poses, strict=True))
        ]
        if mirrored:
            views = [
                view._replace(pose=(-view.pose[0], view.pose[1], -view.pose[2])) for view in views
            ]
        return views, mirrored

    def draw_scale(self, chance, share):
        """One crop scale for a pair."""
        least = self.crop_scale_min or self.crop_scale
        if self.crop_scale_max <= least or chance >= self.scale_probability:
            return self.crop_scale
        return least + share * (self.crop_scale_max - least)

    def _place(self, box, label, scale, draws, size):
        # crop.square_around, in plain numbers: for one box arrays take ten times as long.
        left, top, right, bottom = box
        side = scale * max(right - left, bottom - top, 1.0)
        left, top = 0.5 * (left + right - side), 0.5 * (top + bottom - side)
        if draws[0] < self.crop_probability:
            left += self.crop_shift * side * (2.0 * draws[1] - 1.0)
            top += self.crop_shift * side * (2.0 * draws[2] - 1.0)
        angle = 0.0
        if draws[3] < self.rotation_probability:
            angle, label = rotation.turn(label, self.rotation_degrees, draws[4])
        halved, square = _square(left, top, side, size)
        return Place(halved, square, angle, tuple(label))


def _square(left, top, side, size):
    """How often the picture is halved, and the square in its pixels then."""
    if side < size:
        return 0, (left, top, side)
    halved = training_crops.halvings(side / size)
    pixel = 2**halved
    # Whole pixels: half of one is little where several make one of the view, and the cut a resize.
    return halved, (round(left / pixel), round(top / pixel), round(side / pixel))
