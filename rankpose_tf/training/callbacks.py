"""What a training run leaves behind while it runs, and what it shows.

Everything a stopped run needs to go on is in two files: last.keras (model, optimizer and, in the
optimizer's iterations, the step) and history.csv (one row a finished epoch, from which the best
figure so far is read).
"""

import contextlib
import csv
import io
import math
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from rankpose_tf.core import damage, draw, files
from rankpose_tf.models.saving import save_model
from rankpose_tf.models.towers import single_image_model
from rankpose_tf.training import begun_epoch

MONITORED = "val_mae"


def steps_of(siamese):
    """Steps that a model was trained for, on whatever devices."""
    return int(siamese.optimizer.iterations.numpy())


def averages_weights(siamese):
    """Whether the model's optimizer keeps a running average of the weights."""
    # A loss scale for float16 is an optimizer around the optimizer.
    optimizer = getattr(siamese.optimizer, "inner_optimizer", siamese.optimizer)
    return bool(optimizer.use_ema)


@contextlib.contextmanager
def averaged_weights(siamese):
    """The model with its averaged weights, if it has any; its own are back afterwards."""
    if not averages_weights(siamese):
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(siamese)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


class OnlyFinite(keras.callbacks.Callback):
    """Ends a run whose weights or validation are no longer finite, before a file has them.

    `TerminateOnNaN` looks at the loss, which is of the weights before a step: what the last step
    of an epoch broke is seen by nobody until the files are written.

    Args:
      steps: as of `SaveLast`.

    Raises:
      RuntimeError: in the words of `TerminateOnNaN`.
    """

    def __init__(self, steps=0):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if _is_in_between(batch + 1, self.steps, self.params["steps"]):
            self._check({})

    def on_epoch_end(self, epoch, logs=None):
        self._check(logs or {})

    def _check(self, logs):
        weights = self.model.trainable_variables
        finite = all(bool(tf.reduce_all(tf.math.is_finite(weight.value))) for weight in weights)
        if not finite or math.isnan(logs.get(MONITORED, 0.0)):
            raise RuntimeError("NaN or Inf loss: the last step made weights that are not finite")


class SaveLast(keras.callbacks.Callback):
    """Writes last.keras, the state to resume from, every epoch and every `steps` steps.

    Args:
      workdir: where to.
      steps: 0 writes at the end of epochs only.
      begun: `begun_epoch.Begun` of the checkpoint that the run goes on from.
    """

    def __init__(self, workdir, steps=0, begun=None):
        super().__init__()
        self.path = pathlib.Path(workdir) / "last.keras"
        self.steps = steps
        self.begun = begun or begun_epoch.Begun()

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.monotonic()
        self.goes_on = self.begun.is_of(self.model)
        if self.goes_on:
            self.began -= self.begun.seconds

    def on_train_batch_end(self, batch, logs=None):
        if self.goes_on:
            self.goes_on = False
            begun_epoch.add(self.model, self.begun)
        if _is_in_between(batch + 1, self.steps, self.params["steps"]):
            self._save(begun_epoch.of(self.model, time.monotonic() - self.began))

    def on_epoch_end(self, epoch, logs=None):
        self._save()

    def _save(self, begun=None):
        with files.replaced(self.path) as beside:
            self.model.save(beside)
            if begun:
                begun_epoch.write(beside, begun)


class ReadAlong(keras.callbacks.Callback):
    """What a worker does that writes nothing, while the chief's `SaveLast` reads the metrics.

    They are summed over the workers, so each has to take part.

    Args:
      steps: as of `SaveLast`.
    """

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if _is_in_between(batch + 1, self.steps, self.params["steps"]):
            begun_epoch.of(self.model)


def _is_in_between(done, steps, epoch_steps):
    """Whether a checkpoint is due after so many steps of an epoch.

    After the last step comes what is done at the end of an epoch: a run that goes on from there
    without it would leave it out.
    """
    return steps > 0 and done % steps == 0 and done < epoch_steps


