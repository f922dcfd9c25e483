"""A training of some steps, in this process, and what it wrote."""

import csv

import numpy as np

from rankpose_tf.training import building, loop
from rankpose_tf.training.flags_cfg import to_flagfile
from rankpose_tf.training.recipe import Recipe

SMALL = {
    "tower": "compact",
    "input_size": 32,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "validation_identities": 4,
}
# Graphs of what changes the pictures take a quarter of so short a training.
PLAIN = dict.fromkeys(
    ("scale_probability", "crop_probability", "noise_probability", "blur_probability"), 0.0
)


def train(data, workdir, checkpoint_steps=0, **options):
    """A small run; what is not given is of `SMALL` and `PLAIN`."""
    recipe = Recipe(data=str(data), **{**SMALL, **PLAIN, **options})
    return loop.train(recipe, workdir=workdir, checkpoint_steps=checkpoint_steps)


def begin(data, workdir, step, poison=None, **options):
    """Leaves what a run of `train` leaves that was stopped after `step` steps that changed nothing.

    Args:
      data: prepared folder.
      workdir: folder of the run; made if absent.
      step: of the checkpoint.
      poison: what the output layer's weights are, if it is given.
      **options: as for `train`.
    """
    recipe = Recipe(data=str(data), **{**SMALL, **PLAIN, **options})
    siamese = building.new_model(recipe, recipe.steps_per_epoch)
    building.make_variables(siamese)
    if poison is not None:
        kernel = siamese.get_layer("tower").get_layer("pose").kernel
        kernel.assign(np.full(kernel.shape, poison))
    siamese.optimizer.iterations.assign(step)
    workdir.mkdir(exist_ok=True)
    (workdir / "flags.cfg").write_text(to_flagfile(recipe))
    siamese.save(workdir / "last.keras")


def history(workdir):
    with open(workdir / "history.csv", newline="") as lines:
        return list(csv.DictReader(lines))
