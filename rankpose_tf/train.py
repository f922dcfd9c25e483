"""Trains RankPose. The defaults are the recipe of the paper (BMVC 2020, section 4.1).

    python -m rankpose_tf.train --data=PREPARED --workdir=RUN
    python -m rankpose_tf.train --flagfile=flags/smoke.cfg
"""

import pathlib

from absl import flags, logging

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records, two_faces
from rankpose_tf.models import layers, towers
from rankpose_tf.preparation.prepare import prepare
from rankpose_tf.training import loop, losses
from rankpose_tf.training.workdir import claim_workdir

_DATA = flags.DEFINE_string(
    "data", "", "Folder made by rankpose_tf.prepare, or 'synthetic' for rendered heads."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "Folder of this run; the same command goes on with a stopped run."
)

# Everything below decides what is trained, and is recorded in the workdir.
_RECIPE = [
    flags.DEFINE_enum("tower", "resnet50", towers.TOWERS, "Network that both views share."),
    flags.DEFINE_string(
        "tower_weights",
        "auto",
        "Start of the tower: imagenet, none, or a Keras H5 file; auto is imagenet for resnet50.",
    ),
    flags.DEFINE_integer("input_size", 224, "Side of the tower's input, pixels.", lower_bound=32),
    flags.DEFINE_enum("transform", "arccos", layers.TRANSFORMS, "Output space, eq. (1)-(3)."),
    flags.DEFINE_boolean(
        "separate_features", False, "Each angle has a third of the features to itself."
    ),
    flags.DEFINE_float("compact_width", 1.0, "Compact tower: multiplies its channels.", 0.01),
    flags.DEFINE_float(
        "beta", 0.5, "Weight of MSE against ranking, eq. (7); 1 is MSE alone.", 0.0, 1.0
    ),
    flags.DEFINE_enum("loss_unit", "radians", list(losses.LOSS_UNITS), "Unit inside the loss."),
    flags.DEFINE_enum(
        "regression", "squared", losses.REGRESSIONS, "Cost of an error; huber: linear beyond 10."
    ),
    flags.DEFINE_float("learning_rate", 1e-3, "Adam's first; one cosine decay to 0.", 0.0),
    flags.DEFINE_float(
        "ema_decay", 0.0, "Keep the running average of the weights, such as 0.999.", 0.0, 0.999999
    ),
    flags.DEFINE_integer("batch_size", 128, "Pairs a step.", lower_bound=1),
    flags.DEFINE_integer("epochs", 80, "Epochs.", lower_bound=1),
    flags.DEFINE_integer("pairs_per_identity", 5, "Pairs of each identity an epoch.", 1),
    flags.DEFINE_integer("steps_per_epoch", 0, "Steps an epoch; 0 follows the data.", 0),
    flags.DEFINE_enum(
        "pairs", "identity", two_faces.PAIRS, "Two views of one identity, or two faces."
    ),
    flags.DEFINE_integer("photo_epochs", 0, "Last epochs on photos alone, without ranking.", 0),
    flags.DEFINE_float(
        "first_view_probability", 0.0, "Pairs made to have the identity's photo, STEM_0.", 0.0, 1.0
    ),
    flags.DEFINE_integer("training_identities", 0, "How many to train on; 0 is all.", 0),
    flags.DEFINE_integer(
        "validation_identities", 200, "Identities held out, to choose the best epoch by.", 0
    ),
    flags.DEFINE_boolean("filter_angles", True, "Leave out views with an angle over 99 degrees."),
    flags.DEFINE_integer("seed", 0, "Of weights, data order and augmentation."),
    flags.DEFINE_enum(
        "mixed_precision", "none", list(loop.MIXED_PRECISION), "Type the tower computes in."
    ),
    flags.DEFINE_boolean("jit_compile", False, "Compile the training step with XLA."),
    flags.DEFINE_integer(
        "synthetic_identities", 600, "Heads to render where --data=synthetic.", lower_bound=2
    ),
    flags.DEFINE_float(
        "crop_scale", 1.4, "Side of the square crop over the box's longer side.", 0.1
    ),
]

