"""Time and memory of preparing many pictures, and of reading pairs of what was prepared."""

import concurrent.futures
import contextlib
import csv
import itertools
import math
import multiprocessing
import pathlib
import tempfile
import threading
import time

import cv2

from rankpose_tf.core import tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import synthetic
from rankpose_tf.studies import input_speed, machine

# 300W-LP has 61,225 photos and views, and each mirrored.
OF_300W_LP = 122_450
_PICTURES = 64
_SIDE = 120
_VIEWS = 8
_BATCHES = 300
_SETTING = "compact, 80 px"


def measure(count):
    """Prepares so many views, copies of few pictures under as many identities, and reads pairs.

    Args:
      count: views.

    Raises:
      RankPoseError: for fewer than an identity has.

    Returns:
      JSON-able dict: machine, views, prepare (seconds, views_per_second, megabytes: the peak of
      the process and its workers together), input (batches, megabytes_begun after a tenth of
      them, megabytes at the peak). Memory is 0 where the system is not Linux.
    """
    if count < _VIEWS:
        raise RankPoseError(f"count: expected {_VIEWS} views or more, received {count}")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        _write_source(scratch / "source", count)
        prepared = _apart(_prepare, scratch / "source", scratch / "prepared")
        prepared["views_per_second"] = count / prepared["seconds"]
        read = _apart(_read, scratch / "prepared")
    return {"machine": machine.describe(), "views": count, "prepare": prepared, "input": read}


def _apart(function, *arguments):
    """In a process of its own, whose peak is its own."""
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawned) as pool:
        return pool.submit(function, *arguments).result()


def _write_source(folder, count):
    folder.mkdir()
    boxes = []
    for number in range(_PICTURES):
        turn = math.sin(number)
        picture, box = synthetic.render(number, (0.8 * turn, 0.2 * turn, 0.0), _SIDE)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture[..., ::-1])
        boxes.append(box)
    with open(folder / "faces.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow("image,identity,yaw,pitch,roll,left,top,right,bottom".split(","))
        for row in range(count):
            # The views of an identity are different pictures, or they would count as one.
            number = row % _PICTURES
            angles = f"{60 * math.sin(number):.2f}", "5.0", "0.0"
            writer.writerow([f"{number}.jpg", f"id{row // _VIEWS}", *angles, *boxes[number]])


def _prepare(source, out):
    from rankpose_tf.preparation.prepare import prepare

    start = time.perf_counter()
    with _Memory() as memory:
        prepare(source, out, kind="manifest", progress=False, label_unit="degrees")
    return {"seconds": time.perf_counter() - start, "megabytes": memory.megabytes}


def _read(folder):
    from rankpose_tf.data import identity_split, pairs, prepared_folder

    recipe = input_speed.recipe_of(_SETTING)
    table = prepared_folder.read_identity_table(folder)
    stream = pairs.training_pairs(
        folder,
        input_size=recipe.input_size,
        batch_size=recipe.batch_size,
        round_length=identity_split.count_training_identities(table, -1, True),
        augmentation=recipe.augmentation,
    )
    with _Memory() as memory:
        for number, _ in enumerate(itertools.islice(stream, _BATCHES)):
            if number == _BATCHES // 10:
                begun = memory.megabytes
    return {"batches": _BATCHES, "megabytes_begun": begun, "megabytes": memory.megabytes}


class _Memory:
    """Looks every tenth of a second at what this process and its workers hold."""

    def __init__(self):
        self.megabytes = 0.0
        self._ended = threading.Event()
        self._looks = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._looks.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._looks.join()

    def _look(self):
        while not self._ended.wait(0.1):
            self.megabytes = max(self.megabytes, _held())


def _held():
    """Megabytes of this process and its children, as Linux tells them; 0 elsewhere."""
    own = pathlib.Path("/proc/self")
    workers = " ".join(path.read_text() for path in own.glob("task/*/children")).split()
    kilobytes = 0
    for process in (own, *(pathlib.Path("/proc", worker) for worker in workers)):
        # A worker may have ended meanwhile.
        with contextlib.suppress(OSError):
            # What processes share, TensorFlow's libraries above all, counts once.
            rows = (process / "smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return kilobytes / 1024


def table(figures):
    """The figures as text for a terminal."""
    prepared, read = figures["prepare"], figures["input"]
    rows = [
        (
            f"prepare, {figures['views']} views",
            f"{prepared['seconds']:.0f}",
            f"{prepared['views_per_second']:.0f}",
            f"{prepared['megabytes']:.0f}",
        ),
        (
            f"input, {read['batches']} batches",
            "",
            "",
            f"{read['megabytes']:.0f} ({read['megabytes_begun']:.0f} after a tenth)",
        ),
    ]
    header = ("", "seconds", "views a second", "peak, megabytes")
    return f"{machine.line(figures['machine'])}\n\n{tables.aligned(header, rows)}"
