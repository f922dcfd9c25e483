"""A SavedModel for TF Serving: encoded pictures in, degrees out.

Three signatures, all with a dynamic batch:

    serving_default   image_bytes (B,) string: JPEG or PNG of a face crop, any size
    image             image (B, H, W, 3) uint8 RGB: face crops, any size
    crop              image_bytes (B,) string: whole scenes; box (B, 4) float32: the face's
                      left, top, right, bottom in pixels of the stored picture, which is cropped
                      as in training

Each returns yaw, pitch, roll (B,) float32 in degrees and valid (B,) bool, and yaw_error,
pitch_error and roll_error, in degrees too, where the model tells its expected error. A row that
can't be predicted (no JPEG or PNG, damaged, over `decoding.MAX_PIXELS`, a box without extent,
outside the picture, or in shares of it) is NaN with valid false, and its neighbours in the batch
are answered. A JPEG's EXIF rotation is not applied.
"""

import functools
import math
import os
import pathlib

import cv2
import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core import extras, files
from rankpose_tf.core.expected_error import ANGLES, columns_of
from rankpose_tf.data import square_crops, synthetic
from rankpose_tf.exporting import decoding
from rankpose_tf.inference import runtimes
from rankpose_tf.models import folding

# What export/serving/batching.config allows; each is warmed up.
BATCH_SIZES = (1, 4, 16, 32)
# Of every model.
OUTPUTS = (*ANGLES, "valid")
WARM_UP = "assets.extra/tf_serving_warmup_requests"
_PICTURE_SIDE = 24


def write(network, description, folder):
    """Writes one version of the servable.

    Weights are stored once: endpoints alone hold them, nothing is tracked beside them.

    Args:
      network: (B, H, W, 3) RGB 0..255 -> (B, 3) radians, or (B, 6) with expected errors.
      description: of `saving.load_model`; input_size and crop_scale are used.
      folder: the version's folder; must not exist.

    Raises:
      RankPoseError: if the protos of TF Serving's warm-up are not installed.
    """
    requests = _warm_up_requests()
    network = folding.fold(network)
    archive = keras.export.ExportArchive()
    for name, function, specification in _endpoints(network, description):
        archive.add_endpoint(name, function, input_signature=specification)
    archive.write_out(str(folder), verbose=False)
    _write_warm_up(pathlib.Path(folder) / WARM_UP, requests)
    # Where the server looks for nothing else: what rankpose_tf.load has to know.
    files.write_json(pathlib.Path(folder) / runtimes.SAVEDMODEL_DESCRIPTION, description)


def _endpoints(network, description):
    """(name, function, input signature) of each signature."""
    size, scale = description["input_size"], description["crop_scale"]
    names = columns_of(network)
    # One function that all signatures call, so that the graph is stored once too.
    any_size = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    network = tf.function(functools.partial(network, training=False), input_signature=any_size)
    pictures = tf.TensorSpec((None,), tf.string, name="image_bytes")
    boxes = tf.TensorSpec((None, 4), tf.float32, name="box")
    arrays = tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")

    def serving_default(image_bytes):
        return _poses(names, network, *_readable_crops(image_bytes, None, 1.0, size))

    def image(image):
        valid = tf.ones(tf.shape(image)[:1], tf.bool)
        return _poses(names, network, tf.cast(image, tf.float32), valid)

    def crop(image_bytes, box):
        return _poses(names, network, *_readable_crops(image_bytes, box, scale, size))

    return [
        ("serving_default", serving_default, [pictures]),
        ("image", image, [arrays]),
        ("crop", crop, [pictures, boxes]),
    ]


def _poses(names, network, crops, valid):
    """Named outputs in degrees; NaN where a row is not valid."""
    degrees = network(crops) * (180.0 / math.pi)
    degrees = tf.where(valid[:, tf.newaxis], degrees, math.nan)
    return {**dict(zip(names, tf.unstack(degrees, axis=1), strict=True)), "valid": valid}