_AUGMENTATION = [
    flags.DEFINE_float("crop_scale_min", 0.0, "Smallest in training; 0 is crop_scale.", 0.0),
    flags.DEFINE_float("crop_scale_max", 1.6, "Largest crop scale in training.", 0.1),
    flags.DEFINE_float("scale_probability", 1.0, "Random scale, once a pair.", 0.0, 1.0),
    flags.DEFINE_float("crop_probability", 0.5, "Random crop: a moved square.", 0.0, 1.0),
    flags.DEFINE_float("crop_shift", 0.05, "Largest move, share of the side.", 0.0, 0.5),
    flags.DEFINE_float("noise_probability", 0.3, "Gaussian noise.", 0.0, 1.0),
    flags.DEFINE_float("noise_stddev", 10.0, "Largest, of 0..255.", 0.0, 255.0),
    flags.DEFINE_float("blur_probability", 0.3, "Gaussian blur.", 0.0, 1.0),
    flags.DEFINE_float("blur_sigma", 1.5, "Largest, pixels of the tower's input.", 0.0, 10.0),
    flags.DEFINE_float("rotation_probability", 0.0, "Turn a view and its label.", 0.0, 1.0),
    flags.DEFINE_float("rotation_degrees", 20.0, "Largest turn in the plane.", 0.0, 180.0),
    flags.DEFINE_float("flip_probability", 0.0, "Mirror the pair and its labels.", 0.0, 1.0),
    flags.DEFINE_float("fill_probability", 0.0, "Fill black areas with colours.", 0.0, 1.0),
    flags.DEFINE_float("brightness_probability", 0.0, "Brightness.", 0.0, 1.0),
    flags.DEFINE_float("brightness", 0.1, "Largest change, share of the range.", 0.0, 1.0),
    flags.DEFINE_float("contrast_probability", 0.0, "Contrast.", 0.0, 1.0),
    flags.DEFINE_float("contrast", 0.3, "Largest change of the factor.", 0.0, 1.0),
    flags.DEFINE_float("grey_probability", 0.0, "Take colour away.", 0.0, 1.0),
    flags.DEFINE_float("erase_probability", 0.0, "Cover a rectangle.", 0.0, 1.0),
    flags.DEFINE_float("erase_area", 0.3, "Largest, share of the view.", 0.02, 1.0),
    flags.DEFINE_float("dark_probability", 0.0, "Take light away.", 0.0, 1.0),
    flags.DEFINE_float("least_light", 0.0625, "Share of it that stays at least.", 0.001, 1.0),
]

_CHECKPOINT_STEPS = flags.DEFINE_integer(
    "checkpoint_steps", 0, "Write last.keras every so many steps too; 0: at epochs only.", 0
)


def _data_folder(workdir):
    """The shards to train on; rendered into the workdir first where the source is embedded."""
    if _DATA.value != "synthetic":
        return _DATA.value
    folder = workdir / "synthetic"
    count = next(flag.value for flag in _RECIPE if flag.name == "synthetic_identities")
    prepare(None, folder, kind="synthetic", shards=8, workers=1, synthetic_identities=count)
    return folder


def main(argv):
    del argv
    for flag in (_DATA, _WORKDIR):
        if not flag.value:
            raise RankPoseError(f"{flag.name}: pass --{flag.name}=FOLDER")
    if _DATA.value != "synthetic":
        records.read_description(_DATA.value)
    recipe = {flag.name: flag.value for flag in _RECIPE}
    augmentation = {flag.name: flag.value for flag in _AUGMENTATION}
    settings = {"data": _DATA.value, **recipe, **augmentation}
    workdir = claim_workdir(_WORKDIR.value, settings)
    del recipe["synthetic_identities"]
    result = loop.train(
        workdir=workdir,
        data=_data_folder(workdir),
        augmentation=augmentation,
        checkpoint_steps=_CHECKPOINT_STEPS.value,
        **recipe,
    )
    best = result["best"]
    logging.info("result: %s", workdir / "result.json")
    figures = "no held-out identities"
    if "val_mae" in best:
        figures = "MAE on held-out identities, degrees: " + ", ".join(
            f"{name} {best[key]:.2f}"
            for name, key in (
                ("yaw", "val_mae_yaw"),
                ("pitch", "val_mae_pitch"),
                ("roll", "val_mae_roll"),
                ("mean", "val_mae"),
            )
        )
    print(f"{figures}\n{pathlib.Path(workdir) / 'best.keras'}")


if __name__ == "__main__":
    command.run(main)
