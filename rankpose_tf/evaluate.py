"""Tests a trained model on a prepared set, and names the protocol beside every figure.

    rankpose evaluate --model=RUN --data=PREPARED
    rankpose evaluate --model=RUN --data=PREPARED --protocol=rankpose
    rankpose evaluate --predictions=FILE.csv --data=PREPARED

The last scores another system's angles; docs/protocols.md says what the file looks like, and what
each --protocol is.
"""

import sys

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.evaluation.protocols import PROTOCOLS
from rankpose_tf.models import shipped

_MODEL = flags.DEFINE_string(
    "model",
    "",
    "Workdir of rankpose_tf.train, .keras file, or wide or compact, models of the package; wide "
    "if not given.",
)
_PREDICTIONS = flags.DEFINE_string(
    "predictions", "", "CSV file of another system's angles, degrees, instead of a model."
)
_ALLOW_MISSING = flags.DEFINE_bool(
    "allow_missing",
    False,
    "Score --predictions without the pictures it has no angles for; their count is in the result.",
)
_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare.")
_OUT = flags.DEFINE_string(
    "out",
    "",
    "New folder for evaluation.json and predictions.csv; if not given, evaluation-SET beside the "
    "model, numbered where there is one already.",
)
_PROTOCOL = flags.DEFINE_enum(
    "protocol", None, list(PROTOCOLS), "Sets crop and filter by name, and checks the data."
)
_CROP_SCALE = flags.DEFINE_float(
    "crop_scale", None, "Side of the square crop over the box's longer side; default: the model's."
)
_FILTER_ANGLES = flags.DEFINE_bool(
    "filter_angles", None, "Leave out pictures with an angle over 99 degrees; default: yes."
)
_PLOTS = flags.DEFINE_bool(
    "plots",
    False,
    "Draw a grid of pictures ordered by error, error against angle, and cumulative error, as PNG.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Pictures at once.", lower_bound=1)
_GROUPS = {
    "what is tested": (_MODEL, _PREDICTIONS, _ALLOW_MISSING),
    "protocol": (_PROTOCOL, _CROP_SCALE, _FILTER_ANGLES),
    "results": (_OUT, _PLOTS),
}


def main(argv):
    del argv
    # Not above: TensorFlow is not needed to show the help or to refuse a flag.
    from rankpose_tf.evaluation import run as evaluation

    result, out = _score_predictions() if _PREDICTIONS.value else _test_model()
    print(f"{evaluation.table(result)}\n\n{out / 'evaluation.json'}")


def _test_model():
    if _ALLOW_MISSING.value:
        raise RankPoseError("allow_missing: it goes with --predictions, and none are given")
    if _MODEL.value in ("", *shipped.MODELS) and not _OUT.value:
        raise RankPoseError(
            "out: pass --out=FOLDER; beside the models of the package nothing is written, and no "
            "other --model is given"
        )
    from rankpose_tf.evaluation import run as evaluation

    return evaluation.evaluate(
        model=shipped.model_path(_MODEL.value),
        data=_DATA.value,
        out=_OUT.value or None,
        protocol=_PROTOCOL.value,
        crop_scale=_CROP_SCALE.value,
        filter_angles=_FILTER_ANGLES.value,
        batch_size=_BATCH_SIZE.value,
        progress=sys.stdout.isatty(),
        plots=_PLOTS.value,
    )


def _score_predictions():
    for flag in (_MODEL, _CROP_SCALE, _PLOTS):
        if flag.value:
            raise RankPoseError(
                f"{flag.name}: with --predictions no model is run and no picture is cut; leave "
                f"out --{flag.name}"
            )
    from rankpose_tf.evaluation import other_systems

    return other_systems.evaluate_file(
        predictions=_PREDICTIONS.value,
        data=_DATA.value,
        out=_OUT.value or None,
        protocol=_PROTOCOL.value,
        filter_angles=_FILTER_ANGLES.value,
        allow_missing=_ALLOW_MISSING.value,
    )


if __name__ == "__main__":
    command.run(main, needed={"data": "FOLDER"}, groups=_GROUPS)
