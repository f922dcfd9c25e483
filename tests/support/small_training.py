"""A training of some steps, in this process, and what it wrote."""

import csv

from rankpose_tf.training import loop
from rankpose_tf.training.recipe import Recipe

SMALL = {
    "tower": "compact",
    "input_size": 32,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "validation_identities": 4,
}


def train(data, workdir, checkpoint_steps=0, **options):
    """A small run; what is not given is of `SMALL`."""
    recipe = Recipe(data=str(data), **{**SMALL, **options})
    return loop.train(recipe, workdir=workdir, checkpoint_steps=checkpoint_steps)


def history(workdir):
    with open(workdir / "history.csv", newline="") as lines:
        return list(csv.DictReader(lines))
