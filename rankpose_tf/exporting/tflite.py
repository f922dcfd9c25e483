"""TFLite (LiteRT) files for phones and other small devices, in four precisions.

Each file has two signatures over the same weights: `predict`, one picture, because delegates
refuse shapes that change; and `predict_batch`, any number. Both take `image`, uint8 RGB of the
tower's size, and give `yaw`, `pitch`, `roll`, float32 degrees, and `yaw_error` and so on where the
model tells its expected error. Builtin operators only.

    fp32           as Keras
    fp16           weights stored in 16 bits
    int8_dynamic   weights in 8 bits, activations as they come
    int8           weights and activations in 8 bits, calibrated on training views; the output
                   layer stays in float, because 8 bits of its features' length and of its angle's
                   cosine cost 7 degrees, and it takes no time

The outputs lie in the order yaw, pitch, roll in every file, for runtimes that count instead of
asking for names, the expected errors behind them; the converter itself sorts them otherwise.

TensorFlow and Keras are imported to convert, not to run a file.
"""

import math
import pathlib
import tempfile

import numpy as np

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import columns_of
from rankpose_tf.exporting import tflite_metadata

VARIANTS = ("fp32", "fp16", "int8_dynamic", "int8")
SIGNATURES = {"predict": 1, "predict_batch": None}
FEWEST_CALIBRATION_VIEWS = 200

# What the output layer is made of, and what cuts its rows, and nothing in the towers: these stay
# in float in `int8`.
_FLOAT_OPERATORS = (
    *("L2_NORMALIZATION", "FULLY_CONNECTED", "BATCH_MATMUL", "SUM", "SQUARE", "MAXIMUM", "RSQRT"),
    *("MUL", "SUB", "SQRT", "ATAN2", "NEG", "UNPACK", "STRIDED_SLICE", "LOGISTIC"),
)


def write(network, description, variant, path, calibration=None):
    """Converts a model and writes it, whole or not at all.

    Args:
      network: (B, H, W, 3) RGB 0..255 -> (B, 3) radians, or (B, 6) with expected errors.
      description: of `saving.load_model`; it goes into the file.
      variant: one of VARIANTS.
      path: where to, ending in .tflite.
      calibration: real training views, (N, S, S, 3) uint8 or an iterable of N such views,
        N >= 200; for int8 alone.

    Raises:
      RankPoseError: for another variant, too few or other views, or a file that is not what was
        asked for.
    """
    if variant not in VARIANTS:
        raise RankPoseError(f"variant: expected one of {', '.join(VARIANTS)}, received {variant!r}")
    size = description["input_size"]
    views = _checked_views(calibration, size) if variant == "int8" else None
    content = _converted(network, size, variant, views)
    _require_builtin_operators(content)
    labels = columns_of(network)
    content = tflite_metadata.finished(content, description, variant, labels)
    with files.replaced(path) as beside:
        beside.write_bytes(content)
        tflite_metadata.append(beside, description, variant, labels)


def _checked_views(calibration, size):
    """The views as an array, if there are enough of the model's size."""
    views = [] if calibration is None else [np.asarray(view) for view in calibration]
    if len(views) < FEWEST_CALIBRATION_VIEWS:
        raise RankPoseError(
            f"calibration: int8 needs at least {FEWEST_CALIBRATION_VIEWS} real training views, "
            f"received {len(views)}; pass a larger --calibration_data or --calibration_views"
        )
    for view in views:
        if view.shape != (size, size, 3) or view.dtype != np.uint8:
            raise RankPoseError(
                f"calibration: expected views of ({size}, {size}, 3) uint8, received "
                f"{view.shape} {view.dtype}; crop them as in evaluation"
            )
    return np.stack(views)


