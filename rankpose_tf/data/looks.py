"""What changes a training view's pixels and not its pose: colour, covering, blur, noise (OpenCV).

The paper's recipe has Gaussian noise and Gaussian blur; fillings, grey, brightness, contrast, dark
and erasing are ours and off in it. Every change is a function of the picture and of numbers that
were drawn for it, so the same draws give the same picture.

The functions take and give views (H, W, 3) RGB float32, 0..255. `draws` are numbers from 0 up to
1; a change has a row of `DRAWS` of them, the first of which decides whether it is made.
"""

import dataclasses
import functools
import math

import cv2
import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import black_areas, random_values

CHANGES, DRAWS = 8, 10
FILL, GREY, BRIGHTNESS, CONTRAST, ERASE, BLUR, NOISE, DARK = range(CHANGES)
# Weights of red, green and blue, as TensorFlow's rgb_to_grayscale has them.
_LUMA = np.array([[0.2989, 0.587, 0.114]])
# Of erasing, "Random Erasing Data Augmentation" (Zhong et al., AAAI 2020): smallest share of the
# picture, and how much longer than high a rectangle may be.
_LEAST_AREA = 0.02
_LARGEST_RATIO = 1.0 / 0.3


@dataclasses.dataclass(frozen=True)
class Looks:
    """How often each change is made, and how strong it may be.

    Attributes:
      fill_probability: of filling black areas by smooth colours.
      grey_probability: of taking all colour away.
      brightness_probability: of adding one value to all pixels.
      brightness: the largest, share of the range.
      contrast_probability: of stretching the distance from the mean.
      contrast: largest change of the factor, 0..1.
      erase_probability: of covering a rectangle.
      erase_area: the largest, share of the view, 0.02..1.
      blur_probability: of a Gaussian blur.
      blur_sigma: largest standard deviation, pixels.
      noise_probability: of Gaussian noise, independent per pixel and channel.
      noise_stddev: largest standard deviation, of 0..255.
      dark_probability: of taking light away.
      least_light: share of it that the darkest view has, above 0.

    Raises:
      RankPoseError: for a number outside its range.
    """

    fill_probability: float = 0.0
    grey_probability: float = 0.0
    brightness_probability: float = 0.0
    brightness: float = 0.0
    contrast_probability: float = 0.0
    contrast: float = 0.0
    erase_probability: float = 0.0
    erase_area: float = 0.3
    blur_probability: float = 0.0
    blur_sigma: float = 0.0
    noise_probability: float = 0.0
    noise_stddev: float = 0.0
    dark_probability: float = 0.0
    least_light: float = 0.0625

    def __post_init__(self):
        least = {"erase_area": _LEAST_AREA, "least_light": 1e-6}
        for name, value in dataclasses.asdict(self).items():
            low, high = least.get(name, 0.0), 1.0
            if name in ("blur_sigma", "noise_stddev"):
                high = 255.0
            if not low <= value <= high:
                raise RankPoseError(
                    f"{name}: expected a number from {low:g} to {high:g}, received {value}"
                )

    def change(self, view, draws):
        """Makes the changes that were drawn; noise after all but the dark.

        Args:
          view: (H, W, 3) uint8.
          draws: at least CHANGES * DRAWS floats, those of each change together.

        Returns:
          (H, W, 3) uint8.
        """
        drawn = [draws[start] < often for start, often in self._starts_and_probabilities]
        if not any(drawn):
            return view
        own = [draws[start + 1 : start + DRAWS] for start, _ in self._starts_and_probabilities]
        view = view.astype(np.float32)
        if drawn[FILL]:
            view = black_areas.fill(view, own[FILL][0])
        if drawn[GREY] or drawn[BRIGHTNESS] or drawn[CONTRAST]:
            view = self._colours(view, drawn, own)
        if drawn[ERASE]:
            view = erase(view, own[ERASE], self.erase_area)
        if drawn[BLUR]:
            reach = math.ceil(3.0 * self.blur_sigma)
            view = blur(view, 2 * reach + 1, self.blur_sigma * own[BLUR][0])
        if drawn[NOISE]:
            stddev = self.noise_stddev * own[NOISE][0]
            view = noisy(view, stddev, own[NOISE][1], floats=drawn[DARK])
        if drawn[DARK]:
            view *= np.float32(self.least_light ** own[DARK][0])
        # Rounds, and keeps to 0..255, in one pass.
        return view if view.dtype == np.uint8 else cv2.add(view, 0, dtype=cv2.CV_8U)

    @functools.cached_property
    def _starts_and_probabilities(self):
        """Where the draws of each change begin, and its probability."""
        names = ("fill", "grey", "brightness", "contrast", "erase", "blur", "noise", "dark")
        return [(n * DRAWS, getattr(self, f"{name}_probability")) for n, name in enumerate(names)]

    def _colours(self, view, drawn, draws):
        """Grey, brightness and contrast: all of them are one factor and one addend.

        What they push out of 0..255 is cut off once, after the last.
        """
        if drawn[GREY]:
            view = cv2.cvtColor(cv2.transform(view, _LUMA), cv2.COLOR_GRAY2RGB)
        addend, factor = 0.0, 1.0
        if drawn[BRIGHTNESS]:
            addend = 255.0 * self.brightness * (2.0 * draws[BRIGHTNESS][0] - 1.0)
        if drawn[CONTRAST]:
            factor = 1.0 + self.contrast * (2.0 * draws[CONTRAST][0] - 1.0)
            mean = sum(cv2.mean(view)) / 3.0 + addend
            addend = mean + (addend - mean) * factor
        view *= np.float32(factor)
        view += np.float32(addend)
        return np.clip(view, 0.0, 255.0, out=view)


