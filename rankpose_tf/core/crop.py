"""The crop rule of training without TensorFlow: the same numbers, on NumPy and OpenCV alone.

`data/square_crops.py` crops with TensorFlow's op ScaleAndTranslate (triangle kernel, antialiased).
For one picture that op's call costs more than its arithmetic, and a machine that runs a .tflite
file need not load TensorFlow. Here a crop is two products with banded matrices, one an axis, with
the op's weights: pixel centres at halves, a kernel that widens as the picture shrinks, weights
normalised to 1 at the picture's border, and black where a pixel of the result lies outside.

A band is kept as dense blocks: a few rows of the result by the pixels that they share, so that
each block is one call of the matrix product that NumPy brings.
"""

import functools
import math

import numpy as np

# Multiplications of one product. OpenBLAS, below NumPy, computes so few in the caller's thread;
# above, it wakes threads of its own, which has taken a thousand times as long on busy cores.
_PRODUCT = 2**18


def square_around(box, scale):
    """Square around a box's centre, `scale` times the box's longer side.

    Args:
      box: (4,) left, top, right, bottom, pixels.
      scale: number; the authors' tests use 1.4.

    Returns:
      (4,) float32 left, top, right, bottom; may reach outside the picture. A box without an
      extent counts as one pixel.
    """
    box = np.asarray(box, np.float32)
    longer = max(np.max(box[2:] - box[:2]), np.float32(1.0))
    half = np.float32(0.5) * np.float32(scale) * longer
    centre = np.float32(0.5) * (box[:2] + box[2:])
    return np.concatenate([centre - half, centre + half])


def crop_and_resize(image, square, size):
    """Cuts a square out of a picture and resizes it, with antialiasing.

    Args:
      image: (H, W, 3) uint8 or float32, 0..255.
      square: (4,) left, top, right, bottom, pixels; may reach outside the picture.
      size: side of the result, pixels.

    Returns:
      (size, size, 3) float32, 0..255; black where the square is outside the picture.
    """
    # Imported when first needed: `import rankpose_tf` and a look at its names stay cheap.
    import cv2

    left, top, right, bottom = np.asarray(square, np.float32).tolist()
    height, width = image.shape[:2]
    columns, across = _weights(left, right, size, width, 3 * size)
    first, end = columns[0], columns[-1] + across.shape[2]
    rows, down = _weights(top, bottom, size, height, 3 * (end - first))
    # Of a block of one row: a picture so wide is taken in strips.
    strip = max(1, _PRODUCT // (3 * down.shape[1] * down.shape[2]))
    # Columns become rows for the second axis, and rows again.
    turned = np.empty((end - first, size, 3), np.float32)
    for start in range(first, end, strip):
        part = image[:, start : min(start + strip, end)]
        lowered = _product(down, rows, part)[:size]
        cv2.transpose(lowered.reshape(size, -1, 3), turned[start - first : start - first + strip])
    resized = _product(across, [column - first for column in columns], turned)[:size]
    return cv2.transpose(resized.reshape(size, size, 3))


def _product(blocks, starts, values):
    """The banded matrix times `values`.

    Args:
      blocks: (N, R, K) float32.
      starts: N whole numbers: block n is of `values[start : start + K]`.
      values: (M, L, 3) uint8 or float32.

    Returns:
      (N * R, L * 3) float32.
    """
    count, rows, taps = blocks.shape
    found = np.empty((count, rows, 3 * values.shape[1]), np.float32)
    floats = np.empty((taps, *values.shape[1:]), np.float32)
    for block, start, out in zip(blocks, starts, found, strict=True):
        if values.dtype == np.float32 and values.flags.c_contiguous:
            floats = values[start : start + taps]
        else:
            # A few rows at a time, which are in the processor's cache still when multiplied.
            np.copyto(floats, values[start : start + taps])
        np.dot(block, floats.reshape(taps, -1), out)
    return found.reshape(count * rows, -1)


@functools.lru_cache(maxsize=64)
def _weights(start, end, size, pixels, width):
    """Weights of one axis, in the float32 arithmetic of ScaleAndTranslate.

    Kept, because whole pictures of one size, a folder of crops say, all have the same.

    Args:
      start, end: of the square on this axis, pixels.
      size: pixels of the result.
      pixels: of the picture.
      width: values in a row of what the weights are to be multiplied with.

    Returns:
      Starts, N whole numbers; and blocks (N, R, K) float32, N * R >= size, for `_product`. A row
      of the result that is black, or is beyond `size`, has no weights. Not to be written to.
    """
    one, half, start = np.float32(1.0), np.float32(0.5), np.float32(start)
    scale = np.float32(size) / (np.float32(end) - start)
    inverse = one / scale
    radius = np.maximum(inverse, one)
    count, rows = _blocks(size, float(inverse), 2 * float(radius) + 3, width)
    taps = min(math.ceil((rows - 1) * inverse + 2 * radius) + 2, pixels)
    centres = (_steps(count * rows) + half) * inverse - inverse * (-start * scale)
    firsts = np.floor(centres[::rows] - (radius + half))
    firsts = np.maximum(np.minimum(firsts, np.float32(pixels - taps)), 0)
    columns = firsts[:, np.newaxis, np.newaxis] + _steps(taps)
    weights = np.abs(columns + (half - centres).reshape(count, rows, 1))
    weights *= -one / radius
    weights += one
    np.maximum(weights, 0, out=weights)
    if centres[0] < 0 or centres[-1] > pixels:
        weights[((centres < 0) | (centres > pixels)).reshape(count, rows)] = 0
    sums = weights.sum(axis=-1, keepdims=True)
    # Rows outside stay zero; every other one has a pixel within half a pixel of its centre.
    weights /= np.maximum(sums, np.float32(1e-6), out=sums)
    return firsts.astype(np.int64).tolist(), weights


def _blocks(size, step, reach, width):
    """How many blocks of how many rows: as large as `_PRODUCT` allows, and alike.

    A block of R rows has about R * step + reach pixels, so R * (R * step + reach) * width products.
    """
    most = (math.sqrt(reach**2 + 4 * step * _PRODUCT / width) - reach) / (2 * step)
    count = math.ceil(size / min(max(1, int(most)), size))
    return count, math.ceil(size / count)


@functools.lru_cache(maxsize=64)
def _steps(count):
    """0, 1, 2 ... of a small count, float32, not to be written to."""
    return np.arange(count, dtype=np.float32)
