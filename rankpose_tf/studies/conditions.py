"""What poor light, covered faces, small and blurred ones cost a model, a row each.

The crops of one test set are changed in known ways and scored as `rankpose_tf.evaluate` would. It
is what a model card can say about conditions that no test set has labels for; a real night is
more than dark pixels.
"""

import functools

import cv2
import numpy as np

from rankpose_tf.core import tables
from rankpose_tf.data import pairs, prepared_folder
from rankpose_tf.evaluation import metrics
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.models.saving import load_model, read_description

_BATCH_SIZE = 64
# A camera's noise, of 0..255: what is left of it once the light is gone.
_NOISE = 4.0
_GREY = 128.0


def darkened(crops, light):
    """Crops with a share of their light, and a camera's noise on it.

    Args:
      crops: (B, S, S, 3) float32, 0..255.
      light: 0..1.

    Returns:
      The same shape, whole numbers within 0..255; the noise is the same in every call.
    """
    noise = np.random.default_rng(0).normal(0.0, _NOISE, crops.shape)
    return np.clip(np.rint(crops * light + noise), 0, 255).astype(np.float32)


def covered(crops, left, top, right, bottom):
    """Crops with a grey rectangle on them, its sides in shares of the crop's, 0..1."""
    result, side = crops.copy(), crops.shape[1]
    left, top, right, bottom = (round(edge * side) for edge in (left, top, right, bottom))
    result[:, top:bottom, left:right] = _GREY
    return result


def blurred(crops, sigma):
    """Crops under a Gaussian blur of `sigma`, a share of their side."""
    return np.stack([cv2.GaussianBlur(crop, (0, 0), sigma * len(crop)) for crop in crops])


def small(crops, pixels):
    """Crops as if the camera had seen them with `pixels` a side, then enlarged."""
    side = crops.shape[1:3]
    shrunk = [cv2.resize(crop, (pixels, pixels), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.stack([cv2.resize(crop, side, interpolation=cv2.INTER_LINEAR) for crop in shrunk])


# Title -> function of crops. The landmark box is the middle 1 / 1.4 of a crop: 0.14 to 0.86.
CONDITIONS = {
    "as they are": lambda crops: crops,
    "a quarter of the light, noise": functools.partial(darkened, light=1 / 4),
    "an eighth": functools.partial(darkened, light=1 / 8),
    "a sixteenth": functools.partial(darkened, light=1 / 16),
    "lower half of the face covered (mask)": functools.partial(
        covered, left=0.14, top=0.5, right=0.86, bottom=0.86
    ),
    "upper half of the face covered": functools.partial(
        covered, left=0.14, top=0.14, right=0.86, bottom=0.5
    ),
    "left half of the face covered": functools.partial(
        covered, left=0.14, top=0.14, right=0.5, bottom=0.86
    ),
    "blurred, sigma 3% of the crop": functools.partial(blurred, sigma=0.03),
    "blurred, sigma 6% of the crop": functools.partial(blurred, sigma=0.06),
    "32 pixels a crop": functools.partial(small, pixels=32),
    "16 pixels a crop": functools.partial(small, pixels=16),
}


def measure(model, data):
    """MAE of a model under each of `CONDITIONS`; angles over 99 degrees are left out.

    Args:
      model: workdir or .keras file.
      data: prepared folder.

    Returns:
      Dict: title -> dict of yaw, pitch, roll, mean, degrees.

    Raises:
      RankPoseError: for a model or data that can't be read.
    """
    description = prepared_folder.read_description(data)
    scale, size = (read_description(model)[key] for key in ("crop_scale", "input_size"))
    count = evaluation.count_pictures(data, description, filter_angles=True)
    network, _ = load_model(model)
    errors = {}
    for title, change in CONDITIONS.items():
        views = pairs.views(data, size, scale, _BATCH_SIZE)
        changed = ({**batch, "image": change(batch["image"].numpy())} for batch in views)
        angles = evaluation.predict(network, changed, data, count)
        errors[title] = metrics.summarise(angles["true"], angles["predicted"])["mae"]
    return errors


def table(errors):
    """Markdown of what `measure` gives."""
    columns = metrics.COLUMNS
    rows = [(title, *(f"{mae[name]:.2f}" for name in columns)) for title, mae in errors.items()]
    return tables.markdown(("crops", *columns), rows) + "\n"
