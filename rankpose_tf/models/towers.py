"""The Siamese model of RankPose (BMVC 2020), Figure 1: one tower, two views of one person.

The tower takes RGB pictures, 0..255, of any size and does its own preprocessing. ResNet50 is
the paper's; the compact one is in compact.py.
"""

import pathlib

import keras

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models.compact import compact_features
from rankpose_tf.models.layers import AntialiasedResize, CaffePreprocessing, NormalizedDense

TOWERS = ("resnet50", "compact")


def build_tower(
    kind="resnet50",
    input_size=224,
    transform="arccos",
    weights="auto",
    *,
    separate_features=False,
    compact_width=1.0,
):
    """One picture -> yaw, pitch, roll.

    Args:
      kind: "resnet50" or "compact".
      input_size: side that pictures are resized to inside the model, pixels.
      transform: output space, see `NormalizedDense`.
      weights: "imagenet" (Keras fetches the file once, into its cache), "none", or the path of a
        weights file in Keras' H5 format; the compact tower takes "none". "auto" is imagenet for
        resnet50 and none for compact.
      separate_features: each angle has a third of the features, see `NormalizedDense`.
      compact_width: of the compact tower, see `compact.compact_features`.

    Returns:
      Functional model "tower": (B, H, W, 3) RGB, 0..255 -> (B, 3) radians. The layer "features"
      holds what the output layer sees, (B, D).

    Raises:
      RankPoseError: for an unknown kind, a size too small, or weights that can't be had.
    """
    if kind not in TOWERS:
        raise RankPoseError(f"tower: expected one of {', '.join(TOWERS)}, received {kind!r}")
    if input_size < 32:
        raise RankPoseError(f"input_size: expected at least 32 pixels, received {input_size}")
    if weights == "auto":
        weights = "imagenet" if kind == "resnet50" else "none"
    pictures = keras.Input((None, None, 3), name="image")
    resized = AntialiasedResize(input_size, name="resize")(pictures)
    if kind == "resnet50":
        features = _resnet50_features(resized, input_size, weights)
    else:
        if weights != "none":
            raise RankPoseError(
                f"tower_weights: the compact tower starts from none, received {weights!r}; "
                "pass --tower_weights=none"
            )
        scaled = keras.layers.Rescaling(1 / 127.5, -1.0)(resized)
        features = compact_features(scaled, compact_width)
    features = keras.layers.Activation("linear", name="features")(features)
    pose = NormalizedDense(3, transform, separate_features, name="pose")(features)
    return keras.Model(pictures, pose, name="tower")


def _resnet50_features(images, input_size, weights):
    """Global average of ResNet50's last stage, (B, 2048)."""
    source = None if weights == "none" else weights
    if source not in (None, "imagenet") and not pathlib.Path(source).is_file():
        raise RankPoseError(f"tower_weights: no file {source!r}; expected imagenet, none or a path")
    try:
        backbone = keras.applications.ResNet50(
            include_top=False,
            weights=source,
            input_shape=(input_size, input_size, 3),
            pooling="avg",
            name="resnet50",
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails.
        if source is None:
            raise
        raise RankPoseError(
            f"tower_weights: ResNet50's weights {source!r} could not be loaded ({error}); pass "
            "--tower_weights=FILE with resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 "
            "fetched on another machine, or --tower_weights=none to start from random weights"
        ) from error
    return backbone(CaffePreprocessing(name="caffe")(images))


def build_siamese(tower, input_size):
    """Two views of one person through one tower.

    The tower is called twice, once a view, with the same weights. Each call is a batch of its own
    to BatchNormalization: a view is normalised by the statistics of the B pictures beside it in
    its slot, not of all 2B, and the moving statistics are updated twice a step. The two slots are
    drawn alike, so both calls estimate the same statistics.

    Args:
      tower: (B, H, W, 3) -> (B, 3), from `build_tower`.
      input_size: side of the training crops, pixels.

    Returns:
      Functional model: two inputs (B, input_size, input_size, 3) -> (B, 2, 3) radians.
    """
    views = [keras.Input((input_size, input_size, 3), name=f"view_{i}") for i in (1, 2)]
    poses = keras.ops.stack([tower(view) for view in views], axis=1)
    return keras.Model(views, poses, name="siamese")


def single_image_model(siamese):
    """The tower of a Siamese model: the same layers and variables, nothing copied."""
    return siamese.get_layer("tower")


def normalizations(model):
    """Yields every BatchNormalization of a model, those of models within it too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer
