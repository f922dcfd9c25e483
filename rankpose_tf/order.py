"""Shows which held-out pairs a model puts in the wrong order: how far apart their labels are.

    python -m rankpose_tf.order --model=RUN --data=PREPARED
"""

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records
from rankpose_tf.studies import pair_order

_MODEL = flags.DEFINE_string("model", "", "Workdir or .keras file.")
_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare, that it trained on.")
_VALIDATION_IDENTITIES = flags.DEFINE_integer(
    "validation_identities", 200, "How many its training held out.", lower_bound=1
)


def main(argv):
    del argv
    for flag in (_MODEL, _DATA):
        if not flag.value:
            raise RankPoseError(f"{flag.name}: pass --{flag.name}=PATH")
    records.read_description(_DATA.value)
    found = pair_order.measure(_MODEL.value, _DATA.value, _VALIDATION_IDENTITIES.value)
    print(pair_order.table(found))


if __name__ == "__main__":
    command.run(main)
