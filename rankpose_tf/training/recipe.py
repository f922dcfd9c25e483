"""The options of a training: each is one field of `Recipe`, and stands nowhere else.

From the fields `rankpose_tf.train` makes its flags, `loop.train` trains, a workdir's flags.cfg and
result.json are written, and a run that goes on is compared with the one that was begun. The
defaults are the paper's recipe (BMVC 2020, section 4.1).

Nothing heavy is imported here, so that a command line can tell its options at once.
"""

import dataclasses
import math

from rankpose_tf.core.errors import RankPoseError

DATA = "Data and run"
METHOD = "Method, with the paper's equations"
OPTIMISATION = "Optimisation"
AUGMENTATION = "Augmentation, of training alone"

SYNTHETIC = "synthetic"
STRATEGIES = ("none", "mirrored", "multiworker")
# Options that may differ between the sessions of one run.
OF_A_SESSION = ("strategy",)
LOSS_UNITS = {"radians": 1.0, "degrees": 180.0 / math.pi}
REGRESSIONS = ("squared", "huber")
MIXED_PRECISION = {"none": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}
_KINDS = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}


def _option(group, default, text, low=-math.inf, high=math.inf, choices=()):
    """A field with what is told of it and what it may be; the type is the field's annotation."""
    metadata = {"group": group, "help": text, "low": low, "high": high, "choices": tuple(choices)}
    return dataclasses.field(default=default, metadata=metadata)


