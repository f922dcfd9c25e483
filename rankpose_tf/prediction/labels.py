"""What is written about a face, and where there is room for it."""

import numpy as np

from rankpose_tf.core import lettering
from rankpose_tf.core.pose import ANGLES

# Height of letters: of a face's side, and the least of a picture's longer side.
_SIDE_OVER_LETTER = 9
_LONGEST_OVER_LETTER = 130


def text_of(angles, number=None, words=True):
    """What is written of a face in whole degrees: 3  yaw 6° pitch -6° roll 22°.

    Args:
      angles: (3,) degrees; yaw, pitch, roll.
      number: of the face, or None.
      words: False leaves out the names of the angles.
    """
    # + 0 makes 0 of -0.
    degrees = [f"{int(np.rint(angle)) + 0}°" for angle in angles]
    if words:
        degrees = [f"{name} {value}" for name, value in zip(ANGLES, degrees, strict=True)]
    return ("" if number is None else f"{number}  ") + " ".join(degrees)


def write_labels(image, faces):
    """Writes number and angles of each face into the image, one beside its box.

    Args:
      image: (H, W, 3) uint8 RGB, which is changed.
      faces: sequence of `drawings.DrawnFace`.
    """
    height, width = image.shape[:2]
    taken = []
    for face in faces:
        box = np.array([0, 0, width, height] if face.box is None else face.box, np.float64)
        fitting = _fitting(face, (box[2:] - box[:2]).max(), width, height)
        if fitting is None:
            continue
        text, size = fitting
        place = _place(
            np.clip(box, -1e6, 1e6), lettering.strip_size(text, size), image.shape, taken
        )
        taken.append(place)
        lettering.draw_strip(image, text, *place[:2], size)


def _fitting(face, side, width, height):
    """Text and size of its letters, for a picture's width and height; None if nothing fits."""
    longest = max(width, height)
    wanted = max(min(side, longest) / _SIDE_OVER_LETTER, longest / _LONGEST_OVER_LETTER)
    for words in (True, False):
        text = text_of(face.angles, face.number, words)
        size = max(lettering.SMALLEST, round(wanted))
        while size > lettering.SMALLEST and lettering.strip_size(text, size)[0] > width:
            size -= 1
        # On less it would hide the face.
        if lettering.strip_size(text, size)[0] <= width and 4 * size <= height:
            return text, size
    return None


def _place(box, strip, shape, taken):
    """Left, top, right, bottom of a strip: above the box, below it, or within, on no other one."""
    (width, height), (high, wide) = strip, shape[:2]
    left = int(np.clip(box[0], 0, wide - width))
    tops = [box[1] - height, box[3], box[1], box[3] - height, box[1] - 2 * height, box[3] + height]
    places = []
    for top in tops:
        top = int(np.clip(top, 0, high - height))
        places.append((left, top, left + width, top + height))
    inside = [place for place, top in zip(places, tops, strict=True) if place[1] == int(top)]
    free = [place for place in [*inside, *places] if not any(_meet(place, one) for one in taken)]
    return (free or inside or places)[0]


def _meet(one, other):
    return all(one[i] < other[i + 2] and other[i] < one[i + 2] for i in (0, 1))
