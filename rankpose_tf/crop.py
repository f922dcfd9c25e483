"""The crop rule of training without TensorFlow: the same numbers, on NumPy alone.

`data/augment.py` crops with TensorFlow's op ScaleAndTranslate (triangle kernel, antialiased). For
one picture that op's call costs more than its arithmetic, and a machine that runs a .tflite file
need not load TensorFlow. Here a crop is two matrix products, one an axis, with the op's weights:
pixel centres at halves, a kernel that widens as the picture shrinks, weights normalised to 1 at
the picture's border, and black where a pixel of the result lies outside.
"""

import functools
import threading

import numpy as np

# Rows of the result that are made at a time. Few rows of the picture go into them, so that most
# products with a weight of zero are left out and a large picture is never copied as floats.
_ROWS = 8
# Products up to this many multiplications are made in the calling thread by OpenBLAS, NumPy's
# usual library. For larger ones it wakes a thread a core, and on a machine with other work their
# waiting for each other costs many times the product.
_LARGEST_PRODUCT = 2**18
_SCRATCH = threading.local()


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
    left, top, right, bottom = np.asarray(square, np.float32)
    first_column, across, column_bands = _weights(left, right, size, image.shape[1])
    first_row, down, row_bands = _weights(top, bottom, size, image.shape[0])
    used = image[
        first_row : first_row + down.shape[1], first_column : first_column + across.shape[1]
    ]
    narrowed = _product(down, row_bands, used.reshape(len(used), 3 * across.shape[1]))
    # Weights that keep the three colours apart: to turn the picture instead, so that its columns
    # become rows, costs more than to multiply by these zeros.
    apart = np.zeros((size, 3, across.shape[1], 3), np.float32)
    for colour in range(3):
        apart[:, colour, :, colour] = across
    resized = _product(apart.reshape(3 * size, -1), column_bands, narrowed.T)
    return np.ascontiguousarray(resized.T).reshape(size, size, 3)


def _product(weights, bands, values):
    """Matrix product, for weights that are zero outside a band along the diagonal.

    Args:
      weights: (N, H) float32; in units of C rows and C columns, of C colours apart or C = 1.
      bands: (N / C, 2) first column, and the one after the last, of each unit; in units.
      values: (H, W), uint8 or float32.

    Returns:
      (N, W) float32.
    """
    colours = len(weights) // len(bands)
    sums = np.empty((len(weights), values.shape[1]), np.float32)
    for start in range(0, len(bands), _ROWS):
        rows = slice(colours * start, colours * (start + _ROWS))
        first, end = bands[start, 0], bands[start : start + _ROWS, 1][-1]
        band = slice(colours * first, colours * end)
        block, floats = weights[rows, band], _as_floats(values[band])
        step = max(1, _LARGEST_PRODUCT // max(1, block.size))
        for left in range(0, values.shape[1], step):
            sums[rows, left : left + step] = block @ floats[:, left : left + step]
    return sums


def _as_floats(values):
    """(H, W) as float32, in memory that the next call in this thread will use again.

    A block is large enough for the allocator to fetch fresh pages from the system for each, and
    to touch those costs several times the arithmetic.
    """
    if values.dtype == np.float32:
        return values
    if getattr(_SCRATCH, "floats", np.empty(0)).size < values.size:
        _SCRATCH.floats = np.empty(values.size, np.float32)
    floats = _SCRATCH.floats[: values.size].reshape(values.shape)
    np.copyto(floats, values)
    return floats


@functools.lru_cache(maxsize=32)
def _weights(start, end, size, pixels):
    """Weights of one axis, in the float32 arithmetic of ScaleAndTranslate.

    Kept, because whole pictures of one size, a folder of crops say, all have the same.

    Args:
      start: where the square begins, pixels.
      end: where it ends.
      size: pixels of the result.
      pixels: of the picture.

    Returns:
      The first pixel of the picture that counts; (size, used) float32 weights of it and those
      after it, a row is zero where the result is black; and (size, 2) the columns where each row
      begins and ends to have weights, both growing from row to row. All read-only.
    """
    one, half = np.float32(1.0), np.float32(0.5)
    scale = np.float32(size) / (end - start)
    inverse = one / scale
    centres = (np.arange(size, dtype=np.float32) + half) * inverse
    centres += -inverse * (-start * scale)
    inside = (centres >= 0) & (centres <= pixels)
    if not inside.any():
        return 0, *_read_only(np.zeros((size, 0), np.float32), np.zeros((size, 2), np.int32))
    radius = max(inverse, one)
    bands = np.stack([np.floor(centres - radius - half), np.ceil(centres + radius + half)], axis=1)
    bands = np.clip(bands, 0, pixels).astype(np.int32)
    low, high = bands[inside][0, 0], bands[inside][-1, 1]
    distances = np.arange(low, high, dtype=np.float32) + half - centres[:, np.newaxis]
    weights = np.maximum(one - np.abs(distances) * (one / radius), 0)
    weights[~inside] = 0
    # Rows outside stay zero; every other one has a pixel within half a pixel of its centre.
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-6))
    return low, *_read_only(weights, np.clip(bands - low, 0, high - low))


def _read_only(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return arrays
