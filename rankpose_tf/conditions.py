"""Measures what poor light, covers, blur and small faces cost a model, as a Markdown table.

    python -m rankpose_tf.conditions --data=PREPARED --out=conditions.md
"""

import pathlib

from absl import flags

from rankpose_tf.core import command, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import shipped
from rankpose_tf.studies import conditions

_MODEL = flags.DEFINE_string(
    "model", "", "Workdir or .keras file; the model of the package if not given."
)
_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare.")
_OUT = flags.DEFINE_string("out", "", "New Markdown file.")


def main(argv):
    del argv
    if not _DATA.value or not _OUT.value:
        raise RankPoseError("data, out: pass --data=FOLDER and --out=FILE.md")
    if pathlib.Path(_OUT.value).exists():
        raise RankPoseError(f"out: {_OUT.value!r} exists already; pass a new file")
    model = _MODEL.value or shipped.path()
    text = conditions.table(conditions.measure(model, _DATA.value))
    files.write_text(_OUT.value, text)
    print(text)


if __name__ == "__main__":
    command.run(main)
