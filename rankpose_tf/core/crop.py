"""The crop rule of training without TensorFlow: the same numbers, on NumPy and SciPy alone.

`data/augment.py` crops with TensorFlow's op ScaleAndTranslate (triangle kernel, antialiased). For
one picture that op's call costs more than its arithmetic, and a machine that runs a .tflite file
need not load TensorFlow. Here a crop is two sparse matrix products, one an axis, with the op's
weights: pixel centres at halves, a kernel that widens as the picture shrinks, weights normalised
to 1 at the picture's border, and black where a pixel of the result lies outside.
"""

import functools
import threading

import numpy as np

# Values of the picture that are made floats at a time, unless one row of the result needs more:
# few enough to be in the processor's cache still when they are multiplied.
_BLOCK = 2**18
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
    # Imported when first needed: `import rankpose_tf` and a look at its names stay cheap.
    import cv2

    (first_column, across), blocks = _weights(
        *np.asarray(square, np.float32), size, *image.shape[1::-1]
    )
    used = image[:, first_column : first_column + across.shape[1]]
    # Sparse products run over rows: columns become rows for the second axis, and rows again.
    turned = np.zeros((used.shape[1], size, 3), np.float32)
    row = 0
    for first_row, down in blocks:
        end = row + down.shape[0]
        if down.nnz and len(turned):
            floats = _as_floats(used[first_row : first_row + down.shape[1]])
            lowered = down @ floats.reshape(len(floats), -1)
            cv2.transpose(lowered.reshape(end - row, -1, 3), turned[:, row:end])
        row = end
    resized = across @ turned.reshape(len(turned), 3 * size)
    return cv2.transpose(resized.reshape(size, size, 3))


def _as_floats(values):
    """`values` as float32, in memory that the next call in this thread will use again.

    A picture is large enough for the allocator to fetch fresh pages from the system for each, and
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
def _weights(left, top, right, bottom, size, width, height):
    """Weights of both axes, in the float32 arithmetic of ScaleAndTranslate.

    Kept, because whole pictures of one size, a folder of crops say, all have the same. Made for
    both axes at once, because for so few numbers it is the calls that cost.

    Args:
      left, top, right, bottom: of the square, float32 pixels.
      size: pixels of the result.
      width, height: of the picture, pixels.

    Returns:
      For columns: the first pixel of the picture that counts; and (size, used) sparse float32
      weights of it and those after it, a row is zero where the result is black. For rows: such
      pairs, each for the next few rows of the result. Not to be written to.
    """
    one, half = np.float32(1.0), np.float32(0.5)
    start, pixels = np.array([[left], [top]]), np.array([[width], [height]], np.float32)
    scale = np.float32(size) / (np.array([[right], [bottom]]) - start)
    inverse = one / scale
    radius = np.maximum(inverse, one)
    steps, taps = _steps(size), int(np.ceil(2 * radius.max())) + 2
    centres = (steps + half) * inverse - inverse * (-start * scale)
    # As many pixels for each row: those beyond the kernel weigh nothing.
    columns = np.floor(centres - (radius + half))[..., np.newaxis] + _steps(taps)
    weights = np.abs(columns + (half - centres)[..., np.newaxis])
    weights *= -one / radius[..., np.newaxis]
    weights += one
    np.maximum(weights, 0, out=weights)
    if columns[:, 0, 0].min() < 0 or (columns[:, -1, -1:] >= pixels).any():
        weights[(columns < 0) | (columns >= pixels[..., np.newaxis])] = 0
        weights[(centres < 0) | (centres > pixels)] = 0
    sums = weights.sum(axis=-1, keepdims=True)
    # Rows outside stay zero; every other one has a pixel within half a pixel of its centre.
    weights /= np.maximum(sums, np.float32(1e-6), out=sums)
    across = _matrix(weights[0], columns[0], width)
    rows = max(1, int(_BLOCK * scale[1, 0] / (3 * max(1, across[1].shape[1]))))
    blocks = (slice(row, row + rows) for row in range(0, size, rows))
    return across, [_matrix(weights[1, block], columns[1, block], height) for block in blocks]


@functools.lru_cache(maxsize=64)
def _steps(count):
    """0, 1, 2 ... of a small count, float32, not to be written to."""
    return np.arange(count, dtype=np.float32)


def _matrix(weights, columns, pixels):
    """Weights (N, taps) at columns (N, taps), of 0 outside the picture, without what is outside.

    Returns:
      The first column, and (N, used) sparse weights of it and those after it.
    """
    from scipy import sparse

    rows, taps = weights.shape
    low = min(max(0, int(columns[0, 0])), pixels)
    used = max(min(pixels, int(columns[-1, -1]) + 1) - low, 0)
    if not used:
        return low, sparse.csr_array((rows, 0), dtype=np.float32)
    columns = np.minimum(np.maximum(columns.ravel() - np.float32(low), 0), used - 1)
    places = np.arange(0, rows * taps + 1, taps, dtype=np.int32)
    matrix = (weights.ravel(), columns.astype(np.int32), places)
    return low, sparse.csr_array(matrix, shape=(rows, used))
