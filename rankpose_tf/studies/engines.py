"""How long until the first pose, and how long one face takes in every engine that is installed."""

import importlib.util
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

import rankpose_tf
from rankpose_tf.core import tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import synthetic
from rankpose_tf.exporting import run as exporting
from rankpose_tf.exporting.formats import FORMATS
from rankpose_tf.inference import runtimes
from rankpose_tf.models import shipped

THREADS = (1, 2)
_STARTS = 5
_ROUNDS = 40
_CALLS = 10
# What `load()` gives, beside the engines: the figures are ratios to it.
ESTIMATOR = "load()"
# Engine -> the format of the export that it runs, and the package that it needs.
_ENGINES = {
    "tensorflow, folded": ("folded", "folded", "tensorflow"),
    "onnxruntime": ("onnx", "onnx", "onnxruntime"),
    "openvino": ("openvino", "openvino", "openvino"),
}
_FIRST_POSE = """
import sys, rankpose_tf
model, runtime, picture = sys.argv[1:]
print(rankpose_tf.load(model, runtime=runtime).predict(picture, box=(90, 90, 360, 360)))
"""


def measure(name=None):
    """Both figures of a shipped model.

    Args:
      name: one of `shipped.MODELS`; None is the default.

    Returns:
      JSON-able dict: first_pose, engines, as from the functions below.

    Raises:
      RankPoseError: if there is no such shipped model.
    """
    name = name or shipped.DEFAULT
    if name not in shipped.MODELS:
        raise RankPoseError(
            f"model: expected one of {', '.join(shipped.MODELS)}, received {name!r}; the files of "
            "other models are timed by rankpose export"
        )
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        return {"first_pose": first_pose(name, scratch), "engines": engines(name, scratch)}


def first_pose(name, scratch):
    """Seconds from a fresh interpreter to the pose of one picture with a box.

    Returns:
      Dict of runtime -> median seconds of starts that take turns, and ratio (Keras over LiteRT).
    """
    picture = scratch / "picture.jpg"
    cv2.imwrite(str(picture), synthetic.render(1, (0.3, 0.1, 0.0), 450)[0][..., ::-1])
    spent = {"litert": [], "keras": []}
    for _ in range(_STARTS):
        for runtime, seconds in spent.items():
            start = time.perf_counter()
            _start(name, runtime, picture)
            seconds.append(time.perf_counter() - start)
    medians = {runtime: statistics.median(seconds) for runtime, seconds in spent.items()}
    return {**medians, "ratio": medians["keras"] / medians["litert"]}


def _start(name, runtime, picture):
    code = [sys.executable, "-c", _FIRST_POSE, name, runtime, str(picture)]
    try:
        subprocess.run(code, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise RankPoseError(f"model: {name!r} gave no pose: {error.stderr[-500:]}") from error


def engines(name, scratch):
    """Milliseconds of one face in float32, and what the estimator takes over the fastest engine.

    Returns:
      Dict of threads ("1", "2", "default": each engine's own choice) -> dict of engine ->
      {median, least, ratio (its median over the estimator's)}.
    """
    formats = [kind for kind, _, package in _ENGINES.values() if importlib.util.find_spec(package)]
    exporting.export(
        model=shipped.path(name), out=scratch / "files", formats=formats, time_files=False
    )
    found = {}
    for threads in (*THREADS, None):
        # TensorFlow's threads belong to its process, and a forked one has none of them.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows = pool.apply(_times, (name, scratch / "files", formats, threads))
        found[str(threads or "default")] = rows
    return found


def _times(name, folder, formats, threads):
    estimator = rankpose_tf.load(name, threads=threads)
    calls = {ESTIMATOR: estimator.predict_crops}
    for engine, (kind, runtime, _) in _ENGINES.items():
        if kind in formats:
            calls[engine] = runtimes.PREDICTORS[runtime](str(folder / FORMATS[kind][1]), threads)
    generator = np.random.default_rng(0)
    crop = generator.integers(0, 256, (1, *[estimator.input_size] * 2, 3), np.uint8)
    spent = {engine: [] for engine in calls}
    for _ in range(_ROUNDS):
        for engine, call in calls.items():
            # The threads of the one before may still be waiting for work, and take a core.
            time.sleep(0.02)
            spent[engine] += _after_warming(call, crop)
    own = statistics.median(spent[ESTIMATOR])
    return {
        engine: {
            "median": statistics.median(times),
            "least": min(times),
            "ratio": statistics.median(times) / own,
        }
        for engine, times in spent.items()
    }


def _after_warming(call, crop):
    """Milliseconds of each of some calls, after three that are not counted."""
    times = []
    for _ in range(3 + _CALLS):
        start = time.perf_counter()
        call(crop)
        times.append(1e3 * (time.perf_counter() - start))
    return times[3:]


def table(figures):
    """The figures as text for a terminal."""
    first, by_threads = figures["first_pose"], figures["engines"]
    heads = [f"{unit}, {threads}" for unit in ("ms", "ratio") for threads in by_threads]
    rows = [
        (
            engine,
            *(f"{rows[engine]['median']:.2f}" for rows in by_threads.values()),
            *(f"{rows[engine]['ratio']:.2f}" for rows in by_threads.values()),
        )
        for engine in by_threads["default"]
    ]
    return (
        f"first pose of a fresh interpreter: {first['litert']:.2f} s, through Keras "
        f"{first['keras']:.2f} s: {first['ratio']:.1f} times as long\n\n"
        + tables.aligned(("one face, float32, by threads", *heads), rows)
    )
