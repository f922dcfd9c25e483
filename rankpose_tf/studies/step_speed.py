"""Milliseconds of a training step, against a plain Keras step of the same tower.

The Siamese step is on N pairs with the package's loss and metrics, the plain one on as many
pictures, 2N, with Keras' squared error and its mean absolute error. Ways to make the step cheaper
are timed beside: one call of the tower for both views, XLA, oneDNN, bfloat16, threads, sizes.
"""

import contextlib
import multiprocessing
import os
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core import tables
from rankpose_tf.models import towers
from rankpose_tf.studies import machine
from rankpose_tf.training import losses

# Tower -> input size, pairs of a step, steps of each kind in a round.
TOWERS = {"compact": (80, 32, 6), "resnet50": (224, 4, 2)}
# Name -> whether oneDNN is on, and what is set beside, which is tried with the compact tower alone:
# to compile three ResNet50 with XLA, or to run them in bfloat16 on a CPU, takes an hour.
_WAYS = {
    "oneDNN off": ("0", {}),
    "oneDNN on": ("1", {}),
    "oneDNN on, XLA": ("1", {"jit_compile": True}),
    "oneDNN on, bfloat16": ("1", {"policy": "mixed_bfloat16"}),
}
PLAIN, SIAMESE, ONE_CALL = "plain Keras", "Siamese", "Siamese, one call"
_ROUNDS = 5
# Input size, pairs, threads.
_SIZES = [(size, 32, threads) for size in (64, 80, 112) for threads in (1, 2)]
_SIZES += [(80, pairs, 2) for pairs in (16, 64)]


def measure(chosen=tuple(TOWERS)):
    """All figures; the kinds of step take turns, five times.

    Args:
      chosen: names of `TOWERS`.

    Returns:
      JSON-able dict: machine; towers (tower -> way -> kind -> {median, least, most} milliseconds,
      and ratio, its median over the plain one's; normalization, see `_statistics_gap`); sizes
      (pictures a second of the compact tower by input size, pairs and threads).
    """
    figures = {"machine": machine.describe(), "towers": {}, "sizes": []}
    for tower in chosen:
        ways = {
            name: _apart(onednn, None, _kinds, tower, more)
            for name, (onednn, more) in _WAYS.items()
            if tower == "compact" or not more
        }
        gap = _apart("0", None, _statistics_gap, tower)
        figures["towers"][tower] = {"ways": ways, "normalization": gap}
    if "compact" in chosen:
        for size, pairs, threads in _SIZES:
            rate = _apart("1", threads, _pictures_a_second, size, pairs)
            figures["sizes"].append(
                {"input_size": size, "pairs": pairs, "threads": threads, "pictures": rate}
            )
    return figures


def _apart(onednn, threads, function, *arguments):
    """The result of a function in a process of its own: what is set for it is set once."""
    before = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = onednn
    try:
        with multiprocessing.get_context("spawn").Pool(1, _threads, (threads,)) as pool:
            return pool.apply(function, arguments)
    finally:
        with contextlib.suppress(KeyError):
            del os.environ["TF_ENABLE_ONEDNN_OPTS"]
        if before is not None:
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = before


def _threads(count):
    if count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)


def _kinds(tower, more):
    """Milliseconds of each kind of step."""
    size, pairs, steps = TOWERS[tower]
    if "policy" in more:
        keras.mixed_precision.set_global_policy(more["policy"])
    jit = more.get("jit_compile", False)
    calls = {kind: _step(kind, tower, size, pairs, jit) for kind in (PLAIN, SIAMESE, ONE_CALL)}
    spent = {kind: [] for kind in calls}
    for _ in range(_ROUNDS):
        for kind, call in calls.items():
            start = time.perf_counter()
            for _ in range(steps):
                call()
            spent[kind].append(1e3 * (time.perf_counter() - start) / steps)
    plain = statistics.median(spent[PLAIN])
    return {
        kind: {
            "median": statistics.median(times),
            "least": min(times),
            "most": max(times),
            "ratio": statistics.median(times) / plain,
        }
        for kind, times in spent.items()
    }


