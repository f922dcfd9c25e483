"""What each choice of a protocol costs: one model, one test set, a row a choice, as Markdown.

    python -m rankpose_tf.protocol_costs --data=aflw,aflw_pt2d --misses=mtcnn.json --out=costs.md

`--data` are folders of `rankpose_tf.prepare`: the first is ours (boxes of pt3d_68), the others are
the same pictures with another `--landmarks`. `--misses` are files of `rankpose_tf.studies.detector_rule
--out`, whose missed pictures are left out in turn.

`--out` is a new file, or a page with the lines `<!-- costs -->` and `<!-- end of costs -->`: what
stands between them is replaced, so that the same command brings docs/protocols.md up to date.
"""

import pathlib

from absl import flags

from rankpose_tf.core import command, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.models import shipped
from rankpose_tf.studies import protocol_costs

_MODEL = flags.DEFINE_string(
    "model", "", "Workdir or .keras file; the model of the package if not given."
)
_DATA = flags.DEFINE_list("data", [], "Prepared folders, ours (boxes of pt3d_68) first.")
_MISSES = flags.DEFINE_list("misses", [], "Files of rankpose_tf.studies.detector_rule --out.")
_OUT = flags.DEFINE_string("out", "", "New Markdown file, or a page with the two marks.")


def main(argv):
    del argv
    if not _DATA.value or not _OUT.value:
        raise RankPoseError("data, out: pass --data=FOLDER,FOLDER and --out=FILE.md")
    before, after = protocol_costs.around_table(_OUT.value)
    model = _MODEL.value or shipped.path()
    rows = protocol_costs.measure(model, _DATA.value, _MISSES.value)
    text = protocol_costs.table(rows, pathlib.Path(model).name)
    files.write_text(_OUT.value, before + text + after)
    print(text)


if __name__ == "__main__":
    command.run(main)
