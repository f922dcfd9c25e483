"""Tests a trained model on a prepared set, and names the protocol beside every figure.

    python -m rankpose_tf.evaluate --model=RUN --data=PREPARED
"""

import sys

from absl import flags

from rankpose_tf import command, evaluation, shipped
from rankpose_tf.errors import RankPoseError

_MODEL = flags.DEFINE_string(
    "model",
    "",
    "Workdir of rankpose_tf.train, or a .keras file; the model of the package if not given.",
)
_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare.")
_OUT = flags.DEFINE_string(
    "out",
    "",
    "New folder for evaluation.json and predictions.csv; if not given, evaluation-SET beside the "
    "model, numbered where there is one already.",
)
_CROP_SCALE = flags.DEFINE_float(
    "crop_scale", None, "Side of the square crop over the box's longer side; default: the model's."
)
_FILTER_ANGLES = flags.DEFINE_bool(
    "filter_angles", True, "Leave out pictures with an angle over 99 degrees."
)
_PLOTS = flags.DEFINE_bool(
    "plots",
    False,
    "Draw a grid of pictures ordered by error, error against angle, and cumulative error, as PNG.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Pictures at once.", lower_bound=1)


def main(argv):
    del argv
    if not _DATA.value:
        raise RankPoseError("data: pass --data=FOLDER")
    if not _MODEL.value and not _OUT.value:
        raise RankPoseError(
            "out: pass --out=FOLDER; beside the model of the package nothing is written, and no "
            "other --model is given"
        )
    result, out = evaluation.evaluate(
        model=_MODEL.value or shipped.path(),
        data=_DATA.value,
        out=_OUT.value or None,
        crop_scale=_CROP_SCALE.value,
        filter_angles=_FILTER_ANGLES.value,
        batch_size=_BATCH_SIZE.value,
        progress=sys.stdout.isatty(),
        plots=_PLOTS.value,
    )
    print(f"{evaluation.table(result)}\n\n{out / 'evaluation.json'}")


if __name__ == "__main__":
    command.run(main)
