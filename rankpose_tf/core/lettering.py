"""Text on pictures, in the font that comes with Pillow; OpenCV's own has no degree sign."""

import functools

import numpy as np

# What is left of the picture under a strip.
_UNDER_STRIP = 0.3
# Smaller is not read.
SMALLEST = 11


@functools.cache
def _font(size):
    from PIL import ImageFont

    return ImageFont.load_default(size)


def strip_size(text, size):
    """Width and height of a strip with a line of text.

    Args:
      text: one line.
      size: of the font, pixels.

    Returns:
      (width, height), pixels.
    """
    return int(np.ceil(_font(size).getlength(text))) + 2 * _margin(size), size + 2 * _margin(size)


def shortened(text, size, width):
    """The text, with dots in its middle where its strip would be wider than `width` pixels."""
    if strip_size(text, size)[0] <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        candidate = f"{text[: kept // 2]}...{text[len(text) - (kept + 1) // 2 :]}"
        if strip_size(candidate, size)[0] <= width:
            return candidate
    return "..."


def wrapped(text, size, width):
    """The words of a text in lines whose strips are at most `width` pixels wide, as a list."""
    lines = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and strip_size(longer, size)[0] <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size, width))
    return lines


def draw_strip(image, text, left, top, size, colour=(255, 255, 255)):
    """Writes a line on a dark strip into the image, as far as it lies in it.

    Args:
      image: (H, W, 3) uint8 RGB, which is changed.
      text: one line.
      left, top: of the strip, pixels.
      size: of the font, pixels.
      colour: (3,) RGB of the letters.
    """
    from PIL import Image, ImageDraw

    width, height = strip_size(text, size)
    letters = Image.new("L", (width, height))
    # From the line that letters stand on, so that every text of a size lies at one height.
    at = (_margin(size), _margin(size) + 0.82 * size)
    ImageDraw.Draw(letters).text(at, text, fill=255, font=_font(size), anchor="ls")
    first, last = max(0, top), max(0, left)
    part = image[first : max(0, top + height), last : max(0, left + width)]
    ink = np.asarray(letters, np.float32)[first - top :, last - left :]
    ink = ink[: part.shape[0], : part.shape[1], np.newaxis] / 255.0
    part[:] = np.rint((1 - ink) * _UNDER_STRIP * part + ink * np.array(colour, np.float32))


def _margin(size):
    return max(2, size // 4)
