"""Random filling of the black that rendering leaves beside a head (OpenCV).

Views that were turned in 3-D, as those of 300W-LP, are black where the photo showed nothing, in
wedges whose shape tells how far the head was turned. A network reads that, and no camera shows it.
"""

import cv2

from rankpose_tf.data import random_values

# JPEG leaves grain in black areas; hardly any photo is as dark over a whole area.
_BLACK = 12.0
# Pixels: what is narrower is a pupil or a nostril, and stays.
_LEAST_WIDTH = 5
# Colours along each side, which run into each other.
_COLOURS = 4


def fill(view, place):
    """Fills areas of black by smooth random colours.

    An area is filled with the pixel around it, which the resizing mixed with black.

    Args:
      view: (H, W, 3) float32, 0..255; is written to.
      place: from 0 up to 1; which colours.

    Returns:
      The view.
    """
    black = black_areas(view)
    if not black.any():
        return view
    colours = 255.0 * random_values.uniform((_COLOURS, _COLOURS, 3), place)
    colours = cv2.resize(colours, view.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(colours, black, view)
    return view


def black_areas(view):
    """Where a view is black over an area, and one pixel around.

    Args:
      view: (H, W, 3) float32, 0..255.

    Returns:
      (H, W) uint8, 255 where it is, 0 elsewhere.
    """
    light = cv2.bitwise_not(cv2.inRange(view, (-1.0,) * 3, (_BLACK,) * 3))
    # Outside of the view counts as black, so that areas at its border stay.
    middle = cv2.bitwise_not(_any_within(light, _LEAST_WIDTH))
    return _any_within(middle, _LEAST_WIDTH + 2)


def _any_within(mask, width):
    """Whether any pixel of a square of `width` around each is set."""
    around = cv2.getStructuringElement(cv2.MORPH_RECT, (width, width))
    return cv2.dilate(mask, around, borderType=cv2.BORDER_CONSTANT, borderValue=0)
