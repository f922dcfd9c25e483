"""Estimates the head poses in very many pictures, on one machine or many, with Apache Beam.

    rankpose score --input='faces/*.jpg' --out=POSES
    rankpose score --input='shards/*.parquet' --out=POSES -- --direct_num_workers=8
        --direct_running_mode=multi_processing
    rankpose score --input=gs://B/faces-*.tfrecord --out=gs://B/poses -- --runner=DataflowRunner ...

--input is a picture, a folder or glob of pictures, Parquet files with a column path or image (the
content), or TFRecord files of paths or contents. --out gets poses-*.parquet, with the columns of
rankpose predict, and failed-*.parquet: path and reason of pictures that could not be read. What
follows -- are Beam's own options; without a runner it is Beam's on this machine, one process.
"""

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import options

_INPUT = flags.DEFINE_multi_string("input", [], "Pictures, see above; may be given several times.")
_OUT = flags.DEFINE_string(
    "out", "", "New folder; the same command goes on in it with a run that was stopped."
)
_LOOK = options.define_flags()
_PICTURES_PER_FILE = flags.DEFINE_integer(
    "pictures_per_file",
    1000,
    "Pictures whose rows make one file of --out, and one task of a worker.",
    lower_bound=1,
)
_NEEDED = {"input": "PATH", "out": "FOLDER"}
_GROUPS = {"model and faces": tuple(_LOOK.values())}


def main(argv):
    stray = [argument for argument in argv[1:2] if not argument.startswith("-")]
    if stray:
        raise RankPoseError(f"unexpected argument {stray[0]!r}: pass --input={stray[0]}")
    look = options.asked(_LOOK)
    # Beam takes seconds; neither --help nor a wrong option waits for it.
    from rankpose_tf.prediction import scoring

    print(
        scoring.run(
            _INPUT.value,
            _OUT.value,
            look,
            pictures_per_file=_PICTURES_PER_FILE.value,
            beam_options=argv[1:],
        )
    )
    print(_OUT.value)


if __name__ == "__main__":
    command.run(main, needed=_NEEDED, groups=_GROUPS, positional="[-- OPTIONS OF BEAM]")
