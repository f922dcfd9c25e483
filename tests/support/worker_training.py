"""One process of a training on several workers, and what it is compared with.

    python -m tests.support.worker_training DATA WORKDIR OUT WORKERS [RECIPE AS JSON]

With TF_CONFIG it is a worker. Without, it is one process with the workers' whole batches: the
reference. OUT-INDEX-EPOCH.npz gets the logs of each epoch, the statistics of the normalisation and
the poses of the pairs that were read, of each process. Nothing is augmented.
"""

import json
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf

from rankpose_tf.training import distribution, loop
from rankpose_tf.training.recipe import Recipe
from tests.support.one_block import one_block_towers
from tests.support.small_training import PLAIN

OPTIONS = {
    "tower": "compact",
    "input_size": 32,
    "batch_size": 12,
    "learning_rate": 2e-3,
    "validation_identities": 4,
    "epochs": 2,
    "steps_per_epoch": 4,
    **PLAIN,
}


def joined_stages(stages, workers):
    """`stages` of one process whose batches are those of all workers, one behind the other."""

    def joined(recipe, data, parts, replicas, worker):
        each = [stages(recipe, data, parts, workers, (index, workers)) for index in range(workers)]

        def stream_of(number):
            def stream(start_step=0):
                streams = [own[number].stream(start_step=start_step) for own in each]
                return tf.data.Dataset.zip(*streams).map(
                    lambda *batches: tf.nest.map_structure(lambda *x: tf.concat(x, 0), *batches)
                )

            return stream

        return [stage._replace(stream=stream_of(n)) for n, stage in enumerate(each[0])]

    return joined


def recording(on_epoch_end, out):
    """`Wait.on_epoch_end` that also writes what the process has come to."""

    def recorded(self, epoch, logs=None):
        tower = self.model.get_layer("tower")
        statistics = [w.numpy().ravel() for w in tower.non_trainable_weights]
        weights = [w.numpy().ravel() for w in tower.trainable_weights]
        names = sorted(logs)
        np.savez(
            f"{out}-{self._devices.worker}-{epoch}.npz",
            names=names,
            logs=[float(logs[name]) for name in names],
            statistics=np.concatenate(statistics),
            weights=np.concatenate(weights),
        )
        on_epoch_end(self, epoch, logs)

    return recorded


def main(data, workdir, out, workers, more="{}"):
    several = "TF_CONFIG" in os.environ
    distribution.Wait.on_epoch_end = recording(distribution.Wait.on_epoch_end, out)
    if not several:
        loop.stages = joined_stages(loop.stages, int(workers))
    strategy = "multiworker" if several else "none"
    more = json.loads(more)
    steps = more.pop("checkpoint_steps", 0)
    recipe = Recipe(data=data, strategy=strategy, **{**OPTIONS, **more})
    with one_block_towers():
        loop.train(recipe, workdir=pathlib.Path(workdir), checkpoint_steps=steps)


if __name__ == "__main__":
    main(*sys.argv[1:])