def _readable_crops(image_bytes, boxes, scale, size):
    """Crops of the pictures that can be read.

    A graph has no exceptions: a decoder that fails would fail the call, and with it every
    picture that the server has batched. A data set can leave out the elements that fail, and
    decodes the others in parallel.

    Args:
      image_bytes: (B,) string.
      boxes: (B, 4) pixels; None takes whole pictures.
      scale: side of the square over the box's longer side.
      size: side of the crops, pixels.

    Returns:
      (B, size, size, 3) float32, black where a picture can't be read; and (B,) bool.
    """
    count = tf.size(image_bytes, out_type=tf.int64)

    def crop(index):
        picture = decoding.decode(image_bytes[index])
        if boxes is None:
            sides = tf.shape(picture)[1::-1]
            box = tf.cast(tf.concat([tf.zeros_like(sides), sides], axis=0), tf.float32)
        else:
            box = _checked(boxes[index], picture)
        return index, square_crops.crop_and_resize(
            picture, square_crops.square_around(box, scale), size
        )

    readable = tf.data.Dataset.range(count).map(crop, num_parallel_calls=tf.data.AUTOTUNE)
    # One row more, so that there is something to stack where no picture can be read.
    last = tf.data.Dataset.from_tensors((count, tf.zeros((size, size, 3))))
    rows = readable.ignore_errors().concatenate(last).batch(count + 1)
    indices, crops = rows.with_options(_without_tuning()).get_single_element()
    crops = tf.scatter_nd(indices[:, tf.newaxis], crops, (count + 1, size, size, 3))[:-1]
    valid = tf.scatter_nd(indices[:, tf.newaxis], tf.ones_like(indices), (count + 1,))[:-1]
    return tf.ensure_shape(crops, (None, size, size, 3)), valid > 0


def _without_tuning():
    """Options of a data set that lives for one call: tuning it took longer than using it."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _checked(box, picture):
    """The box (4,); an error where it is not finite, or no part of it is in the picture, in pixels.

    The same boxes are refused by `PoseEstimator`.
    """
    sides = tf.cast(tf.shape(picture)[1::-1], tf.float32)
    fits = tf.reduce_all(tf.math.is_finite(box)) & tf.reduce_all(box[2:] > box[:2])
    fits &= tf.reduce_all(box[:2] < sides) & tf.reduce_all(box[2:] > 0.0)
    # In shares of the picture.
    fits &= ~tf.reduce_all((box >= 0.0) & (box <= 1.0))
    with tf.control_dependencies([tf.debugging.Assert(fits, [box])]):
        return tf.identity(box)


def _warm_up_requests():
    """PredictionLogs, serialised: every signature at every batch size.

    The first call of a signature at a batch size costs a second or more; the server makes these
    calls before it says that it is ready.
    """
    module = "tensorflow_serving.apis.prediction_log_pb2"
    prediction_log_pb2 = extras.load(module, "serving", "formats")
    picture, box = synthetic.render(0, (0.0, 0.0, 0.0), _PICTURE_SIDE)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    # The others are as small as can be: what is warmed up is the graph at a batch size.
    png = cv2.imencode(".png", np.zeros_like(picture))[1].tobytes()
    logs = []
    for count in BATCH_SIZES:
        contents = [jpeg] + [png] * (count - 1)
        for signature, inputs in (
            ("serving_default", {"image_bytes": contents}),
            ("image", {"image": np.stack([picture[::4, ::4]] * count)}),
            ("crop", {"image_bytes": contents, "box": np.stack([box] * count)}),
        ):
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.model_spec.name = "rankpose"
            log.predict_log.request.model_spec.signature_name = signature
            for name, value in inputs.items():
                log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            logs.append(log.SerializeToString())
    return logs


def _write_warm_up(path, requests):
    os.makedirs(path.parent)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(request)