def _converted(network, size, variant, calibration):
    import keras
    import tensorflow as tf

    start, scale, offset, kind = network.input, 1.0, 0.0, tf.uint8
    rescaling = _rescaling(network) if variant == "int8" else None
    if rescaling is not None:
        start, scale, offset = rescaling.output, rescaling.scale, rescaling.offset
        kind = tf.float32
    with tempfile.TemporaryDirectory() as folder:
        # Through a SavedModel: from_concrete_functions writes a broken file for a Keras 3 model.
        archive = keras.export.ExportArchive()
        pose = _pose_function(network, start, variant)
        for name, batch in SIGNATURES.items():
            image = tf.TensorSpec((batch, size, size, 3), kind, name="image")
            archive.add_endpoint(name, pose, input_signature=[image])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(SIGNATURES)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if variant != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if variant == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if variant != "int8":
            return converter.convert()
        if rescaling is None:
            return _quantised(converter, calibration)
        calibration = calibration.copy()
        # Every shade counts, even where the views lack the darkest or brightest: the input's
        # quantisation comes from its range.
        calibration[0, 0, 0], calibration[0, 0, 1] = 0, 255
        return tflite_metadata.taking_bytes(_quantised(converter, calibration, scale, offset))


def _rescaling(network):
    """The layer that brings pixels to -1..1, if it is the first after the resizing.

    In full int8 it costs three operations and half a bit or more of the picture, while the
    quantisation of a uint8 input, (x - zero point) * scale, says the same for nothing. The
    offset is -127.5 steps, a zero point is whole: the picture is half a shade brighter or darker.
    """
    import keras

    from rankpose_tf.models import layers

    for layer in network.layers:
        if isinstance(layer, keras.layers.Rescaling) and np.ndim(layer.scale) == 0:
            before = layer.input._keras_history.operation
            if isinstance(before, layers.AntialiasedResize):
                return layer
    return None


def _quantised(converter, calibration, scale=None, offset=0.0):
    """Full int8 but for `_FLOAT_OPERATORS`; the debugger is how TFLite leaves operators out.

    Args:
      converter: of the SavedModel.
      calibration: (N, S, S, 3) uint8.
      scale: float pictures are fed, calibration * scale + offset; None feeds uint8.
      offset: see there.
    """
    import tensorflow as tf

    def views():
        for name in SIGNATURES:
            for view in calibration:
                if scale is not None:
                    view = view.astype(np.float32) * scale + offset
                yield name, {"image": view[np.newaxis]}

    converter.representative_dataset = views
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(_FLOAT_OPERATORS))
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=views, debug_options=options
    )
    return debugger.get_nondebug_quantized_model()


def _pose_function(network, start, variant):
    """What `start`, a tensor of the network, takes -> named degrees."""
    import keras
    import tensorflow as tf

    from rankpose_tf.models import expected_error
    from rankpose_tf.models.layers import any_batch

    head, names = network.get_layer("pose"), columns_of(network)
    tower = keras.Model(start, network.get_layer("features").output)

    @any_batch
    def pose(image):
        features = tower(tf.cast(image, tf.float32), training=False)
        radians = _float_head(head, features) if variant == "int8" else head(features)
        columns = tf.unstack(radians * (180.0 / math.pi), axis=1)
        if len(names) > len(columns):
            # Without this the converter moves the features' offset into the head, and what the pose
            # is made of is quantised twice: int8 was off by half as much again.
            kept = tf.maximum(features, -1e6)
            error = expected_error.of_features(network, kept)
            columns += tf.unstack(error * (180.0 / math.pi), axis=1)
        return dict(zip(names, columns, strict=True))

    return pose


def _float_head(head, features):
    """The output layer without an addition, which the towers have too and need in 8 bits.

    1 - x^2 for (1 - x)(1 + x) is less exact near +-90 degrees: 0.01 degrees at most.
    """
    import tensorflow as tf

    if head.transform != "arccos":
        return head(features)
    bounded = tf.clip_by_value(head.cosines(features), -1.0, 1.0)
    return -tf.atan2(bounded, tf.sqrt(1.0 - bounded * bounded))


def _require_builtin_operators(content):
    """A phone's runtime has the builtin operators; Flex ones need TensorFlow on the device."""
    builtin = tflite_metadata.builtin_operators()
    foreign = sorted(set(tflite_metadata.operators(content)) - builtin)
    if foreign:
        raise RankPoseError(
            f"formats: the TFLite file would need the operators {', '.join(foreign)}, which are "
            "not builtin; the model holds a layer that this version can't convert"
        )


def operators(path):
    """Names of a file's operators, graph after graph; custom and Flex ones by their own name.

    Args:
      path: of a .tflite file.
    """
    return tflite_metadata.operators(pathlib.Path(path).read_bytes())