def blur(view, kernel_size, sigma):
    """Gaussian blur, equal to tensorflow-addons' `gaussian_filter2d` with its default padding.

    Separable: one pass of `kernel_size` weights exp(-x^2 / (2 sigma^2)), normalised to sum 1,
    along each axis. Borders are reflected without repeating the edge pixel.

    Args:
      view: (H, W, 3) float32, any range.
      kernel_size: odd number of pixels.
      sigma: pixels; at 0 the view stays as it is.

    Returns:
      (H, W, 3) float32.
    """
    # At 0.001 every weight but the middle one is 0 in float32.
    weights = _gaussian(kernel_size, max(sigma, 1e-3))
    return cv2.sepFilter2D(view, -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)


def _gaussian(kernel_size, sigma):
    offsets = np.arange(kernel_size) - kernel_size // 2
    weights = np.exp(-0.5 * np.square(offsets / sigma))
    return (weights / weights.sum()).astype(np.float32)


def noisy(view, stddev, place, floats=False):
    """Adds Gaussian noise, independent per pixel and channel.

    Args:
      view: (H, W, 3) float32, 0..255.
      stddev: standard deviation, of 0..255.
      place: from 0 up to 1, which stretch of the table of normal numbers is taken.
      floats: give float32.

    Returns:
      (H, W, 3) uint8, or float32 within 0..255.
    """
    noise = random_values.normal(view.shape, place)
    if not floats:
        return cv2.addWeighted(view, 1.0, noise, stddev, 0.0, dtype=cv2.CV_8U)
    return np.clip(cv2.addWeighted(view, 1.0, noise, stddev, 0.0), 0.0, 255.0)


def erase(view, draws, area):
    """Covers a rectangle that lies inside the view, as a hand or hair may.

    Its area is drawn evenly from 2 % to `area`, its ratio of height to width evenly on a
    logarithmic scale from 0.3 to 1 / 0.3, its place evenly. It is filled by one colour with a
    share, drawn too, of noise: from plain to noise alone, since a network learns to spot any
    one filling.

    Args:
      view: (H, W, 3) float32, 0..255; is written to.
      draws: nine numbers: area, ratio, place down and across, colour (three), share of noise, and
        which noise.
      area: largest share of the view, 0.02..1.

    Returns:
      The view.
    """
    share = _LEAST_AREA + (area - _LEAST_AREA) * draws[0]
    ratio = math.exp(math.log(_LARGEST_RATIO) * (2.0 * draws[1] - 1.0))
    # A large rectangle can't be as long as that.
    ratio = min(max(ratio, share), 1.0 / share)
    rows = _between(view.shape[0], math.sqrt(share * ratio), draws[2])
    columns = _between(view.shape[1], math.sqrt(share / ratio), draws[3])
    covered = view[rows, columns]
    noise = random_values.uniform(covered.shape, draws[8])
    colour, grain = np.float32(draws[4:7]), np.float32(draws[7])
    covered[...] = np.float32(255.0) * (colour + grain * (noise - colour))
    return view


def _between(count, side, place):
    """Slice of the pixels whose centres are inside a stretch of `side`, a share of them all."""
    first = (1.0 - side) * place
    return slice(math.ceil(first * count - 0.5), math.ceil((first + side) * count - 0.5))
