"""Trains and tests every cell of an ablation over several seeds, and writes one table.

    rankpose ablate --data=PREPARED --eval_data=PREPARED --workdir=RUNS

The same command goes on with a stopped ablation. At the paper's scale: --recipe=flags/paper.cfg.
"""

import pathlib

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder

_DATA = flags.DEFINE_string("data", "", "Folder made by rankpose_tf.prepare, to train on.")
_EVAL_DATA = flags.DEFINE_string("eval_data", "", "Folder made by rankpose_tf.prepare, to test on.")
_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of the ablation: its runs and its table.")
_RECIPE = flags.DEFINE_string(
    "recipe", "flags/ablation_small.cfg", "Flagfile of rankpose_tf.train that all cells share."
)
_CELLS = flags.DEFINE_list(
    "cells", ["flags/table3_*.cfg"], "Flagfiles of what each cell alone decides; * is allowed."
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of each cell.")
_CHECKPOINT_STEPS = flags.DEFINE_integer(
    "checkpoint_steps", 100, "A killed run loses at most so many steps.", lower_bound=1
)
_SUMMARY_ONLY = flags.DEFINE_boolean(
    "summary_only", False, "Run nothing; write the table of what is finished."
)


def main(argv):
    del argv
    # Not above: the help needs none of them.
    from rankpose_tf.studies import ablation_cells, ablation_runs, ablation_table

    for flag in (_DATA, _EVAL_DATA):
        prepared_folder.read_description(flag.value)
    runs = ablation_cells.list_runs(
        workdir=_WORKDIR.value,
        recipe=_RECIPE.value,
        cells=ablation_cells.cell_files(_CELLS.value, _RECIPE.value),
        seeds=_seeds(),
        data=_DATA.value,
    )
    failures = []
    if not _SUMMARY_ONLY.value:
        failures = ablation_runs.complete(
            runs, eval_data=_EVAL_DATA.value, checkpoint_steps=_CHECKPOINT_STEPS.value
        )
    text = ablation_table.write(
        _WORKDIR.value, runs, _EVAL_DATA.value, ablation_cells.flag_lines(_RECIPE.value)
    )
    print(f"{text}\n{pathlib.Path(_WORKDIR.value) / 'table.md'}")
    if failures:
        raise RankPoseError(
            f"cells: {len(failures)} of {len(runs)} runs failed, the first is {failures[0]}. "
            "The same command tries them again"
        )


def _seeds():
    try:
        return [int(seed) for seed in _SEEDS.value]
    except ValueError as error:
        raise RankPoseError(
            "seeds: expected whole numbers with commas between, received "
            f"{','.join(_SEEDS.value)!r}"
        ) from error


if __name__ == "__main__":
    command.run(main, needed={"data": "FOLDER", "eval_data": "FOLDER", "workdir": "FOLDER"})
