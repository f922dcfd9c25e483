"""Pictures that show a head for its expected error where it errs: poor faces, and no faces.

Everything is on NumPy and OpenCV, a function of a generator alone: these are drawn once, and only
their features are kept. Views are RGB, (S, S, 3) float, about 0..255; poses (3,) degrees: yaw,
pitch, roll.
"""

from typing import NamedTuple

import cv2
import numpy as np

from rankpose_tf.core import crop, upright
from rankpose_tf.data import identity_split, square_crops, synthetic

# Mean distance of two angles drawn evenly from +-90 degrees: the error of an answer that knows
# nothing, and that of every picture without a face.
NO_FACE = 60.0
# In-plane turn, degrees, from which an answer is taken to know nothing: towers are trained on
# turns of up to 20, and nobody holds a head so.
UPSIDE = 80.0


class Face(NamedTuple):
    """A labelled picture: (H, W, 3) uint8; box (4,), pixels; pose (3,) degrees."""

    image: np.ndarray
    box: np.ndarray
    pose: np.ndarray


def faces(data, threshold=None, held_out=False, filter_angles=True, minimum_views=2):
    """Yields a list of `Face`, the photo first, of each identity of one side of the split.

    Args: as for `identity_split.usable_records`.
    """
    rules = threshold, held_out, filter_angles, minimum_views
    for record in identity_split.usable_records(data, *rules):
        degrees = np.degrees(record["poses"].astype(np.float64))
        parts = zip(record["images"], record["boxes"], degrees, strict=True)
        yield [Face(square_crops.decode(image).numpy(), box, pose) for image, box, pose in parts]


def cut(face, scale, size, turn=0.0, shift=(0.0, 0.0)):
    """A crop of a face, and the pose that it shows.

    Args:
      face: `Face`.
      scale: side of the square over the box's longer side.
      size: side of the crop, pixels.
      turn: degrees by which the picture is turned clockwise.
      shift: (2,) by which the square is moved, shares of its side.

    Returns:
      (size, size, 3) float32, and (3,) degrees.
    """
    square = crop.square_around(face.box, scale)
    move = np.asarray(shift, np.float32) * (square[2] - square[0])
    square, image = square + np.tile(move, 2), face.image
    if turn:
        image, square = upright.upright_square(image, square, -turn, size)
    return crop.crop_and_resize(image, square, size), upright.turned_back(face.pose, turn)[0]


def poor(face, size, scale, generator):
    """A face that is cropped badly, turned in the plane, or spoilt, with the pose that it shows.

    Half are not turned, a quarter by up to 25 degrees, a quarter by up to 70; a third each are cut
    as they should be, nearly so, and anyhow.
    """
    turn = generator.choice([0, 0, 25, 70]) * generator.uniform(-1, 1)
    usual, near, any_scale = 1.0, generator.uniform(0.85, 1.2), generator.uniform(0.5, 1.9)
    wrong = generator.choice([usual, near, any_scale])
    shift = generator.choice([0.0, 0.08, 0.25]) * generator.uniform(-1, 1, 2)
    view, pose = cut(face, wrong * scale, size, turn, shift)
    return (spoilt(view, generator) if generator.random() < 0.7 else view), pose


def spoilt(view, generator):
    """A crop under some of what makes a face hard to see: blur, few pixels, dark, noise, a cover.

    Args:
      view: (S, S, 3) float32.
      generator: `numpy.random.Generator`.

    Returns:
      The same shape.
    """
    side = len(view)
    chosen = generator.random(6) < 0.3
    if chosen[0]:
        view = _covered(view, generator)
    if chosen[1]:
        view = view @ np.full((3, 3), 1 / 3, np.float32)
    if chosen[2]:
        view = cv2.GaussianBlur(view, (0, 0), side * generator.uniform(0.005, 0.08))
    if chosen[3]:
        pixels = int(generator.integers(8, 40))
        small = cv2.resize(view, (pixels, pixels), interpolation=cv2.INTER_AREA)
        view = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    if chosen[4]:
        view = view * np.float32(2.0 ** -generator.uniform(0, 5))
    elif chosen[5]:
        view = 128 + (view - 128) * np.float32(generator.uniform(0.3, 1.6))
        view = view + np.float32(generator.uniform(-60, 60))
    if chosen[4] or generator.random() < 0.3:
        view = view + generator.normal(0, generator.uniform(1, 16), view.shape).astype(np.float32)
    return np.clip(view, 0, 255)


