"""Pictures a second of the input pipeline, against decoding alone and a loader with OpenCV."""

import pathlib
import statistics
import time

import cv2
import numpy as np
import tensorflow as tf

from rankpose_tf.core import flagfiles, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import identity_split, pairs, prepared_folder, records, synthetic
from rankpose_tf.studies import machine, opencv_loader
from rankpose_tf.training import flags_cfg

# Name -> flagfile, and the side of the pictures that are made up for it, pixels.
SETTINGS = {
    "paper, 224 px": ("flags/paper.cfg", 450),
    "compact, 80 px": ("flags/compact.cfg", 120),
}
LOADERS = ("pipeline", "decode", "opencv")
_BATCH = 32
_PICTURES = 200
_ROUNDS = 5


def measure(data=None, seconds=4.0):
    """Rates of all settings.

    Args:
      data: list of prepared folders, the first for the first setting and so on; None makes up
        pictures with a head in each, with the grain of a camera.
      seconds: length of each measurement; the three loaders take turns, five times.

    Returns:
      JSON-able dict: machine, and of each setting pipeline, decode and opencv (median, least and
      most pictures a second), ratio_to_decode and ratio_to_opencv, median to median.

    Raises:
      RankPoseError: for another number of folders than settings.
    """
    if data and len(data) != len(SETTINGS):
        raise RankPoseError(
            f"data: expected {len(SETTINGS)} prepared folders, for {'; '.join(SETTINGS)}, "
            f"received {len(data)}"
        )
    rows = {}
    for index, (name, (_, side)) in enumerate(SETTINGS.items()):
        recipe = recipe_of(name)
        serialized = _of_folder(data[index]) if data else _made_up(side)
        rows[name] = _rates(serialized, recipe, seconds)
    return {"machine": machine.describe(), "settings": rows}


def recipe_of(setting):
    """The recipe of one of `SETTINGS`."""
    text = pathlib.Path(flagfiles.find(SETTINGS[setting][0])).read_text(encoding="utf-8")
    return flags_cfg.from_flagfile(text)


def _of_folder(folder):
    views = min(prepared_folder.read_description(folder).get("minimum_views", 2), 2)
    everything = tf.data.TFRecordDataset(prepared_folder.list_shards(folder))
    return list(identity_split.of_side(everything, -1, False, True, views).as_numpy_iterator())


def _made_up(side):
    """Records of two views each."""
    generator, rows = np.random.default_rng(0), []
    for index in range(_PICTURES // 2):
        views = []
        for number in range(2):
            pose = np.float32([0.5 - 0.01 * index, 0.1 * number, 0.05])
            picture, box = synthetic.render(index, pose, side)
            noisy = np.clip(picture + generator.normal(0.0, 4.0, picture.shape), 0, 255)
            content = tf.io.encode_jpeg(noisy.astype(np.uint8), quality=90).numpy()
            views.append(records.View(f"{number}.jpg", content, pose, np.float32(box)))
        rows.append(records.encode_identity(records.Identity(str(index), str(index), tuple(views))))
    return rows


def _rates(serialized, recipe, seconds):
    """Takes turns, so that what else the machine does is the same for all."""
    # As training has it; the loader with OpenCV is faster so, too.
    cv2.setNumThreads(1)
    made = {
        "pipeline": lambda: _pipeline(serialized, recipe),
        "decode": lambda: _decoding(serialized),
        "opencv": lambda: opencv_loader.batches(
            serialized, recipe.input_size, _BATCH, recipe.crop_scale, recipe.augmentation
        ),
    }
    rates = {name: [] for name in LOADERS}
    for _ in range(_ROUNDS):
        for name in LOADERS:
            rates[name].append(_rate(made[name](), seconds))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    spread = {
        name: {"median": middle[name], "least": min(values), "most": max(values)}
        for name, values in rates.items()
    }
    return {
        **spread,
        "ratio_to_decode": middle["pipeline"] / middle["decode"],
        "ratio_to_opencv": middle["pipeline"] / middle["opencv"],
    }


def _pipeline(serialized, recipe):
    both = min(len(records.read_views(record)[0]) for record in serialized) > 1
    return iter(
        pairs.training_pairs(
            "",
            chosen=serialized,
            round_length=len(serialized),
            input_size=recipe.input_size,
            batch_size=_BATCH,
            pairs="identity" if both else "any",
            crop_scale=recipe.crop_scale,
            augmentation=recipe.augmentation,
        )
    )


def _decoding(serialized):
    """The pipeline's JPEGs, decoded whole and in its threads, and nothing else."""
    images = [image for record in serialized for image in list(records.read_views(record)[0])[:2]]
    options = tf.data.Options()
    options.deterministic = True

    @identity_split.as_written
    def size(image):
        return tf.shape(tf.io.decode_jpeg(image, channels=3))

    decoded = tf.data.Dataset.from_tensor_slices(images).repeat()
    decoded = decoded.map(size, num_parallel_calls=tf.data.AUTOTUNE).batch(2 * _BATCH)
    return iter(decoded.with_options(options).prefetch(tf.data.AUTOTUNE))


def _rate(batches, seconds):
    """Pictures a second, once the buffers are full."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < 0.25 * seconds:
        next(batches)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(batches)
        count += 2 * _BATCH
    return count / (time.perf_counter() - start)


def table(figures):
    """The figures as text for a terminal."""
    header = ("pictures a second", *LOADERS, "to decode", "to OpenCV")
    rows = [
        (
            name,
            *(_with_spread(row[loader]) for loader in LOADERS),
            f"{row['ratio_to_decode']:.2f}",
            f"{row['ratio_to_opencv']:.2f}",
        )
        for name, row in figures["settings"].items()
    ]
    return f"{machine.line(figures['machine'])}\n\n{tables.aligned(header, rows)}"


def _with_spread(rates):
    return f"{rates['median']:.0f} ({rates['least']:.0f} to {rates['most']:.0f})"
