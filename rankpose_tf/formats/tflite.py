"""TFLite (LiteRT) files for phones and other small devices, in four precisions.

Each file has two signatures over the same weights: `predict`, one picture, because delegates
refuse shapes that change; and `predict_batch`, any number. Both take `image`, uint8 RGB of the
tower's size, and give `yaw`, `pitch`, `roll`, float32 degrees. Builtin operators only.

    fp32           as Keras
    fp16           weights stored in 16 bits
    int8_dynamic   weights in 8 bits, activations as they come
    int8           weights and activations in 8 bits, calibrated on training views; the output
                   layer stays in float, because 8 bits of its features' length and of its angle's
                   cosine cost 7 degrees, and it takes no time
"""

import math
import tempfile

import keras
import numpy as np

from rankpose_tf import files, layers
from rankpose_tf.errors import RankPoseError
from rankpose_tf.formats import tflite_metadata

VARIANTS = ("fp32", "fp16", "int8_dynamic", "int8")
SIGNATURES = {"predict": 1, "predict_batch": None}
FEWEST_CALIBRATION_VIEWS = 200

# What the output layer is made of, and nothing in the towers: these stay in float in `int8`.
_FLOAT_OPERATORS = (
    *("L2_NORMALIZATION", "FULLY_CONNECTED", "BATCH_MATMUL", "SUM", "SQUARE", "MAXIMUM", "RSQRT"),
    *("MUL", "SUB", "SQRT", "ATAN2", "NEG", "UNPACK"),
)


def write(network, description, variant, path, calibration=None):
    """Converts a model and writes it, whole or not at all.

    Args:
      network: (B, H, W, 3) RGB 0..255 -> (B, 3) radians.
      description: of `model.load_model`; it goes into the file.
      variant: one of VARIANTS.
      path: where to, ending in .tflite.
      calibration: (N, S, S, 3) uint8 training views, N >= 200; for int8 alone.

    Raises:
      RankPoseError: for another variant, too few views, or a file that is not what was asked for.
    """
    if variant not in VARIANTS:
        raise RankPoseError(f"variant: expected one of {', '.join(VARIANTS)}, received {variant!r}")
    count = 0 if calibration is None else len(calibration)
    if variant == "int8" and count < FEWEST_CALIBRATION_VIEWS:
        raise RankPoseError(
            f"calibration: int8 needs at least {FEWEST_CALIBRATION_VIEWS} real training views, "
            f"received {count}; pass a larger --calibration_data or --calibration_views"
        )
    content = _converted(network, description["input_size"], variant, calibration)
    _require_builtin_operators(content)
    with files.replaced(path) as beside:
        beside.write_bytes(content)
        tflite_metadata.append(beside, description, variant)


def _converted(network, size, variant, calibration):
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        # Through a SavedModel: from_concrete_functions writes a broken file for a Keras 3 model.
        archive = keras.export.ExportArchive()
        pose = _pose_function(network, variant)
        for name, batch in SIGNATURES.items():
            image = tf.TensorSpec((batch, size, size, 3), tf.uint8, name="image")
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
        if variant == "int8":
            return _quantised(converter, calibration)
        return converter.convert()


def _quantised(converter, calibration):
    """Full int8 but for `_FLOAT_OPERATORS`; the debugger is how TFLite leaves operators out."""
    import tensorflow as tf

    def views():
        for name in SIGNATURES:
            for view in calibration:
                yield name, {"image": view[np.newaxis]}

    converter.representative_dataset = views
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(_FLOAT_OPERATORS))
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=views, debug_options=options
    )
    return debugger.get_nondebug_quantized_model()


def _pose_function(network, variant):
    """uint8 pictures -> named degrees."""
    import tensorflow as tf

    head = network.get_layer("pose")
    features = keras.Model(network.input, network.get_layer("features").output)

    def pose(image):
        found = features(tf.cast(image, tf.float32), training=False)
        radians = _float_head(head, found) if variant == "int8" else head(found)
        yaw, pitch, roll = tf.unstack(radians * (180.0 / math.pi), axis=1)
        return {"yaw": yaw, "pitch": pitch, "roll": roll}

    return pose


def _float_head(head, features):
    """The output layer without an addition, which the towers have too and need in 8 bits.

    1 - x^2 for (1 - x)(1 + x) is less exact near +-90 degrees: 0.01 degrees at most.
    """
    import tensorflow as tf

    if head.transform != "arccos":
        return head(features)
    cosine = tf.matmul(
        layers.unit_length(features, axis=-1), layers.unit_length(head.kernel, axis=0)
    )
    bounded = tf.clip_by_value(cosine, -1.0, 1.0)
    return -tf.atan2(bounded, tf.sqrt(1.0 - bounded * bounded))


def _require_builtin_operators(content):
    """A phone's runtime has the builtin operators; Flex ones need TensorFlow on the device."""
    foreign = sorted({name for name in tflite_metadata.operators(content) if not name.isupper()})
    if foreign:
        raise RankPoseError(
            f"formats: the TFLite file would need the operators {', '.join(foreign)}, which are "
            "not builtin; the model holds a layer that this version can't convert"
        )


def predictor(path, threads=None):
    """What the signature `predict` says, as a function.

    Args:
      path: of a .tflite file.
      threads: of the interpreter; None is its own choice.

    Returns:
      Function (N, S, S, 3) uint8 RGB -> (N, 3) degrees; yaw, pitch, roll; one by one.

    Raises:
      RankPoseError: if ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise RankPoseError(
            "formats: running a .tflite file needs the package ai-edge-litert; "
            'pip install "rankpose_tf[ondevice]"'
        ) from error
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    runner = interpreter.get_signature_runner("predict")

    def predict(pictures):
        found = [runner(image=picture[np.newaxis]) for picture in pictures]
        angles = [[one[name][0] for name in ("yaw", "pitch", "roll")] for one in found]
        return np.array(angles, np.float32)

    return predict