def _covered(view, generator):
    """A rectangle of up to half of the crop, of one colour or of noise."""
    side, view = len(view), view.copy()
    height, width = (generator.uniform(0.15, 0.75, 2) * side).astype(int)
    top, left = (int(generator.integers(0, side - length + 1)) for length in (height, width))
    colour = generator.uniform(0, 255, 3)
    grain = generator.choice([0.0, 40.0]) * generator.normal(size=(height, width, 3))
    view[top : top + height, left : left + width] = colour + grain
    return view


# Pictures without a face. Each: function of a `Face`, of which some are made, the crop's
# size, the usual crop scale, and a `numpy.random.Generator` -> (size, size, 3).


def plain(face, size, scale, generator):
    """One colour or grey, or two that run into each other, with or without grain."""
    ends = generator.uniform(0, 255, (2, 2, 3 if generator.random() < 0.5 else 1))
    if generator.random() < 0.6:
        ends[:] = ends[0, 0]
    ends = np.broadcast_to(ends, (2, 2, 3)).astype(np.float32)
    grain = generator.choice([0.0, 3.0, 12.0]) * generator.normal(size=(size, size, 3))
    return cv2.resize(ends, (size, size)) + grain


def noise(face, size, scale, generator):
    """Noise from as fine as the pixels to as coarse as the picture, its octaves mixed at random."""
    channels = int(generator.choice([1, 3]))
    picture = np.zeros((size, size, channels))
    slope = generator.uniform(0.0, 1.6)
    for octave in range(1, 8):
        pixels = min(size, 2**octave)
        part = generator.normal(size=(pixels, pixels, channels))
        part = cv2.resize(part, (size, size), interpolation=cv2.INTER_CUBIC)
        picture += pixels**-slope * part.reshape(size, size, channels)
    picture = generator.uniform(10, 90) * picture / (picture.std() + 1e-6)
    return np.broadcast_to(generator.uniform(40, 215, channels) + picture, (size, size, 3))


