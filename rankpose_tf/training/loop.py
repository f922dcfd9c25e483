"""One training run: from prepared shards to best.keras, resumable at any moment.

The step counter of the optimizer is the only clock: schedule, data order and epoch all follow
from it, so a run that was killed goes on exactly where its last checkpoint stands.
"""

import dataclasses
import functools
import math
import pathlib
import statistics
import sys
import time

import cv2
import keras
import tensorflow as tf
from absl import logging

import rankpose_tf
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, shards
from rankpose_tf.models import towers
from rankpose_tf.training import (
    begun_epoch,
    building,
    callbacks,
    distribution,
    held_out,
    starting,
)
from rankpose_tf.training.recipe import MIXED_PRECISION, SYNTHETIC
from rankpose_tf.training.stages import split, stages
from rankpose_tf.training.workdir import claimed, resume


def train(recipe, *, workdir, render=None, checkpoint_steps=0):
    """Trains RankPose, or goes on with a run that was stopped.

    Args:
      recipe: `recipe.Recipe`.
      workdir: folder of the run; gets flags.cfg, best.keras, last.keras, history.csv, logs and
        result.json.
      render: called with a folder, prepares rendered heads in it, where the recipe's data are
        "synthetic".
      checkpoint_steps: write last.keras every so many steps too; 0 at the end of epochs only.

    Returns:
      The content of result.json; None of a worker that is not the chief, which writes nothing.

    Raises:
      RankPoseError: for data that can't be trained with, a workdir of another run, or a loss that
        is not finite.
    """
    # Pairs are made side by side; threads of OpenCV's own for each would only wait for another.
    cv2.setNumThreads(1)
    devices = distribution.Devices(recipe.strategy)
    contents = {}
    if recipe.data != SYNTHETIC:
        contents["data"] = prepared_folder.fingerprint(recipe.data)
    if recipe.init:
        starting.check(recipe)
        contents["init"] = starting.checksum(recipe.init)
    if not devices.is_chief:
        with distribution.lost_workers_told(devices):
            return _train(recipe, pathlib.Path(workdir), recipe.data, checkpoint_steps, devices)
    with claimed(workdir, recipe, contents) as folder, distribution.lost_workers_told(devices):
        data = recipe.data
        if data == SYNTHETIC:
            data = folder / SYNTHETIC
            render(data)
        return _train(recipe, folder, data, checkpoint_steps, devices)


def _train(recipe, workdir, data, checkpoint_steps, devices):
    """`train` in a folder of its own, on prepared shards."""
    devices.check(recipe, len(prepared_folder.list_shards(data)))
    training_set = prepared_folder.read_description(data)["protocol_set"]
    parts = split(recipe, data)
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(MIXED_PRECISION[recipe.mixed_precision])
    siamese = _model(recipe, workdir, parts.epoch_steps, devices)
    step = callbacks.steps_of(siamese)
    devices.agree(step)
    logging.info(
        "%d identities, %d steps an epoch, at step %d", parts.identities, parts.epoch_steps, step
    )
    begun = begun_epoch.read(workdir / "last.keras")
    finished = step // parts.epoch_steps
    history = callbacks.History(workdir, 2 * recipe.batch_size, finished, begun)
    last_stage = recipe.epochs - recipe.photo_epochs if recipe.photo_epochs else 0
    about = building.description(recipe, training_set)
    savers = [
        history,
        callbacks.SaveBest(workdir, about, history.rows, last_stage),
        callbacks.SaveLast(workdir, checkpoint_steps, begun),
    ]
    run = [
        # Shown and trained on: the graph of a stream is made once.
        stage._replace(stream=functools.lru_cache(maxsize=1)(stage.stream))
        for stage in stages(
            recipe, data, parts, devices.replicas, (devices.worker, devices.workers)
        )
    ]
    hooks = _hooks(recipe, workdir, run[0].stream, savers, devices, checkpoint_steps)
    with shards.told(data):
        siamese = _fit_stages(recipe, workdir, siamese, run, parts.epoch_steps, hooks, devices)
    if not devices.is_chief:
        # The chief misses a worker that is gone, until it has written its last file.
        devices.wait()
        return None
    if not history.rows:
        raise RankPoseError(
            f"workdir: the run in {str(workdir)!r} is finished, and its history.csv, of which "
            "result.json is made, is gone; copy it back (best.keras is complete without it)"
        )
    compared = callbacks.of_last_stage(history.rows, last_stage)
    result = {
        "rankpose_tf": rankpose_tf.__version__,
        "recipe": dataclasses.asdict(recipe),
        "training_set": training_set,
        **_cost(siamese, history.rows, compared, parts.identities),
    }
    if recipe.init:
        result["start"] = starting.record(recipe.init)
    if parts.held_out:
        _add_held_out(result, recipe, workdir, data, parts)
    files.write_json(workdir / "result.json", result)
    devices.wait()
    return result


