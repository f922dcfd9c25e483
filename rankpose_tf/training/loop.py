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
import typing

import keras
import tensorflow as tf
from absl import logging

import rankpose_tf
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs as pair_streams
from rankpose_tf.data import records
from rankpose_tf.models import towers
from rankpose_tf.training import callbacks, held_out, losses
from rankpose_tf.training.workdir import resume

MIXED_PRECISION = {"none": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def train(
    *,
    workdir,
    data,
    tower="resnet50",
    tower_weights="auto",
    input_size=224,
    transform="arccos",
    separate_features=False,
    compact_width=1.0,
    beta=0.5,
    loss_unit="radians",
    regression="squared",
    learning_rate=1e-3,
    ema_decay=0.0,
    batch_size=128,
    epochs=80,
    pairs_per_identity=5,
    steps_per_epoch=0,
    pairs="identity",
    photo_epochs=0,
    first_view_probability=0.0,
    training_identities=0,
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
      workdir: folder from `workdir.claim_workdir`; gets best.keras, last.keras, history.csv, logs,
        result.json.
      data: prepared shards.
      tower, tower_weights, input_size, transform, separate_features: see `towers.build_tower`.
      compact_width: of the compact tower, see `compact.compact_features`.
      beta, loss_unit, regression: see `losses.RankPoseLoss`.
      learning_rate: Adam's at the first step; one cosine decay to 0 at the last.
      ema_decay: of a running average of the weights, which is then what is validated and kept in
        best.keras; 0 keeps none. The moving statistics of BatchNormalization, averages over some
        50 steps, are those of the weights as trained.
      batch_size: pairs a step.
      epochs: of `pairs_per_identity` pairs of every identity each.
      steps_per_epoch: overrides the length of an epoch; 0 follows the data.
      pairs: who is in a pair, see `data.pairs.training_pairs`. Held-out pairs are of one identity.
      photo_epochs: last epochs of the run, which train on photos, the first views of identities,
        alone: two of two identities in the place of a pair, with regression alone, weighted as
        before. Held-out photos choose the best of these epochs.
      first_view_probability: share of the pairs that are made to have the photo that an identity's
        views were rendered from, see `data.two_views.draw`.
      training_identities: how many to train on, see `data.pairs.choose_identities`; 0 is all.
      validation_identities: held out of training, to choose the best epoch by.
      filter_angles: leave out views with an angle over 99 degrees.
      crop_scale: of evaluation; the smallest of training.
      augmentation: keyword arguments of `pair_augmentation.augment_pair`; None is none. The paper
        names crop, scale, noise and blur without figures; ours are defaults of
        `rankpose_tf.train`'s flags.
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
    if photo_epochs > (epochs if beta > 0 else 0):
        raise RankPoseError(
            f"photo_epochs: expected at most {epochs}, the epochs, and 0 where beta is 0, "
            f"received {photo_epochs} with beta {beta}"
        )
    workdir = pathlib.Path(workdir)
    shape = _compact_shape(tower, compact_width)
    terms = {"loss_unit": loss_unit, "regression": regression}
    about = {
        "rankpose_tf": rankpose_tf.__version__,
        "tower": tower,
        "input_size": input_size,
        "transform": transform,
        "separate_features": separate_features,
        "crop_scale": crop_scale,
        **shape,
        "beta": beta,
        **terms,
        "pairs": pairs,
        "photo_epochs": photo_epochs,
        "first_view_probability": first_view_probability,
        "training_set": records.read_description(data)["protocol_set"],
        "seed": seed,
    }
    threshold, chosen, identities = _split(
        data, validation_identities, training_identities, filter_angles
    )
    epoch_steps = steps_per_epoch or max(1, identities * pairs_per_identity // batch_size)
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(MIXED_PRECISION[mixed_precision])
    siamese = resume(workdir)
    if siamese is None:
        network = towers.build_tower(
            *(tower, input_size, transform, tower_weights),
            separate_features=separate_features,
            **shape,
        )
        siamese = towers.build_siamese(network, input_size)
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * epoch_steps)
        optimizer = keras.optimizers.Adam(
            schedule, use_ema=ema_decay > 0, ema_momentum=ema_decay
        )
        _compile(siamese, optimizer, beta, terms, jit_compile)
    crops = {
        "input_size": input_size,
        "batch_size": batch_size,
        "threshold": threshold,
        "filter_angles": filter_angles,
        "crop_scale": crop_scale,
    }
    stream = functools.partial(
        pair_streams.training_pairs,
        data,
        seed=seed,
        round_length=identities,
        chosen=chosen,
        augmentation=augmentation,
        **crops,
    )
    of_pairs = functools.partial(
        stream, pairs=pairs, first_view_probability=first_view_probability
    )
    stages = [
        _Stage(epochs - photo_epochs, of_pairs, photos=False),
        _Stage(epochs, functools.partial(stream, pairs="photos"), photos=True),
    ]
    last_stage = epochs - photo_epochs if photo_epochs else 0
    step = int(siamese.optimizer.iterations)
    logging.info("%d identities, %d steps an epoch, at step %d", identities, epoch_steps, step)
    history = callbacks.History(workdir, 2 * batch_size, finished_epochs=step // epoch_steps)
    hooks = [
        keras.callbacks.TerminateOnNaN(raise_error=True),
        history,
        callbacks.SaveBest(workdir, about, history.rows, last_stage),
        callbacks.SaveLast(workdir, checkpoint_steps),
        keras.callbacks.TensorBoard(workdir / "logs", write_graph=False),
        callbacks.TrainingPictures(workdir / "logs" / "pictures", of_pairs),
    ]
    if callbacks.averages_weights(siamese):
        hooks.append(keras.callbacks.SwapEMAWeights())
    for stage in stages:
        if int(siamese.optimizer.iterations) >= stage.until * epoch_steps:
            continue
        if stage.photos:
            _compile(siamese, siamese.optimizer, beta, terms, jit_compile, ranking=False)
        validation = None
        if validation_identities:
            validation = pair_streams.validation_pairs(data, photos=stage.photos, **crops)
        siamese = _fit(workdir, siamese, stage, validation, epoch_steps, epochs, hooks)
    rows = callbacks.of_last_stage(history.rows, last_stage)
    result = _result(siamese, history.rows, rows, about, identities)
    if validation_identities:
        result["held_out"] = held_out.errors(
            workdir, data, threshold, filter_angles=filter_angles, batch_size=batch_size
        )
    files.write_json(workdir / "result.json", result)
    return result


def _compact_shape(tower, width):
    """Arguments of `towers.build_tower` that only the compact tower has.

    Raises:
      RankPoseError: if they are set for another tower.
    """
    if tower == "compact":
        return {"compact_width": width}
    if width != 1.0:
        raise RankPoseError(
            f"compact_width: expected 1 for the tower {tower!r}, received {width}; it shapes the "
            "compact tower, pass --tower=compact"
        )
    return {}


def _split(data, validation_identities, training_identities, filter_angles):
    """The largest held-out hash, the chosen training identities (None: all), and how many train.

    Raises:
      RankPoseError: if nothing is left to train on.
    """
    table = records.read_identity_table(data)
    threshold = pair_streams.held_out_threshold(table, validation_identities)
    identities = pair_streams.count_training_identities(table, threshold, filter_angles)
    if identities == 0:
        raise RankPoseError(
            f"data: {str(data)!r} holds no identity with two usable views to train on; "
            "see its dataset.json for what was skipped"
        )
    if not training_identities:
        return threshold, None, identities
    chosen = pair_streams.choose_identities(data, threshold, filter_angles, training_identities)
    return threshold, chosen, len(chosen)


class _Stage(typing.NamedTuple):
    """Epochs of a run that train alike.

    Attributes:
      until: the run's epoch that the stage ends with.
      stream: makes its training pairs.
      photos: whether they are two photos of two faces, whose order is not trained.
    """

    until: int
    stream: typing.Callable
    photos: bool


def _compile(siamese, optimizer, beta, terms, jit_compile, ranking=True):
    """Compiles with an optimizer, which keeps its state; without ranking, regression costs beta."""
    siamese.compile(
        optimizer,
        losses.RankPoseLoss(beta if ranking else 1.0, **terms),
        loss_weights=None if ranking else [beta],
        metrics=losses.training_metrics(**terms),
        jit_compile=jit_compile,
    )


def _fit(workdir, siamese, stage, validation, epoch_steps, epochs, hooks):
    """Fits up to a stage's last epoch: what is left of a begun one, then the whole ones.

    Returns:
      The model, which is another one where averaged weights were put aside.
    """
    verbose = 1 if sys.stdout.isatty() else 2
    step = int(siamese.optimizer.iterations)
    while step < stage.until * epoch_steps:
        epoch, done = divmod(step, epoch_steps)
        last = epoch + 1 if done else stage.until
        try:
            siamese.fit(
                stage.stream(start_step=step),
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
                f"{int(siamese.optimizer.iterations)}; last.keras and best.keras are those from "
                "before it. Lower --learning_rate, or look at the data, and start in another "
                "--workdir"
            ) from error
        step = last * epoch_steps
        if callbacks.averages_weights(siamese) and last < epochs:
            # Keras ends a fit with the averages as weights; the others are in the checkpoint.
            siamese = resume(workdir)
    return siamese


def _result(siamese, rows, compared, about, identities):
    """The best figures of the epochs that are compared, and what the run cost."""
    best = min(compared, key=lambda row: row.get(callbacks.MONITORED, -row["epoch"]))
    seconds = sum(row["seconds"] for row in rows)
    return {
        **about,
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
