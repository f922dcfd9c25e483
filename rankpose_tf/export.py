"""Writes a trained model for TF Serving, phones, browsers, ONNX and OpenVINO (docs/export.md).

rankpose export --out=DIR
rankpose export --model=RUN --out=DIR --calibration_data=PREPARED
"""

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.exporting import formats
from rankpose_tf.models import shipped

_MODEL = flags.DEFINE_string(
    "model",
    "",
    "Workdir of rankpose_tf.train, .keras file, or wide or compact, models of the package; wide "
    "if not given, compact for --formats=web alone.",
)
_OUT = flags.DEFINE_string("out", "", "New folder, or that of an earlier export to add to.")
_FORMATS = flags.DEFINE_list(
    "formats",
    list(formats.DEFAULT_FORMATS),
    f"Some of {', '.join([*formats.FORMATS, *formats.GROUPS])}.",
)
_VERSION = flags.DEFINE_integer(
    "version", None, "Version folder of the SavedModel; default: the next free integer."
)
_CALIBRATION_DATA = flags.DEFINE_string(
    "calibration_data",
    "",
    "Folder of training views, made by rankpose_tf.prepare, to calibrate full int8 and compare on; "
    "without it full int8 is left out.",
)
_CALIBRATION_VIEWS = flags.DEFINE_integer(
    "calibration_views", 300, "How many of them full int8 is calibrated on.", lower_bound=1
)
_EVAL_DATA = flags.DEFINE_string(
    "eval_data", "", "Folder of a test set, made by rankpose_tf.prepare, to report an MAE on."
)
_SHIP = flags.DEFINE_string(
    "ship",
    "",
    "For maintainers: write --model as the shipped model of this name, with its .tflite files and "
    "checksums, into rankpose_tf/weights/, over those there; needs --calibration_data.",
)
_LATENCY = flags.DEFINE_boolean("latency", True, "Measure how long each file takes a picture.")


_GROUPS = {
    "needed": (_OUT,),
    "what is exported": (_MODEL, _FORMATS, _VERSION),
    "data": (_CALIBRATION_DATA, _CALIBRATION_VIEWS, _EVAL_DATA),
}


def main(argv):
    del argv
    if not _SHIP.value:
        command.require({"out": "FOLDER"})
    # Not above: TensorFlow is not needed to show the help or to refuse a flag.
    from rankpose_tf.exporting import run as exporting

    if _SHIP.value:
        from rankpose_tf.exporting import shipping

        model = shipped.model_path(_MODEL.value)
        print("\n".join(map(str, shipping.ship(model, _SHIP.value, _CALIBRATION_DATA.value))))
        return
    report = exporting.export(
        model=_model(),
        out=_OUT.value,
        formats=_FORMATS.value,
        version=_VERSION.value,
        calibration_data=_CALIBRATION_DATA.value or None,
        calibration_views=_CALIBRATION_VIEWS.value,
        eval_data=_EVAL_DATA.value or None,
        time_files=_LATENCY.value,
    )
    print(exporting.table(report))
    for name in report["left_out"]:
        print(f"left out: {name}, made with training views; pass --calibration_data=PREPARED")
    print(f"\n{_OUT.value}/{formats.REPORT}")


def _model():
    # A page is fetched before it is used: alone, it takes the smallest model.
    return shipped.model_path(
        _MODEL.value, "compact" if _FORMATS.value == ["web"] else shipped.DEFAULT
    )


if __name__ == "__main__":
    command.run(main, groups=_GROUPS)
