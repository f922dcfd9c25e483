"""Maps that a tower makes of faces: after each of its stages, and how much those of the first vary.

RankPose (BMVC 2020), section 3.3: Figure 2 shows activation maps scaled to [0, 1], Figure 3 the
distribution of the variance of the first residual block's maps,

    variance = sum_i (pix_i - mean)^2 / n,    i over the n pixels of a map.

B is the batch; h, w, C are height, width and channels of a stage's maps.
"""

import json
import pathlib
import re
import zipfile

import keras
import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models.saving import load_model
from rankpose_tf.models.towers import single_image_model

_STAGE_END = re.compile(r"(?:conv|stage)(\d+)_block(\d+)_out")
# A map that varies less is constant: what float32 leaves of the variance of equal numbers is below.
CONSTANT = 1e-6
CHANNEL_EDGES = np.logspace(-6, 3, 181)
# Pixels between 0 and 1 have a variance of 1/4 at most.
MEAN_MAP_EDGES = np.linspace(0.0, 0.25, 101)


def load(path):
    """Loads the tower of a trained model, or of a checkpoint of a training that goes on.

    Args:
      path: a workdir of rankpose_tf.train (its best.keras is taken), or a .keras file of either
        kind; a checkpoint's weights are those of the step, never averaged ones.

    Returns:
      The tower, (B, H, W, 3) RGB 0..255 -> (B, 3) radians, and a dict: input_size, and of a
      finished model what `saving.load_model` tells, crop_scale among it.

    Raises:
      RankPoseError: if the file is absent, foreign or damaged.
    """
    path = pathlib.Path(path)
    if not _is_checkpoint(path):
        return load_model(path)
    try:
        tower = single_image_model(keras.models.load_model(path, compile=False))
    except Exception as error:  # Keras reports damage by many types, from KeyError to OSError.
        raise RankPoseError(
            f"model: the checkpoint {str(path)!r} could not be read, it is damaged or was written "
            f"by another Keras ({type(error).__name__}: {error})"
        ) from error
    return tower, {"input_size": tower.get_layer("resize").size}


def _is_checkpoint(path):
    """Whether a file holds the Siamese model, which `load_model` does not take."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))["config"]["name"] == "siamese"
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError):
        return False


def stage_layers(tower):
    """Names of the layers that end the tower's stages, the first stage first.

    Args:
      tower: from `towers.build_tower`.

    Returns:
      List: conv2_block3_out to conv5_block3_out of resnet50, stage1_block1_out and so on of the
      compact tower.

    Raises:
      RankPoseError: for a network without such layers.
    """
    blocks = {}
    for layer in _backbone(tower).layers:
        if match := _STAGE_END.fullmatch(layer.name):
            stage, block = map(int, match.groups())
            blocks.setdefault(stage, {})[block] = layer.name
    if not blocks:
        raise RankPoseError(
            "model: the tower has no stages that are known here; expected a resnet50 or a compact "
            "tower, as rankpose_tf.train makes them"
        )
    return [blocks[stage][max(blocks[stage])] for stage in sorted(blocks)]


def _backbone(tower):
    """The model that the stages' layers are in: ResNet50 is one layer of its tower."""
    nested = [layer for layer in tower.layers if layer.name == "resnet50"]
    return nested[0] if nested else tower


def _stage_outputs(tower, names):
    """Symbolic maps (B, h, w, C), float32, of layers of `stage_layers`, as a function of input."""
    backbone = _backbone(tower)
    maps = [backbone.get_layer(name).output for name in names]
    if backbone is not tower:
        maps = keras.Model(backbone.input, maps)(tower.get_layer("caffe").output)
    maps = maps if isinstance(maps, list) else [maps]
    return [keras.ops.cast(of_stage, "float32") for of_stage in maps]


def mean_maps_model(tower):
    """A model of the maps after every stage, each the mean over its channels.

    Returns:
      Model: (B, H, W, 3) RGB 0..255 -> list of (B, h, w), in the order of `stage_layers`.
    """
    outputs = _stage_outputs(tower, stage_layers(tower))
    return keras.Model(tower.input, [keras.ops.mean(maps, axis=-1) for maps in outputs])


def normalised(maps):
    """Scales each map to [0, 1] by its own least and greatest value.

    Args:
      maps: (B, h, w).

    Returns:
      (B, h, w); a map without any difference is 0 everywhere.
    """
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    return (maps - low) / np.where(span > 0, span, 1)


def first_stage_model(tower):
    """A model of what `variances` counts; full maps never leave it.

    Returns:
      Model: (B, H, W, 3) RGB 0..255 -> (B, C), the variance over the pixels of each channel's
      map, and (B, h, w), the mean over channels.
    """
    (maps,) = _stage_outputs(tower, stage_layers(tower)[:1])
    return keras.Model(
        tower.input, [keras.ops.var(maps, axis=(1, 2)), keras.ops.mean(maps, axis=-1)]
    )


def variances(model, batches):
    """Distributions of the variance of the first stage's maps, in constant memory.

    Args:
      model: from `first_stage_model`.
      batches: iterable of (B, H, W, 3) RGB 0..255.

    Returns:
      Dict: channels, of every channel's map as it is, over `CHANNEL_EDGES`; mean_map, of the mean
      over channels scaled to [0, 1], over `MEAN_MAP_EDGES`. Each a dict as from `histogram`.
    """
    channels, mean_map = histogram(CHANNEL_EDGES), histogram(MEAN_MAP_EDGES)
    for images in batches:
        of_channels, means = model.predict_on_batch(images)
        add(channels, CHANNEL_EDGES, of_channels)
        add(mean_map, MEAN_MAP_EDGES, normalised(means).var(axis=(1, 2)))
    return {"channels": channels, "mean_map": mean_map}


def histogram(edges):
    """An empty distribution: counts by bin, number of maps, of constant ones, sum of the values."""
    return {"counts": np.zeros(len(edges) - 1, np.int64), "maps": 0, "constant": 0, "sum": 0.0}


def add(distribution, edges, values):
    """Counts values in place; constant maps apart, those beyond the bins in the outermost.

    Args:
      distribution: from `histogram`.
      edges: (K + 1,) of its bins.
      values: variances of any shape.
    """
    values = np.asarray(values, np.float64).ravel()
    varied = values[values > CONSTANT]
    distribution["counts"] += np.histogram(np.clip(varied, edges[0], edges[-1]), edges)[0]
    distribution["maps"] += len(values)
    distribution["constant"] += len(values) - len(varied)
    distribution["sum"] += float(values.sum())


def median(distribution, edges):
    """Median of the maps that are not constant, to a bin's width; None where there is none."""
    below = np.concatenate([[0], np.cumsum(distribution["counts"])])
    if not below[-1]:
        return None
    return float(np.interp(below[-1] / 2, below, edges))