def _share(default, text):
    """The option of how often a change of augmentation is made."""
    return _option(AUGMENTATION, default, text, 0.0, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what is trained; checked when it is made.

    A new option is a new field, beside what it does. In each group, what most people need comes
    first.

    Raises:
      RankPoseError: for a value outside its bounds, or values that don't go together.
    """

    data: str = _option(
        DATA, "", "Folder made by rankpose_tf.prepare, or 'synthetic' for rendered heads."
    )
    validation_identities: int = _option(
        DATA,
        -1,
        "Identities held out of training, to choose the best epoch by; -1 is 200, or a fifth of "
        "fewer than 400.",
        low=-1,
    )
    training_identities: int = _option(DATA, 0, "How many to train on; 0 is all.", low=0)
    crop_scale: float = _option(
        DATA, 1.4, "Side of the square crop over the box's longer side.", low=0.1
    )
    filter_angles: bool = _option(DATA, True, "Leave out views with an angle over 99 degrees.")
    seed: int = _option(DATA, 0, "Of weights, data order and augmentation.", low=0, high=2**32 - 1)
    synthetic_identities: int = _option(DATA, 600, "Heads to render where --data=synthetic.", low=2)
    strategy: str = _option(
        DATA,
        "none",
        "Devices: one, all GPUs of this machine, or those of the machines in TF_CONFIG "
        "(docs/multi_machine.md).",
        choices=STRATEGIES,
    )

    init: str = _option(
        METHOD,
        "",
        "Trained model to start from: shipped, wide, compact, a workdir or a .keras file; the "
        "tower, its size and output are the model's (docs/finetuning.md).",
    )
    tower: str = _option(
        METHOD, "resnet50", "Network that both views share.", choices=("resnet50", "compact")
    )
    input_size: int = _option(METHOD, 224, "Side of the tower's input, pixels.", low=32)
    tower_weights: str = _option(
        METHOD,
        "auto",
        "Start of the tower: imagenet, none, or a Keras H5 file; auto is imagenet for resnet50.",
    )
    transform: str = _option(
        METHOD, "arccos", "Output space, eq. (1)-(3).", choices=("linear", "cosine", "arccos")
    )
    beta: float = _option(
        METHOD,
        0.5,
        "Weight of regression against ranking, eq. (7); 1 is regression alone.",
        low=0.0,
        high=1.0,
    )
    loss_unit: str = _option(
        METHOD, "radians", "Unit of eq. (4)-(7) inside the loss.", choices=LOSS_UNITS
    )
    regression: str = _option(
        METHOD,
        "squared",
        "Cost of an error in eq. (4); huber's grows linearly beyond 10 degrees.",
        choices=REGRESSIONS,
    )
    pairs: str = _option(
        METHOD,
        "identity",
        "Two views of one identity, or any two faces; held-out pairs are of one identity.",
        choices=("identity", "any", "photos"),
    )
    photo_epochs: int = _option(
        METHOD,
        0,
        "Last epochs on two photos of two identities, without ranking; held-out photos choose.",
        low=0,
    )
    first_view_probability: float = _option(
        METHOD, 0.0, "Pairs made to have the identity's photo, STEM_0.", low=0.0, high=1.0
    )
    separate_features: bool = _option(
        METHOD, False, "Each angle has a third of the features to itself."
    )
    compact_width: float = _option(
        METHOD, 1.0, "Multiplies the channels of the compact tower.", low=0.01
    )

    epochs: int = _option(
        OPTIMISATION, 80, "How often to go through the data; --steps_per_epoch ends one.", low=1
    )
    batch_size: int = _option(OPTIMISATION, 128, "Pairs a step.", low=1)
    learning_rate: float = _option(
        OPTIMISATION, 1e-3, "Adam's at the first step; one cosine decay to 0.", low=0.0
    )
    pairs_per_identity: int = _option(OPTIMISATION, 5, "Pairs of each identity an epoch.", low=1)
    steps_per_epoch: int = _option(OPTIMISATION, 0, "Steps an epoch; 0 follows the data.", low=0)
    # BatchNormalization's moving statistics stay those of the weights as trained.
    ema_decay: float = _option(
        OPTIMISATION,
        0.0,
        "Validate and keep a running average of the weights with this decay, such as 0.999.",
        low=0.0,
        high=0.999999,
    )
    freeze_normalization: bool = _option(
        OPTIMISATION,
        False,
        "BatchNormalization keeps the statistics, scale and shift that a trained model came with.",
    )
    # float16 skips a step whose gradients overflow, and the step counter with it: a resumed run
    # makes such steps up.
    mixed_precision: str = _option(
        OPTIMISATION, "none", "Type the tower computes in.", choices=MIXED_PRECISION
    )
    jit_compile: bool = _option(OPTIMISATION, False, "Compile the training step with XLA.")

    crop_scale_min: float = _option(
        AUGMENTATION, 0.0, "Smallest crop scale; 0 is crop_scale.", low=0.0
    )
    crop_scale_max: float = _option(AUGMENTATION, 1.6, "Largest crop scale.", low=0.1)
    scale_probability: float = _share(1.0, "Random scale, once a pair.")
    crop_probability: float = _share(0.5, "Random crop: a moved square.")
    crop_shift: float = _option(
        AUGMENTATION, 0.05, "Largest move, share of the side.", low=0.0, high=0.5
    )
    noise_probability: float = _share(0.3, "Gaussian noise.")
    noise_stddev: float = _option(AUGMENTATION, 10.0, "Largest, of 0..255.", low=0.0, high=255.0)
    blur_probability: float = _share(0.3, "Gaussian blur.")
    blur_sigma: float = _option(
        AUGMENTATION, 1.5, "Largest, pixels of the tower's input.", low=0.0, high=10.0
    )
    rotation_probability: float = _share(0.0, "Turn a view and its label.")
    rotation_degrees: float = _option(
        AUGMENTATION, 20.0, "Largest turn in the plane.", low=0.0, high=180.0
    )
    flip_probability: float = _share(0.0, "Mirror the pair and its labels.")
    fill_probability: float = _share(0.0, "Fill black areas with colours.")
    brightness_probability: float = _share(0.0, "Brightness.")
    brightness: float = _option(
        AUGMENTATION, 0.1, "Largest change, share of the range.", low=0.0, high=1.0
    )
    contrast_probability: float = _share(0.0, "Contrast.")
    contrast: float = _option(AUGMENTATION, 0.3, "Largest change of the factor.", low=0.0, high=1.0)
    grey_probability: float = _share(0.0, "Take colour away.")
    erase_probability: float = _share(0.0, "Cover a rectangle.")
    erase_area: float = _option(
        AUGMENTATION, 0.3, "Largest, share of the view.", low=0.02, high=1.0
    )
    dark_probability: float = _share(0.0, "Take light away.")
    least_light: float = _option(
        AUGMENTATION, 0.0625, "Share of it that stays at least.", low=0.001, high=1.0
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        _check_together(self)

    @property
    def augmentation(self):
        """Fields of `data.places.Places` and `data.looks.Looks`."""
        return {name: getattr(self, name) for name in groups()[AUGMENTATION]}


def _check_together(recipe):
    """Refuses values that are right each by itself and not together.

    Raises:
      RankPoseError: says which, and what to do.
    """
    if recipe.tower != "compact" and recipe.compact_width != 1.0:
        raise RankPoseError(
            f"compact_width: expected 1 for the tower {recipe.tower!r}, received "
            f"{recipe.compact_width}; it is of the compact tower, pass --tower=compact"
        )
    if recipe.tower == "compact" and recipe.tower_weights not in ("auto", "none"):
        raise RankPoseError(
            f"tower_weights: the compact tower starts from none, received "
            f"{recipe.tower_weights!r}; pass --tower_weights=none"
        )
    if recipe.strategy == "multiworker" and recipe.data == SYNTHETIC:
        raise RankPoseError(
            "data: several workers train on shards that all of them see, received 'synthetic'; "
            "run rankpose prepare --source=synthetic first"
        )
    if recipe.init and recipe.tower_weights != "auto":
        raise RankPoseError(
            f"tower_weights: expected auto with --init={recipe.init}, whose weights the tower "
            f"starts from, received {recipe.tower_weights!r}; pass one of the two"
        )
    random = recipe.tower == "compact" or recipe.tower_weights == "none"
    if recipe.freeze_normalization and random and not recipe.init:
        raise RankPoseError(
            "freeze_normalization: random weights have no statistics to keep; pass --init too, or "
            "leave it out"
        )
    least = "crop_scale_min" if recipe.crop_scale_min else "crop_scale"
    if recipe.scale_probability and getattr(recipe, least) > recipe.crop_scale_max:
        raise RankPoseError(
            f"crop_scale_max: expected at least {least}, {getattr(recipe, least)}, received "
            f"{recipe.crop_scale_max}; between them no scale can be drawn"
        )
    most = recipe.epochs if recipe.beta > 0 else 0
    if recipe.photo_epochs > most:
        raise RankPoseError(
            f"photo_epochs: expected at most {recipe.epochs}, the epochs, and 0 where beta is 0, "
            f"received {recipe.photo_epochs} with beta {recipe.beta}"
        )
    if recipe.pairs != "identity" and recipe.first_view_probability:
        raise RankPoseError(
            f"first_view_probability: expected 0 with --pairs={recipe.pairs}, received "
            f"{recipe.first_view_probability}; pass --pairs=identity, or leave it out"
        )


def _checked(field, value):
    """A field's value as its type, whole numbers allowed where any number is.

    Raises:
      RankPoseError: if it is none of what the field may be.
    """
    if field.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    right = type(value) is field.type
    if right and field.type in (int, float):
        right = math.isfinite(value) and low <= value <= high
    if not right or (choices and value not in choices):
        expected = f"one of {', '.join(choices)}" if choices else _KINDS[field.type]
        raise RankPoseError(
            f"{field.name}: expected {expected}{_bounds(field)}, received {value!r}"
        )
    return value


def _bounds(field):
    """What follows "a number": " from 0 to 1", " from 32 on" or nothing."""
    low, high = field.metadata["low"], field.metadata["high"]
    if not math.isfinite(low):
        return ""
    return f" from {low:.10g}" + (f" to {high:.10g}" if math.isfinite(high) else " on")


def help_text(field):
    """What a user is told of an option: its help, and what it may be."""
    if field.metadata["choices"]:
        return f"{field.metadata['help']} One of {', '.join(field.metadata['choices'])}."
    bounds = _bounds(field).strip()
    return field.metadata["help"] + (f" ({bounds})" if bounds else "")


def groups():
    """Dict of group -> names of its options, in the order of `Recipe`."""
    names = {}
    for field in dataclasses.fields(Recipe):
        names.setdefault(field.metadata["group"], []).append(field.name)
    return names
