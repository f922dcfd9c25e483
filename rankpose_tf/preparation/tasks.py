"""The work of `prepare`, cut into tasks: one task writes one shard, in this process or another.

A shard is written beside its name and renamed; then a small file in progress/ describes it. A
task with both has been done and is never done again.
"""

import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import os
import pathlib
import signal
import threading

import numpy as np
import tqdm

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records
from rankpose_tf.preparation import readers, sources, views

HISTOGRAM_EDGES = tuple(range(-180, 181, 15))
# What is told of a shard.
_SHARD = {"file": str, "identities": int, "views": int, "bytes": int, "checksum": str}
# Bytes of what is told of a view and of an identity, beside their names.
_ROW = 400


@dataclasses.dataclass(frozen=True)
class Task:
    """One shard: which identities go into it, and where it lies."""

    index: int
    count: int
    out: pathlib.Path
    kind: str
    identities: list
    minimum_views: int

    @property
    def shard(self):
        return self.out / prepared_folder.shard_name(self.index, self.count)

    @property
    def statistics(self):
        return self.out / "progress" / f"{self.index:05d}.json"

    @property
    def views(self):
        return sum(len(identity.views) for identity in self.identities)


def cut(plan, out, shards):
    """The tasks of a plan, as a list: `shards` of them, but never more than identities."""
    count = max(1, min(shards, len(plan.identities)))
    cuts = np.linspace(0, len(plan.identities), count + 1).round().astype(int)
    return [
        Task(
            index=index,
            count=count,
            out=out,
            kind=plan.kind,
            identities=plan.identities[cuts[index] : cuts[index + 1]],
            minimum_views=plan.minimum_views,
        )
        for index in range(count)
    ]


def _is_done(task):
    if not (task.statistics.is_file() and task.shard.is_file()):
        return False
    try:
        return read_statistics(task)["shard"]["bytes"] == task.shard.stat().st_size
    except RankPoseError:  # It is damaged, and made again.
        return False


def read_statistics(task):
    """What a finished task counted: dict of shard, rows, skipped and histogram (3, bins).

    Raises:
      RankPoseError: if its file is damaged.
    """
    advice = "run the same command again"
    counted = damage.json_object("out", task.statistics, advice, largest=_largest(task))
    with damage.told("out", task.statistics, advice):
        histogram = np.reshape(counted["histogram"], (3, len(HISTOGRAM_EDGES) - 1))
        return {
            "shard": {name: kind(counted["shard"][name]) for name, kind in _SHARD.items()},
            "rows": [prepared_folder.identity_row(row) for row in counted["rows"]],
            "skipped": [(str(path), str(reason)) for path, reason in counted["skipped"]],
            "histogram": histogram.astype(int),
        }


def _largest(task):
    """Bytes that the statistics may have: each name of the task once, and what stands beside."""
    names = [
        (identity.name, identity.group, [view.path for view in identity.views])
        for identity in task.identities
    ]
    rows = task.views + len(task.identities)
    return damage.LARGEST_JSON + len(json.dumps(names)) + _ROW * rows


def run(plan, tasks, workers, progress):
    """Writes the shards that are not there yet.

    Args:
      plan: `plan.Plan`.
      tasks: list of `Task`.
      workers: processes; 1 is none but this one.
      progress: show a progress bar.

    Raises:
      RankPoseError: if a worker process was killed.
    """
    open_tasks = [task for task in tasks if not _is_done(task)]
    total = sum(task.views for task in tasks)
    done = total - sum(task.views for task in open_tasks)
    workers = min(workers, len(open_tasks))
    write = _run_here if workers <= 1 else _run_in_processes
    with tqdm.tqdm(total=total, initial=done, unit=" views", disable=not progress) as bar:
        for views in write(plan, open_tasks, workers):
            bar.update(views)


def _run_here(plan, tasks, workers):
    del workers
    with contextlib.closing(sources.open_source(plan.path)) as source:
        for task in tasks:
            yield _write(task, source)


def _run_in_processes(plan, tasks, workers):
    pool = concurrent.futures.ProcessPoolExecutor(
        workers,
        # TensorFlow's threads do not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(plan.path,),
    )
    try:
        for future in concurrent.futures.as_completed(
            [pool.submit(_write_in_worker, task) for task in tasks]
        ):
            yield future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise RankPoseError(
            "workers: a worker process was killed, perhaps for want of memory; the same command "
            f"goes on from here, with fewer than --workers={workers} if it happens again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker_source = None


def _start_worker(path):
    global _worker_source
    # The parent answers Ctrl-C; and a killed parent must not leave workers that still write.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with _silent_stderr():
        import tensorflow as tf

        tf.config.list_logical_devices()
    _worker_source = sources.open_source(path)


@contextlib.contextmanager
def _silent_stderr():
    """TensorFlow greets from C++ when it starts, whatever its log level, across the bar."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _write_in_worker(task):
    return _write(task, _worker_source)


def _write(task, source):
    """Writes one shard, then its statistics; returns how many views it dealt with."""
    rows, skipped, poses = [], [], [np.zeros((0, 3), np.float32)]

    def counted():
        for identity in _read(task, source, skipped):
            angles = np.stack([view.pose for view in identity.views])
            poses.append(angles)
            rows.append(
                {
                    "identity": identity.name,
                    "group": identity.group,
                    "shard": task.index,
                    "views": len(angles),
                    "views_within_limit": int(records.within_limit(angles).sum()),
                }
            )
            yield identity

    records.write_shard(task.shard, counted())
    degrees = np.clip(np.degrees(np.concatenate(poses)), -180.0, 180.0)
    shard = {
        "file": task.shard.name,
        "identities": len(rows),
        "views": len(degrees),
        "bytes": task.shard.stat().st_size,
        "checksum": prepared_folder.checksum(task.shard),
    }
    counts = [np.histogram(angle, HISTOGRAM_EDGES)[0].tolist() for angle in degrees.T]
    files.write_json(
        task.statistics, {"shard": shard, "rows": rows, "skipped": skipped, "histogram": counts}
    )
    return task.views


def _read(task, source, skipped):
    """Yields a task's usable identities; adds (path, reason) of what is not to `skipped`."""
    reader = readers.READERS[task.kind]
    for listed in task.identities:
        usable, paths = [], []
        for view in listed.views:
            try:
                usable.append(reader.read_view(source, view))
                paths.append(view.path)
            except views.SkippedView as reason:
                skipped.append((view.path, str(reason)))
        if len(usable) >= task.minimum_views:
            yield records.Identity(listed.name, listed.group, tuple(usable))
        else:
            skipped.extend((path, views.TOO_FEW_VIEWS) for path in paths)