def shapes(face, size, scale, generator):
    """Discs, boxes and stripes over each other, "dead leaves", as edges lie in most scenes."""
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = generator.uniform(0, 255, 3)
    for _ in range(int(generator.integers(3, 60))):
        radius = size * min(0.6, 0.04 * generator.pareto(1.5) + 0.03)
        centre = tuple(int(value) for value in generator.uniform(0, size, 2))
        colour = tuple(generator.uniform(0, 255, 3))
        kind = generator.integers(3)
        if kind == 0:
            axes = (int(radius) + 1, int(radius * generator.uniform(0.3, 1)) + 1)
            turn = generator.uniform(0, 360)
            cv2.ellipse(picture, centre, axes, turn, 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            box = cv2.boxPoints((centre, (2 * radius, radius), generator.uniform(0, 180)))
            cv2.fillPoly(picture, [box.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            end = tuple(int(value) for value in generator.uniform(0, size, 2))
            cv2.line(picture, centre, end, colour, int(radius / 4) + 1, cv2.LINE_AA)
    picture += generator.choice([0.0, 10.0]) * generator.normal(size=picture.shape)
    return cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.3, 2.5))


def window(face, size, scale, generator):
    """A part of the picture whose middle is beside the face: of its edge, or of all around it."""
    height, width = face.image.shape[:2]
    left, top, right, bottom = face.box
    room = max(left, top, width - right, height - bottom)
    least = generator.uniform(0.12, 0.3) * min(height, width)
    side = max(least, min(room, generator.uniform(0.5, 1.6) * (right - left)))
    for _ in range(20):
        corner = generator.uniform(0, np.maximum((width - side, height - side), 1e-3))
        x, y = corner + side / 2
        if not (left < x < right and top < y < bottom):
            break
    return crop.crop_and_resize(face.image, np.concatenate([corner, corner + side]), size)


def shuffled(face, size, scale, generator):
    """The face's crop in square pieces, each in another's place: its texture without its form."""
    count = int(generator.integers(3, 9))
    side = -(-size // count)
    view = cut(face, scale, count * side)[0].reshape(count, side, count, side, 3)
    pieces = generator.permutation(view.swapaxes(1, 2).reshape(-1, side, side, 3))
    view = pieces.reshape(count, count, side, side, 3).swapaxes(1, 2)
    return cv2.resize(view.reshape(count * side, count * side, 3), (size, size))


def waves(face, size, scale, generator):
    """The face's crop with the phases of its spectrum drawn anew: its colours and grain alone."""
    view = cut(face, scale, size)[0]
    phases = np.angle(np.fft.fft2(generator.normal(size=(size, size))))
    spectrum = np.abs(np.fft.fft2(view, axes=(0, 1))) * np.exp(1j * phases)[..., np.newaxis]
    spectrum[0, 0] = np.fft.fft2(view, axes=(0, 1))[0, 0]
    return np.fft.ifft2(spectrum, axes=(0, 1)).real


def hair(face, size, scale, generator):
    """The back of a head, made of the photo: hair over its face, in its own colour or another."""
    view = cut(face, scale, size)[0]
    start, end = 0.5 * size * (1 - 1 / scale), 0.5 * size * (1 + 1 / scale)
    top, bottom = generator.uniform(0.0, 0.6) * start, generator.uniform(0.8, 1.15) * end
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    x = (columns - size / 2) / (generator.uniform(0.42, 0.62) * (end - start))
    y = (2 * rows - top - bottom) / (bottom - top)
    mask = np.clip((1.0 - np.hypot(x, y)) * generator.uniform(4, 20) + 0.5, 0, 1)
    colour = view[max(0, int(start) - 6) : int(start) + 6, size // 3 : 2 * size // 3].mean((0, 1))
    if generator.random() < 0.4:
        colour = generator.uniform(10, 150) * generator.uniform((1, 0.7, 0.4), 1.0)
    light = 1.0 + generator.uniform(0, 0.5) * (0.3 - x**2 - (y + generator.uniform(0, 0.6)) ** 2)
    shade = light + generator.uniform(0.05, 0.3) * _strands(size, generator)
    return view + mask[..., np.newaxis] * (colour * shade[..., np.newaxis] - view)


def _strands(size, generator):
    """Noise drawn out downwards, (size, size), of unit variance."""
    length = int(generator.integers(3, max(4, size // 2)))
    strands = cv2.blur(generator.normal(size=(size, size)), (1, length))
    strands = cv2.GaussianBlur(strands, (0, 0), generator.uniform(0.4, 1.5))
    return strands / (strands.std() + 1e-6)


def back(face, size, scale, generator):
    """The back of a rendered head, yaw from 140 to 220 degrees."""
    pose = np.radians(generator.uniform((140, -25, -25), (220, 25, 25)))
    image, _ = synthetic.render(int(generator.integers(2**31)), pose, 2 * size)
    half = size * generator.uniform(0.7, 1.0)
    centre = size * generator.uniform(0.9, 1.1, 2)
    return crop.crop_and_resize(image, np.concatenate([centre - half, centre + half]), size)


FACELESS = {
    kind.__name__: kind for kind in (plain, noise, shapes, window, shuffled, waves, hair, back)
}


def upside(face, size, scale, generator):
    """A face turned in the plane by 80 to 180 degrees either way, cut about as it should be."""
    turn = generator.choice([-1, 1]) * generator.uniform(UPSIDE, 180)
    shift = generator.uniform(-0.08, 0.08, 2)
    view = cut(face, generator.uniform(0.9, 1.2) * scale, size, turn, shift)[0]
    return spoilt(view, generator) if generator.random() < 0.3 else view


def rolled(face, size, scale, generator):
    """A face turned in the plane by 90 to 180 degrees either way, otherwise as it is."""
    turn = generator.choice([-1, 1]) * generator.uniform(90, 180)
    return cut(face, scale, size, turn)[0]
