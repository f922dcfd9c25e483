"""What an ablation runs: cells of flags, over seeds (BMVC 2020, Table 3).

A cell is a flagfile of what it alone decides; the recipe is a flagfile of everything else. In the
ablation's folder, CELL/seed_S is the workdir of a run, CELL/seed_S.cfg its flags and
CELL/seed_S.log what it said.
"""

import glob
import pathlib
from typing import NamedTuple

from absl import flags

from rankpose_tf.core import flagfiles
from rankpose_tf.core.errors import RankPoseError

# What would make one cell better trained than another, or another run altogether.
OF_THE_RECIPE = (
    *("tower", "tower_weights", "compact_width", "input_size", "batch_size"),
    *("learning_rate", "epochs", "photo_epochs", "steps_per_epoch", "pairs_per_identity"),
    *("validation_identities", "seed", "data", "workdir", "checkpoint_steps"),
)


class Run(NamedTuple):
    """One cell with one seed.

    Attributes:
      cell: name of its flagfile without suffix.
      seed: whole number.
      workdir: of `rankpose_tf.train`.
      lines: its flags, one each.
    """

    cell: str
    seed: int
    workdir: pathlib.Path
    lines: tuple

    @property
    def settings(self):
        return self.workdir.with_name(f"{self.workdir.name}.cfg")

    @property
    def log(self):
        return self.workdir.with_name(f"{self.workdir.name}.log")

    def __str__(self):
        return f"{self.cell}, seed {self.seed}"


def cell_files(patterns, recipe):
    """The flagfiles of the cells.

    Args:
      patterns: paths, * allowed.
      recipe: flagfile that is left out where a pattern matches it.

    Returns:
      Dict: name -> path, in the order of the patterns.

    Raises:
      RankPoseError: if a pattern matches nothing, or two files have one name.
    """
    cells = {}
    for pattern in patterns:
        paths = [pathlib.Path(path) for path in sorted(glob.glob(flagfiles.find(pattern)))]
        if not paths:
            raise RankPoseError(f"cells: no flagfile matches {pattern!r}; pass paths, * allowed")
        for path in paths:
            if path.resolve() == pathlib.Path(flagfiles.find(recipe)).resolve():
                continue
            if cells.setdefault(path.stem, path).resolve() != path.resolve():
                raise RankPoseError(
                    f"cells: {str(cells[path.stem])!r} and {str(path)!r} have one name, which "
                    "names the results; rename one"
                )
    return cells


def flag_lines(path):
    """The flags of a flagfile, one a line, files within it put in their place.

    Raises:
      RankPoseError: if there is no such file, or one that it names.
    """
    path = flagfiles.find(path)
    if not pathlib.Path(path).is_file():
        raise RankPoseError(f"flagfile: there is no file {path!r}")
    try:
        return tuple(flags.FlagValues().read_flags_from_files([f"--flagfile={path}"]))
    except flags.Error as error:
        raise RankPoseError(f"flagfile: {path!r} can't be read whole: {error}") from error


def list_runs(*, workdir, recipe, cells, seeds, data):
    """All runs, seed by seed: stopped anywhere, the cells so far can be compared.

    Args:
      workdir: folder of the ablation.
      recipe: flagfile that all cells share.
      cells: dict of name -> flagfile, from `cell_files`.
      seeds: whole numbers.
      data: prepared folder to train on.

    Returns:
      List of `Run`.

    Raises:
      RankPoseError: if a cell sets what is the recipe's.
    """
    shared, own = flag_lines(recipe), {name: flag_lines(path) for name, path in cells.items()}
    for name, lines in own.items():
        names = [line.lstrip("-").partition("=")[0] for line in lines]
        taken = [flag for flag in OF_THE_RECIPE if flag in names]
        if taken:
            raise RankPoseError(
                f"cells: {str(cells[name])!r} sets --{', --'.join(taken)}, which all cells of a "
                "table share; set it in the --recipe, or leave this file out"
            )
    if len(set(seeds)) != len(seeds) or not seeds:
        raise RankPoseError(f"seeds: expected different whole numbers, received {list(seeds)}")
    return [
        Run(
            name,
            seed,
            pathlib.Path(workdir, name, f"seed_{seed}"),
            (*shared, *lines, f"--data={data}", f"--seed={seed}"),
        )
        for seed in seeds
        for name, lines in own.items()
    ]