def _add_held_out(result, recipe, workdir, data, parts):
    """Adds the held-out errors of the best model, and of the one that the run started from."""
    errors = functools.partial(
        held_out.errors,
        data=data,
        threshold=parts.threshold,
        filter_angles=recipe.filter_angles,
        minimum_views=parts.minimum_views,
        batch_size=recipe.batch_size,
    )
    if recipe.init:
        result["start"]["held_out"] = errors(result["start"]["path"])
    result["held_out"] = errors(workdir)


def _model(recipe, workdir, epoch_steps, devices):
    """The model to go on with, or a new one."""
    with devices.scope():
        siamese = resume(workdir) or building.new_model(recipe, epoch_steps)
    _adapt(siamese, recipe, devices)
    return siamese


def _adapt(siamese, recipe, devices):
    """Makes a compiled model ready to be fitted on the devices."""
    devices.adapt(siamese, recipe)
    if not devices.several:
        building.make_variables(siamese)


def _fit_stages(recipe, workdir, siamese, run, epoch_steps, hooks, devices):
    """Fits what is left of every stage; returns the model, as `_fit` does."""
    step = callbacks.steps_of(siamese)
    for stage in run:
        if step >= stage.until * epoch_steps:
            continue
        if stage.photos:
            with devices.scope():
                building.compile_model(siamese, siamese.optimizer, recipe, ranking=False)
            _adapt(siamese, recipe, devices)
        siamese = _fit(recipe, workdir, siamese, stage, step, epoch_steps, hooks, devices)
        # Not the optimizer's: float16 leaves steps out, and the stage ended where it ends.
        step = stage.until * epoch_steps
    return siamese


def _hooks(recipe, workdir, stream, savers, devices, checkpoint_steps):
    """Callbacks in their order: nothing that is not finite may reach a saver."""
    hooks = [
        keras.callbacks.TerminateOnNaN(raise_error=True),
        callbacks.OnlyFinite(checkpoint_steps),
    ]
    if devices.is_chief:
        hooks += [
            *savers,
            keras.callbacks.TensorBoard(workdir / "logs", write_graph=False),
            callbacks.TrainingPictures(workdir / "logs" / "pictures", stream),
        ]
    else:
        hooks.append(callbacks.ReadAlong(checkpoint_steps))
    hooks.append(distribution.Wait(devices))
    return [*hooks, keras.callbacks.SwapEMAWeights()] if recipe.ema_decay else hooks


def _fit(recipe, workdir, siamese, stage, step, epoch_steps, hooks, devices):
    """Fits up to a stage's last epoch, from a step on: a begun epoch's rest, then whole ones.

    Returns:
      The model, which is another one where averaged weights were put aside.
    """
    verbose = (1 if sys.stdout.isatty() else 2) if devices.is_chief else 0
    validation = devices.validation(stage.validation())
    while step < stage.until * epoch_steps:
        epoch, done = divmod(step, epoch_steps)
        last = epoch + 1 if done else stage.until
        try:
            siamese.fit(
                devices.training(stage.stream, step),
                initial_epoch=epoch,
                epochs=last,
                steps_per_epoch=epoch_steps - done,
                validation_data=validation,
                callbacks=hooks,
                verbose=verbose,
                shuffle=False,
            )
        except RuntimeError as error:
            if "NaN or Inf loss" not in str(error):
                raise
            raise RankPoseError(
                "learning_rate or data: the loss was no longer finite at step "
                f"{callbacks.steps_of(siamese)}; last.keras and best.keras are those from "
                "before it. Lower --learning_rate, or look at the data, and start in another "
                "--workdir"
            ) from error
        step = last * epoch_steps
        if callbacks.averages_weights(siamese) and last < recipe.epochs:
            # Keras ends a fit with the averages as weights; the others are in the checkpoint.
            siamese = _model(recipe, workdir, epoch_steps, devices)
    return siamese


def _cost(siamese, rows, compared, identities):
    """The best figures of the epochs that are compared, and what the run cost."""
    best = min(compared, key=lambda row: row.get(callbacks.MONITORED, -row["epoch"]))
    seconds = sum(row["seconds"] for row in rows)
    return {
        "best_epoch": int(best["epoch"]),
        "best": {k: v for k, v in best.items() if math.isfinite(v)},
        "epochs": len(rows),
        "steps": int(rows[-1]["step"]),
        "training_identities": identities,
        "parameters": int(towers.single_image_model(siamese).count_params()),
        "seconds": round(seconds, 1),
        "images_per_second": round(statistics.median(row["images_per_second"] for row in rows), 2),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
