"""A trained model -> the files that production needs, each compared with the model it came from.

Everything is written into a hidden folder inside `out`, checked there, and moved to its place at
the end: a failed export leaves nothing behind, and nothing that exists is overwritten.
"""

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import tempfile

import keras
import tensorflow as tf

import rankpose_tf
from rankpose_tf.core import files, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import comparison, latency, web
from rankpose_tf.inference import runtimes
from rankpose_tf.models.saving import load_model

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
REPORT = "export.json"
_COMPARED_VIEWS = 256


def export(
    *,
    model,
    out,
    formats=DEFAULT_FORMATS,
    version=None,
    calibration_data=None,
    calibration_views=300,
    eval_data=None,
    time_files=True,
):
    """Writes a model in several formats, compares each with the model, and writes export.json.

    Args:
      model: workdir of rankpose_tf.train, or a .keras file.
      out: folder; absent, empty, or that of an earlier export which lacks these files.
      formats: names of FORMATS or GROUPS.
      version: integer of the SavedModel's folder; None is the next free one.
      calibration_data: prepared folder of training views: full int8 is calibrated on them, and
        the files are compared on them.
      calibration_views: how many full int8 is calibrated on.
      eval_data: prepared test folder to report an MAE on; None reports none.
      time_files: measure each file's latency.

    Returns:
      The content of export.json.

    Raises:
      RankPoseError: for a model, data, folder or format that can't be used, a package that is
        not installed, or a disk that is full; nothing is left behind then.
    """
    formats, out = expand(formats), pathlib.Path(out)
    network, description = load_model(model)
    places = plan(out, formats, version)
    if "tflite_int8" in formats and not calibration_data:
        raise RankPoseError(
            "calibration_data: tflite_int8 is calibrated on real training views; pass "
            "--calibration_data=PREPARED, or name the other formats, as in "
            "--formats=savedmodel,tflite_fp32,tflite_fp16"
        )
    views, source = _views(calibration_data, calibration_views, eval_data, description)
    with staged(out) as stage:
        written = {}
        for name in formats:
            # A folder each: OpenVINO's two files share their stem with ONNX's.
            (stage / name).mkdir()
            written[name] = stage / name / places[name].name
            _write(name, network, description, written[name], views[:calibration_views])
        rows = _measure(network, description, written, views, eval_data, time_files)
        for name, row in zip(formats, rows["files"], strict=True):
            row["file"] = places[name].relative_to(out).as_posix()
        report = {
            "model": description,
            "compared_on": f"{min(len(views), _COMPARED_VIEWS)} views of {source}",
            **rows,
            "versions": {
                "rankpose_tf": rankpose_tf.__version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        _move(written, places, report, out)
    return report


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
        these files already.
    """
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


def _views(calibration_data, calibration_views, eval_data, description):
    """Views to calibrate and compare on, (N, S, S, 3) uint8, and what they are.

    Training views if there are any; the test's own serve for a comparison, which chooses
    nothing; rendered heads where no data is given.
    """
    for folder, name in ((calibration_data, "calibration data"), (eval_data, "test data")):
        if folder:
            count = max(calibration_views, _COMPARED_VIEWS)
            return comparison.some_views(folder, description, count), name
    rendered = comparison.rendered_views(description["input_size"], _COMPARED_VIEWS)
    return rendered, "rendered heads"


@contextlib.contextmanager
def staged(out):
    """Yields a hidden folder in `out`, removed at the end with all that is still in it.

    Raises:
      RankPoseError: if the disk is full or can't be written to.
    """
    made = [path for path in (out, *out.absolute().parents) if not path.exists()]
    stage = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        stage = pathlib.Path(tempfile.mkdtemp(prefix=".export-", dir=out))
        yield stage
    except (OSError, tf.errors.OpError) as error:
        raise RankPoseError(
            f"out: can't write to {str(out)!r} ({_first_line(error)}); make room or pass another "
            "folder with --out; what was begun is removed"
        ) from error
    finally:
        if stage:
            shutil.rmtree(stage, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()  # Removes empty folders only, so a finished export stays.


def _first_line(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _write(name, network, description, path, views):
    module = importlib.import_module(FORMATS[name][0])
    if name.startswith("tflite_"):
        variant = name.removeprefix("tflite_")
        module.write(network, description, variant, path, views if variant == "int8" else None)
    else:
        module.write(network, description, path)


def _measure(network, description, written, views, eval_data, time_files):
    """Rows of the report: size, difference from Keras, MAE, latency of each file."""
    predictors = {
        name: runtimes.PREDICTORS[_runtime(name)](_network(name, path))
        for name, path in written.items()
    }
    gaps = comparison.differences(network, predictors, views[:_COMPARED_VIEWS])
    rows = {
        name: {"format": name, "bytes": _size(path), **gaps[name]}
        for name, path in written.items()
    }
    found = {"files": list(rows.values())}
    if eval_data:
        protocol, images, errors = comparison.errors_on(
            network, predictors, eval_data, description
        )
        found |= {"protocol": protocol, "images": images, "keras_mae": errors["keras"]}
        for name, row in rows.items():
            row["mae"] = errors[name]
    del predictors
    if time_files:
        for name, row in rows.items():
            row["median_milliseconds"] = latency.by_threads(
                _runtime(name), _network(name, written[name]), description["input_size"]
            )
    return found


def _runtime(name):
    """Of `runtimes.PREDICTORS`: the last part of the writing module's name; a page runs TFLite."""
    return "tflite" if name == "web" else FORMATS[name][0].rpartition(".")[2]


def _network(name, path):
    """What the runtime opens: what was written, or the model's file in the folder of a page."""
    return path.parent / web.MODEL if name == "web" else path


def _size(path):
    """Bytes of a file and what was written beside it, or of all files of a folder."""
    parts = (path if path.is_dir() else path.parent).rglob("*")
    return sum(part.stat().st_size for part in parts if part.is_file())


def _move(written, places, report, out):
    """Puts what is finished in its place; the report last."""
    before = out / REPORT
    if before.is_file():
        report["files"] = json.loads(before.read_text(encoding="utf-8"))["files"] + report["files"]
    for name, path in written.items():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        for part in sorted(path.parent.iterdir()):
            os.rename(part, places[name].with_name(part.name))
    files.write_json(before, report)


def table(report):
    """export.json as text for a terminal, a line a file."""
    lines = [f"compared with Keras on {report['compared_on']}"]
    if "protocol" in report:
        mean = report["keras_mae"]["mean"]
        lines.append(f"MAE: {report['protocol']}, {report['images']} images; Keras {mean:.3f}")
    titles = ("kB", "max diff", "mean diff", "MAE", *(f"ms {n} thr" for n in latency.THREADS))
    rows = []
    for row in report["files"]:
        times = row.get("median_milliseconds", {})
        cells = [
            f"{row['bytes'] / 1e3:.0f}",
            f"{row['max_difference_degrees']:.5f}",
            f"{row['mean_difference_degrees']:.5f}",
            f"{row['mae']['mean']:.3f}" if "mae" in row else "-",
            *(f"{times[str(n)]:.2f}" if times else "-" for n in latency.THREADS),
        ]
        rows.append((row["file"], *cells))
    return "\n".join([*lines, "", tables.aligned(("file", *titles), rows)])
