"""Exported files beside the model they came from: how far apart, and how good each is."""

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, prepared_folder, shards, synthetic
from rankpose_tf.evaluation import metrics
from rankpose_tf.evaluation import run as evaluation

_BATCH_SIZE = 64


def some_views(folder, description, count):
    """The first views of a prepared folder, cropped as in evaluation.

    Shards hold identities in the order of a hash, so the first are a fair sample.

    Args:
      folder: prepared folder.
      description: of the model; input_size and crop_scale are used.
      count: how many.

    Returns:
      (count, S, S, 3) uint8 RGB; fewer where the folder holds fewer.

    Raises:
      RankPoseError: if the folder is none of `prepare`.
    """
    prepared_folder.read_description(folder)
    first = _views(folder, description).take(-(-count // _BATCH_SIZE))
    batches = [as_bytes(batch["image"].numpy()) for batch in shards.readable(first, folder)]
    if not batches:
        raise RankPoseError(f"data: {str(folder)!r} holds no view within the limit of angles")
    return np.concatenate(batches)[:count]


def rendered_views(size, count):
    """(count, size, size, 3) uint8 of rendered heads, where no real views are given."""
    generator = np.random.default_rng(0)
    poses = generator.uniform(-0.7, 0.7, (count, 3))
    return np.stack([synthetic.render(index, pose, size)[0] for index, pose in enumerate(poses)])


def as_bytes(images):
    """Crops of 0..255 as uint8, which is what a camera and every exported file work with."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def in_degrees(network):
    """The Keras model as a function (N, S, S, 3) uint8 -> (N, 3) or (N, 6) degrees, like a file."""

    def predict(pictures):
        radians = [
            network.predict_on_batch(pictures[start : start + _BATCH_SIZE].astype(np.float32))
            for start in range(0, len(pictures), _BATCH_SIZE)
        ]
        return np.degrees(np.concatenate(radians))

    return predict


def differences(network, predictors, views):
    """How far each file is from Keras on the same pictures.

    Args:
      network: (B, S, S, 3) RGB 0..255 -> (B, 3) radians, or (B, 6) with expected errors.
      predictors: dict of name -> function (N, S, S, 3) uint8 -> (N, 3) or (N, 6) degrees.
      views: (N, S, S, 3) uint8.

    Returns:
      Dict of name -> {max_difference_degrees, mean_difference_degrees} of the poses, and
      max_error_difference_degrees of the expected errors, if there are any.

    Raises:
      RankPoseError: if a file's answers are not finite: it is broken, and is not published.
    """
    expected = in_degrees(network)(views)
    rows = {}
    for name, predict in predictors.items():
        gap = np.abs(predict(views) - expected)
        if not np.isfinite(gap).all():
            raise RankPoseError(
                f"formats: {name} answers with numbers that are not finite; its conversion is "
                "broken with these versions of its packages, leave it away with --formats"
            )
        rows[name] = {
            "max_difference_degrees": float(gap[:, :3].max()),
            "mean_difference_degrees": float(gap[:, :3].mean()),
        }
        if gap.shape[1] > 3:
            rows[name]["max_error_difference_degrees"] = float(gap[:, 3:].max())
    return rows


def errors_on(network, predictors, folder, description):
    """MAE of the model and of every file on a prepared test set, in one pass.

    Keras predicts on the crops as in `rankpose_tf.evaluate`, so that its figure is the one
    published; the files on the same crops as bytes.

    Returns:
      The protocol's name, number of pictures, and dict of name -> {yaw, pitch, roll, mean}
      degrees, "keras" being the model.

    Raises:
      RankPoseError: if the folder is none of `prepare` or holds no picture to test on.
    """
    dataset = prepared_folder.read_description(folder)
    evaluation.count_pictures(folder, dataset, True)
    true, predicted = [], {name: [] for name in ("keras", *predictors)}
    for batch in shards.readable(_views(folder, description), folder):
        crops = batch["image"].numpy()
        true.append(np.degrees(batch["pose"].numpy()))
        predicted["keras"].append(np.degrees(network.predict_on_batch(crops)))
        for name, predict in predictors.items():
            predicted[name].append(predict(as_bytes(crops)))
    true = np.concatenate(true)
    errors = {
        name: metrics.summarise(true, np.concatenate(angles)[:, :3])["mae"]
        for name, angles in predicted.items()
    }
    boxes, scale = dataset["box_source"], description["crop_scale"]
    protocol = evaluation.protocol_name(dataset["protocol_set"], boxes, scale, True)
    return protocol, len(true), errors


def _views(folder, description):
    return pairs.views(folder, description["input_size"], description["crop_scale"], _BATCH_SIZE)
