"""What Keras 3.15.1's `fit` lacks under a strategy of several workers, and what stands in for it.

Two places of keras/src/backend/tensorflow/trainer.py fail (keras issue 20585):

- `_maybe_symbolic_build` averages the first batch over the replicas, which a nested batch of two
  views can't be. Under any strategy it also takes that batch away from the training. The model is
  built from a batch of zeros instead.
- `reduce_per_replica` averages the logs of a step along axis 0, which a scalar has not. The steps
  return logs of shape (1,).

tests/training/test_distribution.py fails once Keras mends them; this file is then to go.
"""

import tensorflow as tf


def stand_in(model, zeros, several_workers):
    """Replaces the two methods of one model; nothing of it is saved with the model.

    Args:
      model: compiled, made in the strategy's scope.
      zeros: a batch of one replica, as the steps get it.
      several_workers: whether logs are averaged over workers.
    """

    def build(iterator=None, data_batch=None):
        del iterator, data_batch
        with model.distribute_strategy.scope():
            model._symbolic_build(data_batch=zeros)

    model._maybe_symbolic_build = build
    if several_workers:
        model.train_step = _with_an_axis(model.train_step)
        model.test_step = _with_an_axis(model.test_step)
    # Functions that were made of the methods before.
    model.train_function = model.test_function = None


def _with_an_axis(step):
    def wrapped(data):
        return {name: tf.reshape(value, [1]) for name, value in step(data).items()}

    return wrapped
