"""The Siamese model of RankPose (BMVC 2020), Figure 1: one tower, two views of one person.

The tower takes RGB pictures, 0..255, of any size and does its own preprocessing. ResNet50 is
the paper's; the compact one is in compact.py.
"""

import json
import pathlib
import zipfile

import keras

from rankpose_tf.compact import compact_features
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.layers import AntialiasedResize, CaffePreprocessing, NormalizedDense

TOWERS = ("resnet50", "compact")
FORMAT_VERSION = 1
_DESCRIPTION = "rankpose.json"


def build_tower(
    kind="resnet50",
    input_size=224,
    transform="arccos",
    weights="auto",
    *,
    separate_features=False,
    compact_width=1.0,
    compact_depth=0,
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
      compact_width, compact_depth: of the compact tower, see `compact.compact_features`.

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
        features = compact_features(scaled, compact_width, compact_depth)
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


def save_model(model, path, description):
    """Saves a single-image model with what its users must know, whole or not at all.

    Args:
      model: the tower.
      path: where to, ending in .keras.
      description: JSON-able dict: tower, input_size, transform, crop_scale and what else helps.
    """
    with files.replaced(path) as beside:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            content = {"format_version": FORMAT_VERSION, **description}
            archive.writestr(_DESCRIPTION, json.dumps(content, indent=2))


def read_description(path):
    """What `save_model` wrote beside the weights.

    Raises:
      RankPoseError: if the file is absent, no model of this package, or of another format.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.is_file():
        raise RankPoseError(
            f"model: no file {path.name!r} in {str(path.parent)!r}; expected a workdir of "
            "rankpose_tf.train or a .keras file"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read(_DESCRIPTION))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise RankPoseError(
            f"model: {str(path)!r} is not a model that rankpose_tf.train wrote, or it is damaged"
        ) from error
    if description.get("format_version") != FORMAT_VERSION:
        raise RankPoseError(
            f"model: {str(path)!r} has format {description.get('format_version')}, this version of "
            f"rankpose_tf reads format {FORMAT_VERSION}; use the version that wrote it "
            f"({description.get('rankpose_tf', 'unknown')}) or train again"
        )
    return description


def load_model(path):
    """Loads a trained single-image model.

    Args:
      path: a workdir of rankpose_tf.train (its best.keras is taken) or a .keras file.

    Returns:
      The model, (B, H, W, 3) RGB 0..255 -> (B, 3) radians, and its description, a dict.

    Raises:
      RankPoseError: if the file is absent, foreign, damaged or of another format.
    """
    path = pathlib.Path(path)
    description = read_description(path)
    path = path / "best.keras" if path.is_dir() else path
    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras reports damage by many types, from KeyError to OSError.
        raise RankPoseError(
            f"model: {str(path)!r} could not be read, the file is damaged or was written by "
            f"another Keras ({type(error).__name__}: {error})"
        ) from error
    _check_description(path, network, description)
    return network, description


def _check_description(path, network, description):
    """A description of another model would crop, resize or export this one wrongly."""
    layers = {layer.name: layer for layer in network.layers}
    if not {"pose", "resize"} <= layers.keys():
        raise RankPoseError(
            f"model: {str(path)!r} is no single-image model; pass the best.keras of a workdir"
        )
    for key, found in (
        ("transform", layers["pose"].transform),
        ("input_size", layers["resize"].size),
    ):
        if description.get(key) != found:
            raise RankPoseError(
                f"model: {str(path)!r} is described with {key} {description.get(key)!r}, its "
                f"network has {found!r}; description and network are of two models, pass the "
                "file as rankpose_tf.train wrote it"
            )
