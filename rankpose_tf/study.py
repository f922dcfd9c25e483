"""Measures something of a trained model that no other command asks.

    rankpose study order --model=RUN --data=PREPARED
    rankpose study conditions --data=PREPARED --out=conditions.md
    rankpose study rolls --data=PREPARED --out=rolls.md
    rankpose study poor_camera --data=PREPARED --folder=poor
    rankpose study doubts --data=PREPARED --out=doubts.md
    rankpose study detector_fit --detector=blazeface --source=300W_LP.zip
    rankpose study detector_fit --detector=blazeface --data=PREPARED --model=RUN
    rankpose study detectors --data=PREPARED --pictures=245 --out=detectors.md
    rankpose study protocol_costs --data=OURS,OTHER --misses=mtcnn.json --out=costs.md
    rankpose study error_time --data=error_time.csv --out=error_time.png

order: which held-out pairs a model puts in the wrong order, by how far apart their labels are.
conditions: what poor light, covers, blur and small faces cost a model.
rolls: what a roll in the plane costs, faces found and turned upright by their eyes and mouth.
poor_camera: held-out pictures as a poor camera would take them, for docs/finetuning.md.
doubts: whether a model expects large errors of views that show no upright face.
detector_fit: fits the rule from a detector's box to a landmark box (--source), or measures what
it costs (--data).
detectors: the detectors beside each other: misses, false faces, small faces, time and cost.
protocol_costs: what each choice of a protocol costs, a row a choice. The first of --data has our
boxes (pt3d_68), the others are the same pictures with another `prepare --landmarks`.
error_time: draws a table of models, their errors and times (docs/results/error_time.csv).
"""

import pathlib

from absl import flags

from rankpose_tf.core import command, files
from rankpose_tf.core.errors import RankPoseError

_MODEL = flags.DEFINE_string(
    "model", "", "Workdir, .keras file, wide or compact; wide if not given."
)
_DATA = flags.DEFINE_list(
    "data", [], "Folders made by rankpose_tf.prepare; error_time: a CSV file."
)
_OUT = flags.DEFINE_string("out", "", "New file for the result; only printed if not given.")
_VALIDATION_IDENTITIES = flags.DEFINE_integer(
    "validation_identities",
    None,
    "order, poor_camera: how many the model's training held out; if not given, what the model says "
    "(order), or what training does by itself (poor_camera).",
    lower_bound=1,
)
_FOLDER = flags.DEFINE_string("folder", "", "poor_camera: new folder for pictures and tables.")
_PART = flags.DEFINE_integer(
    "part", 0, "poor_camera: which quarter of the people to test on, 0 to 3.", 0, 3
)
_MISSES = flags.DEFINE_list("misses", [], "protocol_costs: files of detector_fit --out.")
_DETECTOR = flags.DEFINE_enum(
    "detector", "blazeface", ("blazeface", "mtcnn"), "detector_fit: which to take."
)
_SOURCE = flags.DEFINE_string(
    "source", "", "detector_fit: folder or zip in 300W-LP's layout, to fit on the photos of."
)
_PICTURES = flags.DEFINE_integer(
    "pictures", 1500, "detector_fit: how many to fit on; detectors: to look at.", 20
)
_FACELESS = flags.DEFINE_string(
    "faceless", "", "detectors: folder of photos without a face, to look at as well."
)
_BORDER = flags.DEFINE_float(
    "border", 0.25, "detector_fit: black around them, share of the longer side.", 0.0
)
_SEED = flags.DEFINE_integer("seed", 0, "detector_fit: chooses the pictures to fit on.")
_POINTS = flags.DEFINE_boolean(
    "points", True, "detector_fit: use the detector's points; else the box alone."
)


def main(argv):
    out = files.new_file("out", _OUT.value) if _OUT.value else None
    if argv[1] == "error_time":
        return _error_time(out)
    text, result = _STUDIES[argv[1]]()
    print(text)
    if out and result is not None:
        files.write_json(out, result)
    elif out:
        files.write_text(out, text)
    if out:
        print(f"\n{out}")


def _order():
    from rankpose_tf.studies import pair_order

    result = pair_order.measure(_model(), _folder(), _VALIDATION_IDENTITIES.value)
    return pair_order.table(result), result


def _conditions():
    from rankpose_tf.studies import conditions

    return conditions.table(conditions.measure(_model(), _folder())), None


def _rolls():
    from rankpose_tf.studies import rolls

    return rolls.table(rolls.measure(_folder(), _MODEL.value or None)), None


def _poor_camera():
    from rankpose_tf.studies import poor_camera

    command.require({"data": "FOLDER", "folder": "FOLDER"})
    folder = pathlib.Path(_FOLDER.value)
    counts = poor_camera.write(_folder(), folder, _PART.value, _VALIDATION_IDENTITIES.value)
    return "\n".join(f"{folder / name}: {count} pictures" for name, count in counts.items()), None


def _doubts():
    from rankpose_tf.studies import doubts

    return doubts.table(doubts.measure(_model(), _folder())), None


def _detector_fit():
    from rankpose_tf.studies import detector_rule

    if bool(_SOURCE.value) == bool(_DATA.value):
        raise RankPoseError("source, data: pass one: --source to fit, or --data to measure")
    if _SOURCE.value:
        text = detector_rule.fit_rule(
            _DETECTOR.value,
            _SOURCE.value,
            _PICTURES.value,
            _BORDER.value,
            _SEED.value,
            _POINTS.value,
        )
        return text, None
    result = detector_rule.measure_rule(_DETECTOR.value, _folder(), _model())
    return "\n".join(f"{name}: {value}" for name, value in result.items()), result


def _detectors():
    from rankpose_tf.studies import detectors

    faceless = _FACELESS.value or None
    result = detectors.measure(_folder(), _model(), _PICTURES.value, faceless=faceless)
    return detectors.table(result), None


def _protocol_costs():
    from rankpose_tf.studies import protocol_costs

    command.require({"data": "PATH"})
    rows = protocol_costs.measure(_model(), _DATA.value, _MISSES.value)
    return protocol_costs.table(rows, pathlib.Path(_model()).name), None


def _error_time(out):
    from rankpose_tf.evaluation import plots
    from rankpose_tf.studies import error_time

    command.require({"data": "FILE.csv", "out": "FILE.png"})
    plots.save(error_time.plot(error_time.read(_DATA.value[0])), out)
    print(out)


_STUDIES = {
    "order": _order,
    "conditions": _conditions,
    "rolls": _rolls,
    "poor_camera": _poor_camera,
    "doubts": _doubts,
    "detector_fit": _detector_fit,
    "detectors": _detectors,
    "protocol_costs": _protocol_costs,
}


def _folder():
    """The prepared folder of a study that looks at one."""
    command.require({"data": "FOLDER"})
    if len(_DATA.value) > 1:
        raise RankPoseError(
            f"data: this study looks at one folder, received {', '.join(_DATA.value)}; run it for "
            "each"
        )
    return _DATA.value[0]


def _model():
    from rankpose_tf.models import shipped

    return shipped.model_path(_MODEL.value)


if __name__ == "__main__":
    command.run(main, commands=(*_STUDIES, "error_time"))
