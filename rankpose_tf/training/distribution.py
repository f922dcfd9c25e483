"""What a run computes on: one device, the GPUs of a machine, or those of several machines.

    --strategy=none         one device
    --strategy=mirrored     all GPUs of this machine
    --strategy=multiworker  one process a machine, told of each other by TF_CONFIG

A batch is divided evenly over the replicas, and BatchNormalization takes its statistics over all of
them, so that a step is what it is on one device. Each worker reads shards of its own. Every replica
validates on all held-out views: their errors are then exact, however they would divide.
"""

import contextlib
import json
import os

import keras
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import towers
from rankpose_tf.training import keras_workers
from rankpose_tf.training.recipe import STRATEGIES

NONE, MIRRORED, MULTIWORKER = STRATEGIES


class Devices:
    """The devices of a run.

    Attributes:
      replicas: how many parts a batch has.
      worker, workers: index of this process, and how many there are.
      is_chief: whether this process writes what the run leaves.
    """

    def __init__(self, strategy=NONE):
        """Finds them; has to be the first that a process does with TensorFlow.

        Raises:
          RankPoseError: for "multiworker" without a TF_CONFIG that tells the workers.
        """
        self._strategy, self.worker, self.workers = None, 0, 1
        if strategy == MULTIWORKER:
            self.worker, self.workers = _of_environment()
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        elif strategy == MIRRORED:
            self._strategy = tf.distribute.MirroredStrategy()
        self.replicas = self._strategy.num_replicas_in_sync if self._strategy else 1
        self.is_chief = self.worker == 0

    @property
    def several(self):
        """Whether there is more than one replica or worker, or there could be."""
        return self._strategy is not None

    def scope(self):
        """Where models are made and compiled."""
        return self._strategy.scope() if self.several else contextlib.nullcontext()

    def check(self, recipe, shards):
        """Refuses what can't be divided.

        Args:
          recipe: `recipe.Recipe`.
          shards: how many files the data have.

        Raises:
          RankPoseError: says what to pass.
        """
        if recipe.batch_size % self.replicas:
            raise RankPoseError(
                f"batch_size: expected a multiple of {self.replicas}, the devices that share a "
                f"step, received {recipe.batch_size}"
            )
        if self.workers > shards:
            raise RankPoseError(
                f"strategy: {self.workers} workers need as many shards, received {shards}; prepare "
                f"the data again with --shards={self.workers} or more, or take fewer workers"
            )

    def adapt(self, siamese, recipe):
        """Makes a model that was compiled in the scope fit to train on the devices."""
        if not self.several:
            return
        _synchronize(siamese)
        size = recipe.batch_size // self.replicas
        view = tf.zeros((size, recipe.input_size, recipe.input_size, 3))
        zeros = ((view, view), tf.zeros((size, 2, 3)))
        keras_workers.stand_in(siamese, zeros, self.workers > 1)

    def training(self, stream, step):
        """Batches of training pairs, those of this process alone.

        Args:
          stream: function of `start_step`, in batches of a replica.
          step: of the run, to begin with.
        """
        if not self.several:
            return stream(start_step=step)
        own = self.replicas // self.workers
        return self._strategy.distribute_datasets_from_function(
            lambda context: stream(start_step=step * own)
        )

    def validation(self, dataset):
        """All of a dataset, or None, for each replica."""
        if dataset is None or not self.several:
            return dataset
        own = self.replicas // self.workers
        count = int(dataset.cardinality()) * own
        each = dataset.flat_map(lambda *batch: tf.data.Dataset.from_tensors(batch).repeat(own))
        # Told how many there are, Keras does not warn that they ran out.
        each = each.apply(tf.data.experimental.assert_cardinality(count))
        return self._strategy.distribute_datasets_from_function(lambda context: each)

    def agree(self, step):
        """Refuses to train where the workers go on from different steps.

        Raises:
          RankPoseError: on all workers.
        """
        if self.workers > 1 and self._sum(step) != self.workers * step:
            raise RankPoseError(
                f"workdir: worker {self.worker} goes on from step {step} and another one from "
                "another step; --workdir must be one folder that all workers see"
            )

    def wait(self):
        """Returns once all workers have called it."""
        if self.workers > 1:
            self._sum(0)

    def _sum(self, value):
        """Sum of a whole number over the workers."""
        own = self.replicas // self.workers
        value = tf.constant(value, tf.int64)
        each = self._strategy.run(tf.function(lambda: tf.identity(value)))
        return int(self._strategy.reduce("SUM", each, axis=None)) // own


class Wait(keras.callbacks.Callback):
    """Holds the workers together at the end of an epoch, when the chief has written its files."""

    def __init__(self, devices):
        super().__init__()
        self._devices = devices

    def on_epoch_end(self, epoch, logs=None):
        self._devices.wait()


@contextlib.contextmanager
def lost_workers_told(devices):
    """A worker that is gone is one sentence.

    Raises:
      RankPoseError: in place of TensorFlow's error.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
    ) as error:
        if devices.workers == 1:
            raise
        raise RankPoseError(
            f"strategy: worker {devices.worker} lost another one ({type(error).__name__}); start "
            "all workers again with the same command, and the run goes on from last.keras"
        ) from error


def _synchronize(model):
    """BatchNormalization takes its statistics over the replicas, and keeps the same on all."""
    for layer in towers.normalizations(model):
        layer.synchronized = True


def _of_environment():
    """Index of this worker and number of workers, of TF_CONFIG.

    Raises:
      RankPoseError: with an example.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        right = task["type"] == "worker" and 0 <= index < len(addresses)
        right = right and config["cluster"].keys() == {"worker"}
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise RankPoseError(
            "strategy: multiworker needs TF_CONFIG in the environment, such as "
            '\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", '
            f'"index": 0}}}}\', received {text!r}'
        )
    return index, len(addresses)