class History(keras.callbacks.Callback):
    """Writes history.csv, one row an epoch, whole each time.

    Args:
      workdir: where to.
      images_per_step: pictures that one step trains on.
      finished_epochs: how many rows of an earlier session to keep.
      begun: as of `SaveLast`: an epoch's time counts from its beginning.

    Attributes:
      rows: list of dicts of numbers, those of a resumed run included.
    """

    def __init__(self, workdir, images_per_step, finished_epochs=0, begun=None):
        super().__init__()
        self.path = pathlib.Path(workdir) / "history.csv"
        self.images_per_step = images_per_step
        # Whole numbers stay whole when they are written again.
        self.rows = [
            row | {name: int(row[name]) for name in ("epoch", "step")}
            for row in read_history(self.path)[:finished_epochs]
        ]
        self.begun = begun or begun_epoch.Begun()

    def on_epoch_begin(self, epoch, logs=None):
        self.earlier = self.begun.seconds if self.begun.is_of(self.model) else 0.0
        self.began = time.monotonic()
        self.first_step = steps_of(self.model)

    def on_test_begin(self, logs=None):
        self.trained = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        now = time.monotonic()
        step = steps_of(self.model)
        # Validation is not counted in the rate, but it is in the time.
        training_seconds = getattr(self, "trained", now) - self.began
        images = (step - self.first_step) * self.images_per_step
        row = {
            "epoch": epoch + 1,
            "step": step,
            "seconds": self.earlier + now - self.began,
            "images_per_second": images / training_seconds,
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        self.rows.append(row | {key: float(value) for key, value in (logs or {}).items()})
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self.path, text.getvalue())


def read_history(path):
    """Rows of a history.csv as dicts of numbers; none where there is no file.

    Raises:
      RankPoseError: if it is damaged.
    """
    if not path.is_file():
        return []
    advice = "remove it to go on without the rows of earlier epochs"
    with damage.told("workdir", path, advice), path.open(newline="", encoding="utf-8") as stream:
        return [_history_row(row) for row in csv.DictReader(damage.lines(stream))]


def _history_row(cells):
    """Numbers of a row; a loss may be anything, what tells the epoch and its cost is finite."""
    row = {key: float(value) for key, value in cells.items() if value}
    for name in ("epoch", "step", "seconds", "images_per_second"):
        if not math.isfinite(row[name]):
            raise ValueError(f"{name} is {row[name]}")
    return row


def of_last_stage(rows, last_stage):
    """Rows that are validated alike: those after `last_stage` epochs, if there are any yet."""
    return [row for row in rows if row["epoch"] > last_stage] or rows


class SaveBest(keras.callbacks.Callback):
    """Writes best.keras, the single-image model with the least MAE on held-out identities.

    With averaged weights, it is those that are validated and written. Where no identity is held
    out, there is nothing to choose by, and the last epoch is kept.

    Args:
      workdir: where to.
      description: what `save_model` writes beside the weights.
      rows: of history.csv, those of a resumed run.
      last_stage: epochs before the run's last stage, which is validated on other views: the
        model of any of its epochs replaces those from before.
    """

    def __init__(self, workdir, description, rows, last_stage=0):
        super().__init__()
        self.path = pathlib.Path(workdir) / "best.keras"
        self.description = description
        self.last_stage = last_stage
        stage = of_last_stage(rows, last_stage)
        self.best = min((row.get(MONITORED, math.inf) for row in stage), default=math.inf)

    def on_epoch_end(self, epoch, logs=None):
        value = float((logs or {}).get(MONITORED, -math.inf))
        if self.last_stage and epoch == self.last_stage:
            self.best = math.inf
        # Of two alike the first, as `loop._cost` chooses; without a value, the last.
        if MONITORED in (logs or {}) and not value < self.best:
            return
        self.best = value
        description = {**self.description, "epoch": epoch + 1}
        if math.isfinite(value):
            description["validation_mae_degrees"] = value
        with averaged_weights(self.model):
            save_model(single_image_model(self.model), self.path, description)


class TrainingPictures(keras.callbacks.Callback):
    """TensorBoard: a grid of training pairs with drawn axes, a histogram of feature norms.

    Args:
      log_dir: where the summaries go.
      stream: makes the dataset of training pairs, as the model sees them, from a `start_step` on.
    """

    def __init__(self, log_dir, stream):
        super().__init__()
        self.log_dir = str(log_dir)
        self.stream = stream

    def on_train_begin(self, logs=None):
        self.batch = next(iter(self.stream(start_step=0)))
        self.writer = tf.summary.create_file_writer(self.log_dir)
        (first, second), pose = self.batch
        degrees = np.degrees(pose.numpy()[:8])
        pairs = [
            draw.draw_axes(view.numpy().round().astype(np.uint8), angles)
            for views, angles in zip(zip(first[:8], second[:8], strict=True), degrees, strict=True)
            for view, angles in zip(views, angles, strict=True)
        ]
        with self.writer.as_default():
            grid = draw.grid(pairs, columns=4)
            tf.summary.image("training_pairs", grid[np.newaxis], step=0)

    def on_epoch_end(self, epoch, logs=None):
        tower = single_image_model(self.model)
        features = keras.Model(tower.input, tower.get_layer("features").output)
        norms = tf.norm(tf.cast(features(self.batch[0][0], training=False), tf.float32), axis=-1)
        with self.writer.as_default():
            tf.summary.histogram("feature_norm", norms, step=epoch)

    def on_train_end(self, logs=None):
        self.writer.close()
