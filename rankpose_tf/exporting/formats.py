"""The formats that a model is exported in, and where each file lies. No TensorFlow."""

import pathlib

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError

# Format -> the module that writes it, and its place in `out`.
FORMATS = {
    "savedmodel": ("rankpose_tf.exporting.savedmodel", "savedmodel/rankpose"),
    "folded": ("rankpose_tf.exporting.folded", "folded"),
    "tflite_fp32": ("rankpose_tf.exporting.tflite", "rankpose_fp32.tflite"),
    "tflite_fp16": ("rankpose_tf.exporting.tflite", "rankpose_fp16.tflite"),
    "tflite_int8_dynamic": ("rankpose_tf.exporting.tflite", "rankpose_int8_dynamic.tflite"),
    "tflite_int8": ("rankpose_tf.exporting.tflite", "rankpose_int8.tflite"),
    "onnx": ("rankpose_tf.exporting.onnx", "rankpose.onnx"),
    "openvino": ("rankpose_tf.exporting.openvino", "rankpose.xml"),
    "web": ("rankpose_tf.exporting.web", "index.html"),
}
GROUPS = {
    "tflite": [name for name in FORMATS if name.startswith("tflite_")],
    # A page is no model file, and needs what npm installs.
    "all": [name for name in FORMATS if name != "web"],
}
DEFAULT_FORMATS = ("savedmodel", "tflite")
# Made with training views, and with nothing else.
CALIBRATED = ("tflite_int8",)
REPORT = "export.json"


def without_data(names):
    """What is left of some formats where no training views are given.

    Args:
      names: of FORMATS or GROUPS. A calibrated format that is named itself stays, for whoever asks
        for it is to be told what it needs.

    Returns:
      Names of FORMATS that stay, and of those that groups would have brought along.
    """
    left_out = [name for name in expand(names) if name in CALIBRATED and name not in names]
    return [name for name in expand(names) if name not in left_out], left_out


def expand(formats):
    """Names of formats, groups resolved, in the order of FORMATS.

    Raises:
      RankPoseError: for a name of neither, or none.
    """
    names = ", ".join([*FORMATS, *GROUPS])
    chosen = set()
    for name in formats:
        if name not in FORMATS and name not in GROUPS:
            raise RankPoseError(f"formats: expected some of {names}, received {name!r}")
        chosen.update(GROUPS.get(name, [name]))
    if not chosen:
        raise RankPoseError(f"formats: expected at least one of {names}, received none")
    return [name for name in FORMATS if name in chosen]


def plan(out, formats, version=None):
    """Where each file will lie, if nothing is in its way.

    Args:
      out: folder of the export.
      formats: names of FORMATS.
      version: of the SavedModel; None is the one after the greatest that is there.

    Returns:
      Dict of format -> path.

    Raises:
      RankPoseError: if `out` is a file, holds anything but an earlier export, or holds one of
        these files already; for a version that is none, or of no SavedModel.
    """
    if version is not None and "savedmodel" not in formats:
        raise RankPoseError(
            f"version: is of the SavedModel, which is not among --formats; received {version}"
        )
    resumed = pathlib.Path(out, REPORT).is_file()
    out = files.new_folder("out", out, resumed, own="earlier export")
    places = {name: out / FORMATS[name][1] for name in formats}
    if "savedmodel" in places:
        places["savedmodel"] /= str(_next_version(places["savedmodel"], version))
    for name, place in places.items():
        if place.exists():
            way = "another --version" if name == "savedmodel" else "a new folder"
            raise RankPoseError(
                f"out: {str(place)!r} exists, and nothing is overwritten; pass {way}, or leave "
                f"{name} out of --formats"
            )
    return places


def _next_version(servable, version):
    """`version`, or the integer after the greatest folder of the servable."""
    if version is not None:
        if version < 1:
            raise RankPoseError(f"version: expected an integer from 1, received {version}")
        return version
    names = [path.name for path in servable.iterdir()] if servable.is_dir() else []
    return max((int(name) for name in names if name.isdecimal()), default=0) + 1