def _step(kind, tower, size, pairs, jit_compile=False):
    """A training step, called twice so that it is compiled."""
    model, batch = _model(kind, tower, size), _batch(kind, size, pairs)
    if kind == PLAIN:
        model.compile("adam", "mse", metrics=["mae"], jit_compile=jit_compile)
    else:
        metrics = losses.training_metrics()
        model.compile("adam", losses.RankPoseLoss(), metrics=metrics, jit_compile=jit_compile)

    def step():
        model.train_on_batch(*batch)

    step(), step()
    return step


def _model(kind, tower, size):
    network = towers.build_tower(tower, size, "cosine", "none")
    if kind == PLAIN:
        return network
    if kind == SIAMESE:
        return towers.build_siamese(network, size)
    views = [keras.Input((size, size, 3)) for _ in range(2)]
    poses = network(keras.ops.concatenate(views))
    return keras.Model(views, keras.ops.stack(keras.ops.split(poses, 2), axis=1))


def _batch(kind, size, pairs):
    generator = np.random.default_rng(0)
    views = [
        tf.constant(generator.integers(0, 256, (pairs, size, size, 3), np.uint8)) for _ in range(2)
    ]
    poses = tf.constant(generator.uniform(-1.0, 1.0, (pairs, 2, 3)), tf.float32)
    if kind == PLAIN:
        return tf.concat(views, 0), tf.reshape(tf.transpose(poses, (1, 0, 2)), (-1, 3))
    return views, poses


def _statistics_gap(tower, batches=20):
    """How far the normalisation's moving statistics come apart between one call and two.

    Both see the same pictures and learn nothing. Two calls move the statistics twice a step, each
    time to half of the pictures.

    Returns:
      Dict of the layer in which it is most: mean, by how many standard deviations the moving
      means differ, averaged over channels; deviation, by what share the moving deviations do.
    """
    size, pairs, _ = TOWERS[tower]
    models = {kind: _model(kind, tower, size) for kind in (SIAMESE, ONE_CALL)}
    networks = {kind: towers.single_image_model(model) for kind, model in models.items()}
    networks[ONE_CALL].set_weights(networks[SIAMESE].get_weights())
    generator = np.random.default_rng(1)
    for _ in range(batches):
        shape = pairs, size, size, 3
        views = [np.float32(generator.integers(0, 256, shape)) for _ in range(2)]
        for model in models.values():
            model(views, training=True)
    layers = zip(*map(towers.normalizations, networks.values()), strict=True)
    means, deviations = [], []
    for one, other in layers:
        scale = np.sqrt(one.moving_variance.numpy() + one.epsilon)
        means.append(np.abs(one.moving_mean.numpy() - other.moving_mean.numpy()) / scale)
        deviations.append(np.abs(np.sqrt(other.moving_variance.numpy() + one.epsilon) / scale - 1))
    return {
        "mean": float(max(values.mean() for values in means)),
        "deviation": float(max(values.mean() for values in deviations)),
    }


def _pictures_a_second(size, pairs):
    steps = TOWERS["compact"][2]
    step = _step(SIAMESE, "compact", size, pairs)
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        times.append((time.perf_counter() - start) / steps)
    return 2 * pairs / statistics.median(times)


def table(figures):
    """The figures as text for a terminal."""
    parts = [machine.line(figures["machine"])]
    for tower, rows in figures["towers"].items():
        size, pairs, _ = TOWERS[tower]
        header = (f"{tower}, {size} px, {pairs} pairs: ms a step", PLAIN, SIAMESE, ONE_CALL)
        cells = [
            (way, *(f"{kinds[kind]['median']:.0f} ({kinds[kind]['ratio']:.2f})" for kind in kinds))
            for way, kinds in rows["ways"].items()
        ]
        gap = rows["normalization"]
        parts.append(
            tables.aligned(header, cells)
            + f"\nmoving statistics of one call from those of two: means {gap['mean']:.3f} "
            f"deviations, deviations {gap['deviation']:.1%}"
        )
    if figures["sizes"]:
        rows = [tuple(row.values())[:3] + (f"{row['pictures']:.0f}",) for row in figures["sizes"]]
        parts.append(tables.aligned(("input size", "pairs", "threads", "pictures a second"), rows))
    return "\n\n".join(parts)
