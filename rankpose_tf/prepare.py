"""Prepares face data for training and tests: identity shards and a description of them.

    rankpose prepare 300W_LP.zip --out=prepared/300w_lp
    rankpose prepare AFLW2000-3D.zip --out=prepared/aflw2000
    rankpose prepare hpdb --boxes=biwi_boxes.csv --out=prepared/biwi
    rankpose prepare mine.csv --out=prepared/mine
    rankpose prepare faces_with_a_table.zip --out=prepared/faces
    rankpose prepare --kind=synthetic --out=prepared/synthetic

The same command goes on with a run that was stopped.
"""

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import aflw2000, manifest, prepare, readers

_SOURCE = flags.DEFINE_string(
    "source",
    "",
    "Folder or zip as distributed, or a table: .csv, .tsv, .jsonl; the same as without a flag.",
)
_OUT = flags.DEFINE_string("out", "", "Folder to write.")
_KIND = flags.DEFINE_enum("kind", "auto", readers.KINDS, "What the source is; auto looks at it.")
_SHARDS = flags.DEFINE_integer("shards", 32, "Files to cut the identities into.", lower_bound=1)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes, about 0.4 GB each; 0 is one a core.", lower_bound=0
)
_MINIMUM_VIEWS = flags.DEFINE_integer(
    "minimum_views",
    0,
    "Leave out identities with fewer usable views; 0 is 1 for aflw2000, biwi and tables without "
    "identities, 2 for the others.",
    lower_bound=0,
)
_MAX_SKIPPED_FRACTION = flags.DEFINE_float(
    "max_skipped_fraction",
    0.05,
    "Stop if a larger share of all views is broken or badly labelled. Views left out because "
    "their identity has too few, or MTCNN finds no face, are listed, but not counted here.",
    0.0,
    1.0,
)
flags.DEFINE_integer(
    "synthetic_identities", 600, "Heads to render for --kind=synthetic.", lower_bound=1
)
flags.DEFINE_enum(
    "landmarks",
    "",
    ["", *aflw2000.LANDMARKS],
    "What boxes of AFLW2000-3D are drawn around, for other protocols; default: pt3d_68.",
)
flags.DEFINE_string(
    "boxes",
    "",
    "Of BIWI: a table of frames with boxes, mtcnn to run it, or head (the default) for a "
    "square around the labelled head centre; see docs/biwi.md.",
)
flags.DEFINE_bool("calibration", False, "Of BIWI: angles in the colour camera's frame, by rgb.cal.")
flags.DEFINE_enum(
    "label_unit",
    "",
    ["", *manifest.UNITS],
    "Of a table's angles; default: degrees, but a table that looks like radians is refused.",
)
flags.DEFINE_integer("seed", 0, "Of the heads of --kind=synthetic.")


def main(argv):
    named = [*argv[1:], *[_SOURCE.value] * bool(_SOURCE.value)]
    if len(named) > 1:
        raise RankPoseError(f"source: expected one, received {', '.join(named)}")
    description = prepare.prepare(
        named[0] if named else None,
        _OUT.value,
        kind=_KIND.value,
        shards=_SHARDS.value,
        workers=_WORKERS.value or None,
        minimum_views=_MINIMUM_VIEWS.value,
        max_skipped_fraction=_MAX_SKIPPED_FRACTION.value,
        **{name: flags.FLAGS[name].value for name in readers.OPTIONS},
    )
    skipped = sum(description["skipped"].values())
    print(
        f"{description['identities']} identities, {description['views']} views "
        f"({description['views_within_limit']} within 99 degrees), {skipped} skipped\n{_OUT.value}"
    )


if __name__ == "__main__":
    command.run(main, needed={"out": "FOLDER"}, positional="SOURCE")
