"""A trained model -> the files that production needs, each compared with the model it came from.

Everything is written into a hidden folder inside `out`, checked there, and moved to its place at
the end: a failed export leaves nothing behind, and nothing that exists is overwritten.
"""

import contextlib
import importlib
import pathlib

import keras
import tensorflow as tf
import tqdm

import rankpose_tf
from rankpose_tf.core import damage, files, staging, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import comparison, latency, web
from rankpose_tf.exporting.formats import (
    DEFAULT_FORMATS,
    FORMATS,
    REPORT,
    expand,
    plan,
    without_data,
)
from rankpose_tf.inference import runtimes
from rankpose_tf.models.saving import load_model

_COMPARED_VIEWS = 256
# What export.json says of all its files; those of an earlier export have their own beside them.
_OF_ALL_FILES = ("model", "compared_on", "protocol", "images", "keras_mae")


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
    progress=None,
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
      progress: True shows a bar; None only on a terminal.

    Returns:
      The content of export.json. Formats that a group has and that need `calibration_data` are in
      `left_out` where there is none.

    Raises:
      RankPoseError: for a model, data, folder or format that can't be used, a package that is
        not installed, or a disk that is full; nothing is left behind then.
    """
    out = pathlib.Path(out)
    formats, left_out = (expand(formats), []) if calibration_data else without_data(formats)
    network, description = load_model(model, errors=True)
    places = plan(out, formats, version)
    if "tflite_int8" in formats and not calibration_data:
        raise RankPoseError(
            "calibration_data: tflite_int8 is calibrated on real training views; pass "
            "--calibration_data=PREPARED, or name the other formats, as in "
            "--formats=savedmodel,tflite_fp32,tflite_fp16"
        )
    views, source = _views(calibration_data, calibration_views, eval_data, description)
    steps = len(formats) * (3 if time_files else 2)
    hidden = None if progress is None else not progress
    bar = tqdm.tqdm(total=steps, unit="step", disable=hidden)
    with _told(out), staging.staged(out) as stage, bar:
        written = {}
        for name in formats:
            bar.set_description(f"writing {name}")
            # A folder each: OpenVINO's two files share their stem with ONNX's.
            (stage / name).mkdir()
            written[name] = stage / name / places[name].name
            _write(name, network, description, written[name], views[:calibration_views])
            bar.update()
        rows = _measure(network, description, written, views, eval_data, time_files, bar)
        for name, row in zip(formats, rows["files"], strict=True):
            row["file"] = places[name].relative_to(out).as_posix()
        report = {
            "model": description,
            "compared_on": f"{min(len(views), _COMPARED_VIEWS)} views of {source}",
            **rows,
            "left_out": left_out,
            "versions": {
                "rankpose_tf": rankpose_tf.__version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        _move(stage, written, places, report, out)
    return report


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
def _told(out):
    """A disk that is full or can't be written to is a RankPoseError within the block."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise RankPoseError(
            f"out: can't write to {str(out)!r} ({_first_line(error)}); make room or pass another "
            "folder with --out; what was begun is removed"
        ) from error


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


def _measure(network, description, written, views, eval_data, time_files, bar):
    """Rows of the report: size, difference from Keras, MAE, latency of each file."""
    bar.set_description("comparing with Keras")
    predictors = {
        name: runtimes.PREDICTORS[_runtime(name)](_network(name, path))
        for name, path in written.items()
    }
    gaps = comparison.differences(network, predictors, views[:_COMPARED_VIEWS])
    rows = {
        name: {"format": name, "bytes": _size(path), **gaps[name]} for name, path in written.items()
    }
    found = {"files": list(rows.values())}
    if eval_data:
        protocol, images, errors = comparison.errors_on(network, predictors, eval_data, description)
        found |= {"protocol": protocol, "images": images, "keras_mae": errors["keras"]}
        for name, row in rows.items():
            row["mae"] = errors[name]
    del predictors
    bar.update(len(rows))
    if time_files:
        for name, row in rows.items():
            bar.set_description(f"timing {name}")
            row["median_milliseconds"] = latency.by_threads(
                _runtime(name), _network(name, written[name]), description["input_size"]
            )
            bar.update()
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


def _move(stage, written, places, report, out):
    """Puts what is finished in its place, together; the report last."""
    before = out / REPORT
    if before.is_file():
        report["files"] = _earlier_rows(before, report) + report["files"]
    files.write_json(stage / REPORT, report)
    moves = {
        part: places[name].with_name(part.name)
        for name, path in written.items()
        for part in sorted(path.parent.iterdir())
    }
    staging.publish(stage, {**moves, stage / REPORT: before})


def _earlier_rows(path, report):
    """The rows of an earlier export.json, with what it says of them and `report` says otherwise.

    A new version of the SavedModel is mostly of another model. A file that was removed and is now
    written again loses its row.
    """
    written = {row["file"] for row in report["files"]}
    advice = "remove it, and export into this folder again"
    before = damage.json_object("out", path, advice)
    with damage.told("out", path, advice):
        own = {name: before[name] for name in _OF_ALL_FILES if name in before}
        own = {name: value for name, value in own.items() if value != report.get(name)}
        return [{**own, **row} for row in before["files"] if row["file"] not in written]


def table(report):
    """export.json as text for a terminal, a line a file of this model and data."""
    lines = [f"compared with Keras on {report['compared_on']}"]
    if "protocol" in report:
        mean = report["keras_mae"]["mean"]
        lines.append(f"MAE: {report['protocol']}, {report['images']} images; Keras {mean:.3f}")
    titles = ("kB", "max diff", "mean diff", "MAE", *(f"ms {n} thr" for n in latency.THREADS))
    rows = []
    for row in report["files"]:
        if not row.keys().isdisjoint(_OF_ALL_FILES):
            continue
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
