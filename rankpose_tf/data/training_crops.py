"""The crop of a training view, by OpenCV.

Close to `square_crops.crop_and_resize`, the exact crop of evaluation and use, at a fifth of its
time. That op weights a picture's pixels by a triangle as wide as the picture shrinks. Here the
picture is smoothed by a short kernel and then read between its pixels: both together have the
width (the variance) of that triangle. A picture that grows is not smoothed, and the two are the
same but for rounding and the outermost pixels; on photos that shrink, 0.3 to 0.7 of 255 lie between
them, turned ones up to 1.2 (docs/performance.md).

A square that is not turned lies on whole pixels where the picture shrinks, which is what makes
reading it a resize; `places` sees to that.
"""

import functools
import math

import cv2
import numpy as np

# From so many pixels of the picture for one of the crop on, it is halved first, and again.
_HALVED_FROM = 3.0
_MOST_HALVINGS = 3
# Below, smoothing changes less than rounding does, and costs as much as a quarter of the decoding.
_SMOOTHED_FROM = 1.2
# What reading between pixels takes beyond the square, pixels.
_MARGIN = 2
# The longest kernel is of so many pixels for one: a picture that still shrinks more is a speck.
_LONGEST_STEP = 16.0
# A square of more than so many times the picture is read as a turned one is, which takes no memory.
_MOST_BEYOND = 4
# A half, a quarter and an eighth of the size; that of colours overrides that they are grey ones.
_REDUCED = (
    0,
    cv2.IMREAD_REDUCED_GRAYSCALE_2,
    cv2.IMREAD_REDUCED_GRAYSCALE_4,
    cv2.IMREAD_REDUCED_GRAYSCALE_8,
)
_JPEG = b"\xff\xd8"


def halvings(step):
    """How often a picture is halved before it is cut: until under 3 pixels of it make one.

    Args:
      step: pixels of the picture for one of the crop.

    Returns:
      0, 1, 2 or 3.
    """
    times = math.floor(math.log2(max(step, 1e-6) / _HALVED_FROM)) + 1
    return min(max(times, 0), _MOST_HALVINGS)


def decode(content, halved=0):
    """Decodes a picture; a JPEG that is halved is decoded in its smaller size, for less work.

    Args:
      content: bytes of a JPEG or PNG.
      halved: how often the picture is halved, 0..3.

    Returns:
      (H, W, 3) uint8 RGB, sides rounded up.

    Raises:
      ValueError: when the bytes are no picture, which an input pipeline tells as it does other
        damage in shards.
    """
    reduced = _REDUCED[halved] if content[:2] == _JPEG else 0
    flags = reduced | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    values = np.frombuffer(content, np.uint8)
    pixels = cv2.imdecode(values, flags) if len(values) else None
    if pixels is None:
        raise ValueError(f"a picture of {len(content)} bytes can't be decoded")
    return _means(pixels, 2**halved) if halved and not reduced else pixels


def _means(pixels, side):
    """Means of squares of pixels; those at the right and lower border are of what there is."""
    height, width = pixels.shape[:2]
    beyond = 0, -height % side, 0, -width % side
    whole = cv2.copyMakeBorder(pixels, *beyond, cv2.BORDER_REPLICATE)
    size = whole.shape[1] // side, whole.shape[0] // side
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA)


def cut(picture, square, angle, size, halved=0):
    """Cuts a square out of a picture.

    Args:
      picture: (H, W, 3) uint8. Beyond it is black.
      square: left, top, side, pixels of it; whole numbers, unless it is read as a turned one is.
      angle: radians by which the picture is turned clockwise around the square's centre.
      size: side of the result, pixels.
      halved: how often the picture was halved before.

    Returns:
      (size, size, 3) uint8.
    """
    step = square[2] / size
    kernel = _kernel(round(min(step, _LONGEST_STEP), 2), halved) if step > _SMOOTHED_FROM else []
    reach = 0.5 * square[2] * (abs(math.cos(angle)) + abs(math.sin(angle)))
    longest = max(picture.shape[:2])
    picture, square = _window(picture, square, reach + _MARGIN + len(kernel) // 2)
    if len(kernel):
        picture = cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    whole = all(float(number).is_integer() for number in square)
    if angle or not whole or square[2] > _MOST_BEYOND * longest:
        return _turned(picture, square, angle, size)
    return _straight(picture, [int(number) for number in square], size)


def _window(picture, square, reach):
    """The part of a picture within `reach` of the square's centre, at least a pixel of it."""
    height, width = picture.shape[:2]
    across, down = square[0] + 0.5 * square[2], square[1] + 0.5 * square[2]
    left = min(max(math.floor(across - reach), 0), width - 1)
    top = min(max(math.floor(down - reach), 0), height - 1)
    right, bottom = max(math.ceil(across + reach), left + 1), max(math.ceil(down + reach), top + 1)
    return picture[top:bottom, left:right], (square[0] - left, square[1] - top, square[2])


@functools.lru_cache(maxsize=1024)
def _kernel(step, halved):
    """The kernel whose variance is what a triangle of that width has more than one of width 1.

    A triangle that reaches `step` pixels to both sides has the variance step^2 / 6. Halving has
    taken means of 2^halved pixels, whose variance in pixels of the result counts as well. Three
    weights a, 1 - 2a, a have 2a; above a quarter they would be a comb, and are several of less.
    """
    variance = (step**2 - 1.0) / 6.0 - (1.0 - 0.25**halved) / 12.0
    parts = max(1, math.ceil(2.0 * variance))
    a = 0.5 * variance / parts
    kernel = functools.reduce(np.convolve, [[a, 1.0 - 2.0 * a, a]] * parts)
    return np.asarray(kernel, np.float32)


def _straight(picture, square, size):
    left, top, side = square
    height, width = picture.shape[:2]
    beyond = (-top, top + side - height, -left, left + side - width)
    if max(beyond) <= 0:
        return cv2.resize(picture[top : top + side, left : left + side], (size, size))
    if max(-top, -left) >= side or top >= height or left >= width:
        return np.zeros((size, size, 3), np.uint8)
    inside = picture[max(top, 0) : top + side, max(left, 0) : left + side]
    whole = cv2.copyMakeBorder(inside, *(max(b, 0) for b in beyond), cv2.BORDER_REPLICATE)
    view = cv2.resize(whole, (size, size))
    # A pixel of the crop whose centre is outside of the picture is black.
    centres = (np.arange(size) + 0.5) * (side / size)
    view[(centres < -top) | (centres > height - top)] = 0
    view[:, (centres < -left) | (centres > width - left)] = 0
    return view


def _turned(picture, square, angle, size):
    left, top, side = square
    cosine, sine = side / size * math.cos(angle), side / size * math.sin(angle)
    # Pixel i has its centre at i + 0.5; OpenCV counts from centres.
    corner, across, down = 0.5 * (1.0 - size), left + 0.5 * side - 0.5, top + 0.5 * side - 0.5
    grid = np.array(
        [
            [cosine, sine, across + (cosine + sine) * corner],
            [-sine, cosine, down + (cosine - sine) * corner],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, grid, (size, size), flags=flags)
