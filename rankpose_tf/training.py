"""One training run: from prepared shards to best.keras, resumable at any moment.

The step counter of the optimizer is the only clock: schedule, data order and epoch all follow
from it, so a run that was killed goes on exactly where its last checkpoint stands.
"""

import functools
import math
import pathlib
import statistics
import sys
import time

import keras
import tensorflow as tf
from absl import logging

import rankpose_tf
from rankpose_tf import callbacks, files, losses, model
from rankpose_tf.data import pairs, records
from rankpose_tf.errors import RankPoseError

MIXED_PRECISION = {"none": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def claim_workdir(workdir, settings):
    """Makes `workdir` this run's own, or checks that it already is.

    Args:
      workdir: folder; made if absent.
      settings: dict of the flags as run, written to flags.cfg as a flagfile.

    Returns:
      The folder as a path.

    Raises:
      RankPoseError: if the folder holds something else, or a run with other flags.
    """
    workdir = pathlib.Path(workdir)
    record = workdir / "flags.cfg"
    lines = [f"--{name}={value}" for name, value in sorted(settings.items())]
    if workdir.exists() and not workdir.is_dir():
        raise RankPoseError(f"workdir: {str(workdir)!r} is a file; pass a folder")
    if record.is_file() and (workdir / "last.keras").is_file():
        before = record.read_text(encoding="utf-8").splitlines()
        differing = sorted(set(before) ^ set(lines))
        if differing:
            raise RankPoseError(
                f"workdir: {str(workdir)!r} holds a run with other flags ({' '.join(differing)}); "
                "pass the same flags to go on with it, or another --workdir"
            )
    elif workdir.is_dir() and any(workdir.iterdir()) and not record.is_file():
        raise RankPoseError(
            f"workdir: {str(workdir)!r} is not empty and holds no training run; pass a new folder"
        )
    else:
        # A run that never reached a checkpoint, stopped by a wrong flag say, binds no one.
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_text(record, "\n".join(lines) + "\n")
    return workdir


def train(
    *,
    workdir,
    data,
    tower="resnet50",
    tower_weights="auto",
    input_size=224,
    transform="arccos",
    beta=0.5,
    loss_unit="radians",
    learning_rate=1e-3,
    batch_size=128,
    epochs=80,
    pairs_per_identity=5,
    steps_per_epoch=0,
    validation_identities=200,
    filter_angles=True,
    crop_scale=1.4,
    augmentation=None,
    seed=0,
    mixed_precision="none",
    jit_compile=False,
    checkpoint_steps=0,
):
    """Trains RankPose; the defaults are the paper's recipe (section 4.1).

    Args:
      workdir: folder from `claim_workdir`; gets best.keras, last.keras, history.csv, logs,
        result.json.
      data: prepared shards.
      tower, tower_weights, input_size, transform: see `model.build_tower`.
      beta, loss_unit: see `losses.RankPoseLoss`.
      learning_rate: Adam's at the first step; one cosine decay to 0 at the last.
      batch_size: pairs a step.
      epochs: of `pairs_per_identity` pairs of every identity each.
      steps_per_epoch: overrides the length of an epoch; 0 follows the data.
      validation_identities: held out of training, to choose the best epoch by.
      filter_angles: leave out views with an angle over 99 degrees.
      crop_scale: of evaluation; the smallest of training.
      augmentation: keyword arguments of `recipe.augment_pair`; None is none. The paper names crop,
        scale, noise and blur without figures; ours are defaults of `rankpose_tf.train`'s flags.
      seed: of weights, data order and augmentation.
      mixed_precision: "none", "float16" or "bfloat16". float16 skips a step whose gradients
        overflow, and the step counter with it: a resumed run makes such steps up.
      jit_compile: compile the training step with XLA.
      checkpoint_steps: write last.keras every so many steps too; 0 at the end of epochs only.

    Returns:
      The content of result.json.

    Raises:
      RankPoseError: for values that can't be trained with, or a loss that is not finite.
    """
    workdir = pathlib.Path(workdir)
    about = {
        "rankpose_tf": rankpose_tf.__version__,
        "tower": tower,
        "input_size": input_size,
        "transform": transform,
        "crop_scale": crop_scale,
        "beta": beta,
        "loss_unit": loss_unit,
        "training_set": records.read_description(data)["protocol_set"],
        "seed": seed,
    }
    threshold, identities = _split(data, validation_identities, filter_angles)
    epoch_steps = steps_per_epoch or max(1, identities * pairs_per_identity // batch_size)
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(MIXED_PRECISION[mixed_precision])
    siamese = _resume(workdir)
    if siamese is None:
        siamese = model.build_siamese(
            model.build_tower(tower, input_size, transform, tower_weights), input_size
        )
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * epoch_steps)
        siamese.compile(
            keras.optimizers.Adam(schedule),
            losses.RankPoseLoss(beta, loss_unit),
            metrics=losses.training_metrics(loss_unit),
            jit_compile=jit_compile,
        )
    crops = {
        "input_size": input_size,
        "batch_size": batch_size,
        "threshold": threshold,
        "filter_angles": filter_angles,
        "crop_scale": crop_scale,
    }
    stream = functools.partial(
        pairs.training_pairs,
        data,
        seed=seed,
        training_identities=identities,
        augmentation=augmentation,
        **crops,
    )
    validation = pairs.validation_pairs(data, **crops) if validation_identities else None
    step = int(siamese.optimizer.iterations)
    logging.info("%d identities, %d steps an epoch, at step %d", identities, epoch_steps, step)
    history = callbacks.History(workdir, 2 * batch_size, finished_epochs=step // epoch_steps)
    hooks = [
        callbacks.StopOnNotFinite(),
        history,
        callbacks.SaveBest(workdir, about, history.rows),
        callbacks.SaveLast(workdir, checkpoint_steps),
        keras.callbacks.TensorBoard(workdir / "logs", write_graph=False),
        callbacks.TrainingPictures(workdir / "logs" / "pictures", stream),
    ]
    _fit(siamese, stream, validation, step, epoch_steps, epochs, hooks)
    return _write_result(workdir, siamese, history.rows, about, identities)


def _split(data, validation_identities, filter_angles):
    """The hash that divides held-out from training identities, and how many train.

    Raises:
      RankPoseError: if nothing is left to train on.
    """
    table = records.read_identity_table(data)
    threshold = pairs.held_out_threshold(table, validation_identities)
    identities = pairs.count_training_identities(table, threshold, filter_angles)
    if identities == 0:
        raise RankPoseError(
            f"data: {str(data)!r} holds no identity with two usable views to train on; "
            "see its dataset.json for what was skipped"
        )
    return threshold, identities


def _resume(workdir):
    """The compiled model of last.keras, or None for a run that has no checkpoint yet."""
    path = workdir / "last.keras"
    if not path.is_file():
        return None
    try:
        return keras.models.load_model(path)
    except Exception as error:  # Keras reports damage by many types, from KeyError to OSError.
        raise RankPoseError(
            f"workdir: the checkpoint {str(path)!r} could not be read ({error}); remove it to "
            "start this run anew, or pass another --workdir"
        ) from error


def _fit(siamese, stream, validation, step, epoch_steps, epochs, hooks):
    """Fits from `step` to the end: what is left of a begun epoch, then the whole ones."""
    verbose = 1 if sys.stdout.isatty() else 2
    while step < epochs * epoch_steps:
        epoch, done = divmod(step, epoch_steps)
        last = epoch + 1 if done else epochs
        try:
            siamese.fit(
                stream(start_step=step),
                initial_epoch=epoch,
                epochs=last,
                steps_per_epoch=epoch_steps - done,
                validation_data=validation,
                callbacks=hooks,
                verbose=verbose,
                shuffle=False,
            )
        except FloatingPointError as error:
            raise RankPoseError(
                f"learning_rate or data: {error}; last.keras and best.keras are those from before "
                "it. Lower --learning_rate, or look at the data, and start in another --workdir"
            ) from error
        step = last * epoch_steps


def _write_result(workdir, siamese, rows, about, identities):
    """result.json: the best epoch's figures, and what the run cost."""
    best = min(rows, key=lambda row: row.get(callbacks.MONITORED, -row["epoch"]))
    seconds = sum(row["seconds"] for row in rows)
    result = {
        **about,
        "best_epoch": int(best["epoch"]),
        "best": {k: v for k, v in best.items() if math.isfinite(v)},
        "epochs": len(rows),
        "steps": int(rows[-1]["step"]),
        "training_identities": identities,
        "parameters": int(model.single_image_model(siamese).count_params()),
        "seconds": round(seconds, 1),
        "images_per_second": round(statistics.median(row["images_per_second"] for row in rows), 2),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    files.write_json(workdir / "result.json", result)
    return result
