"""How long one picture takes in an exported file, each measured in a process of its own.

TensorFlow's number of threads belongs to its process and can't be changed once it runs, so a
format at one and at two threads can't be timed side by side in one.
"""

import multiprocessing
import statistics
import time

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import runtimes

THREADS = (1, 2)
_SECONDS = 1.5
_FEWEST_CALLS = 30
_LONGEST_SECONDS = 300


def by_threads(runtime, path, size):
    """Median milliseconds of one picture by number of threads, {"1": ..., "2": ...}.

    Args: as for `median_milliseconds`.
    """
    return {str(n): round(median_milliseconds(runtime, path, size, n), 3) for n in THREADS}


def median_milliseconds(runtime, path, size, threads):
    """Median time of one call with one picture, without loading and the first calls.

    Args:
      runtime: one of `runtimes.PREDICTORS`.
      path: the exported file or folder.
      size: side of the picture, pixels.
      threads: how many the format may use.

    Raises:
      RankPoseError: if the file can't be run by itself.
    """
    # Spawned, not forked: a forked process inherits TensorFlow's threads as they stand.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        call = pool.apply_async(_measure, (runtime, str(path), size, threads))
        try:
            return call.get(timeout=_LONGEST_SECONDS)
        except Exception as error:
            raise RankPoseError(
                f"out: {path.name} was written but could not be timed at {threads} threads "
                f"({type(error).__name__}: {error}); this is a fault of the export, report it"
            ) from error


def _measure(runtime, path, size, threads):
    predict = runtimes.PREDICTORS[runtime](path, threads)
    picture = np.full((1, size, size, 3), 128, np.uint8)
    for _ in range(5):
        predict(picture)
    times, began = [], time.perf_counter()
    while len(times) < _FEWEST_CALLS or time.perf_counter() - began < _SECONDS:
        start = time.perf_counter()
        predict(picture)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)
