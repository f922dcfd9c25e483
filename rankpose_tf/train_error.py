"""Teaches a trained model to say by how much its poses may be off (docs/expected_error.md).

    rankpose train_error --model=RUN --data=PREPARED --out=NEWRUN

The poses stay what they are, to the last bit. NEWRUN is a model as RUN is, for every command.
"""

import dataclasses
import pathlib

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.training.error_recipe import ErrorRecipe

_DEFINE = {int: flags.DEFINE_integer, float: flags.DEFINE_float}
_MODEL = flags.DEFINE_string("model", "", "Workdir of rankpose_tf.train, or .keras file.")
_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare that it trained on.")
_OUT = flags.DEFINE_string("out", "", "New folder: best.keras with the head, and error.json.")
_RECIPE = {
    field.name: _DEFINE[field.type](field.name, field.default, field.metadata["help"])
    for field in dataclasses.fields(ErrorRecipe)
}
_NEEDED = {"model": "PATH", "data": "FOLDER", "out": "FOLDER"}


def main(argv):
    del argv
    recipe = ErrorRecipe(**{name: flag.value for name, flag in _RECIPE.items()})
    # TensorFlow comes with it: neither --help nor a wrong option waits for it.
    from rankpose_tf.evaluation import doubt
    from rankpose_tf.training import error_head

    report, folder = error_head.fit(
        pathlib.Path(_MODEL.value), _DATA.value, pathlib.Path(_OUT.value), recipe
    )
    print(f"on {report['held_out']['views']} held-out views:\n{doubt.table(report['held_out'])}")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in report["doubted"].items())
    print(f"doubted, of views without an upright face: {shares}\n{folder / 'best.keras'}")


if __name__ == "__main__":
    command.run(main, needed=_NEEDED, groups={"fit": tuple(_RECIPE.values())})
