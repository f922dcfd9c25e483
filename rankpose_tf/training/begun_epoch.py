"""What a checkpoint in the middle of an epoch keeps of the epoch beside the model.

Keras forgets it: without it the epoch's means in history.csv would be those of its last part.
"""

import json
import zipfile
from typing import NamedTuple

_NAME = "begun_epoch.json"


class Begun(NamedTuple):
    """An epoch up to a checkpoint.

    Attributes:
      step: of the optimizer.
      seconds: since the epoch began, those of earlier sessions included.
      metrics: values of the model's metric variables, a list of numbers; each is float32.
    """

    step: int = 0
    seconds: float = 0.0
    metrics: tuple = ()

    def is_of(self, model):
        """Whether this is the epoch that a model goes on with."""
        return self.step > 0 and self.step == int(model.optimizer.iterations.numpy())


def of(model, seconds=0.0):
    """`Begun` of a model that is training; of several workers each has to ask at the same step."""
    metrics = [variable.numpy().tolist() for variable in model.metrics_variables]
    return Begun(int(model.optimizer.iterations.numpy()), seconds, metrics)


def add(model, begun):
    """Adds what the metrics of a model had counted; each is a mean, of a total and a count.

    After the first step of the rest: before it Keras has not made the variables.
    """
    for variable, value in zip(model.metrics_variables, begun.metrics, strict=True):
        # On several devices each has a part, and what is read is the sum: one part gets it.
        first, *_ = getattr(variable.value, "values", [variable])
        first.assign_add(value)


def write(path, begun):
    """Adds `begun` to a .keras file that was just written."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_NAME, json.dumps(begun._asdict()))


def read(path):
    """`Begun` of a checkpoint; of one at the end of an epoch, or none, that of no epoch."""
    if not path.is_file():
        return Begun()
    with zipfile.ZipFile(path) as archive:
        if _NAME not in archive.namelist():
            return Begun()
        return Begun(**json.loads(archive.read(_NAME)))
