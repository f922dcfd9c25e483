"""Runs an ablation: trains and tests what `ablation_cells` lists, and goes on where it stopped.

Each run is `rankpose_tf.train` and then `rankpose_tf.evaluate` in processes of their own, so that
nothing of one run, a GPU's memory for example, is left to the next. The evaluation lies in the
run's workdir. The epoch is chosen by held-out identities; the test set is seen when that is done.
"""

import contextlib
import math
import pathlib
import signal
import subprocess
import sys

import tqdm
from absl import logging

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder
from rankpose_tf.evaluation import metrics
from rankpose_tf.training import flags_cfg

_CHILD = "rankpose_tf.studies.child"
_SECONDS_BETWEEN_LOOKS = 1.0
# Of a run, until its evaluation is there too.
_TRAINING_SHARE = 0.95


def complete(runs, *, eval_data, checkpoint_steps=100, progress=None):
    """Trains and tests what is not finished; a run that fails does not stop the others.

    Args:
      runs: from `ablation_cells.list_runs`.
      eval_data: prepared folder to test on.
      checkpoint_steps: a killed run loses at most so many steps.
      progress: show a progress bar; None where there is a terminal.

    Returns:
      List of sentences, one a failed run: which, the last line of its log, where the log is.

    Raises:
      RankPoseError: before anything is run, if a folder holds runs with other flags.
    """
    test_set = prepared_folder.read_description(eval_data)
    for run in runs:
        check_flags(run)
    for run in runs:
        run.settings.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(run.settings, "\n".join(run.lines) + "\n")
    unfinished = [run for run in runs if not is_finished(run, eval_data, test_set)]
    failures = []
    with tqdm.tqdm(
        total=len(runs),
        initial=_done(runs, eval_data),
        # The time left follows the mean rate, not that of the last second.
        smoothing=0,
        disable=None if progress is None else not progress,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.1f} of {total} runs, {elapsed}, "
        "{remaining} left",
    ) as bar:
        for run in unfinished:
            bar.set_description_str(str(run))
            logging.info("%d of %d: %s", runs.index(run) + 1, len(runs), run)
            failure = _train_and_test(
                run,
                eval_data,
                checkpoint_steps,
                look=lambda: bar.update(_done(runs, eval_data) - bar.n),
            )
            failures += [failure] if failure else []
    return failures


def _done(runs, eval_data):
    return sum(_share_done(run, eval_data) for run in runs)


def _share_done(run, eval_data):
    """How far a run is, 0 to 1, by its finished epochs and its evaluation."""
    if (evaluation_folder(run, eval_data) / "evaluation.json").is_file():
        return 1.0
    recorded, history = run.workdir / "flags.cfg", run.workdir / "history.csv"
    if not (recorded.is_file() and history.is_file()):
        return 0.0
    settings = dict(line.partition("=")[::2] for line in recorded.read_text().splitlines())
    planned = settings.get("--epochs", "")
    if not planned.isdecimal():  # A damaged file is told by the training, not by its bar.
        return 0.0
    epochs = len(history.read_text().splitlines()) - 1
    return _TRAINING_SHARE * min(1.0, epochs / max(1, int(planned)))


def check_flags(run):
    """Refuses a run that was begun with other flags.

    Raises:
      RankPoseError: names the flags.
    """
    if not (run.settings.is_file() and flags_cfg.binds(run.workdir)):
        return
    begun = run.settings.read_text(encoding="utf-8").splitlines()
    differing = sorted(set(begun) ^ set(run.lines))
    if differing:
        raise RankPoseError(
            f"workdir: {str(run.workdir)!r} was trained with other flags ({' '.join(differing)}); "
            "pass the same recipe, cells and data to go on, or another --workdir"
        )


def evaluation_folder(run, eval_data):
    """Where the evaluation of a run on a prepared folder lies."""
    return run.workdir / f"evaluation-{pathlib.Path(eval_data).resolve().name}"


def is_finished(run, eval_data, test_set):
    """Whether a run was trained to its end and tested on `eval_data`.

    Args:
      run: `ablation_cells.Run`.
      eval_data: prepared folder.
      test_set: its dataset.json.

    Raises:
      RankPoseError: if the evaluation is of another set of that name.
    """
    path = evaluation_folder(run, eval_data) / "evaluation.json"
    if not ((run.workdir / "result.json").is_file() and path.is_file()):
        return False
    tested = read_evaluation(path)
    before = (tested["images"], tested["set"], tested["crop"]["boxes"])
    now = (test_set["views_within_limit"], test_set["protocol_set"], test_set["box_source"])
    if before != now:
        of = "{:,} pictures of {} with boxes of {}".format
        raise RankPoseError(
            f"eval_data: {str(path)!r} is of {of(*before)}, received {of(*now)} under the same "
            "folder name; rename the folder"
        )
    return True


def read_evaluation(path):
    """Content of a run's evaluation.json.

    Raises:
      RankPoseError: if it is damaged.
    """
    advice = "remove its folder, and the same command tests the run again"
    tested = damage.json_object("workdir", path, advice)
    with damage.told("workdir", path, advice):
        numbers = [tested["images"], *(tested["mae"][angle] for angle in metrics.COLUMNS)]
        texts = (tested["set"], tested["crop"]["boxes"], tested["protocol"])
        _require_kinds(numbers, texts)
    return tested


def read_result(path):
    """Content of a run's result.json; errors as for `read_evaluation`."""
    advice = "remove it, and the same command finishes the run again"
    trained = damage.json_object("workdir", path, advice)
    with damage.told("workdir", path, advice):
        chosen = [trained["best"].get(name) for name in ("val_mae", "val_ordered")]
        held_out = trained.get("held_out", {})
        chosen += [held_out.get("ordered"), held_out.get("mae", {}).get("mean")]
        chosen.append(trained.get("recipe", {}).get("photo_epochs"))
        numbers = [number for number in chosen if number is not None]
        numbers += [trained[name] for name in ("best_epoch", "seconds", "steps")]
        _require_kinds(numbers, (trained["training_set"],))
    return trained


def _require_kinds(numbers, texts):
    for value in numbers:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"expected a number, it holds {value!r}")
    for value in texts:
        if not isinstance(value, str | None):
            raise ValueError(f"expected a text, it holds {value!r}")


def _train_and_test(run, eval_data, checkpoint_steps, look):
    """Finishes a run; gives the sentence of its failure, or None."""
    train = ("train", f"--flagfile={run.settings}", f"--workdir={run.workdir}",
             f"--checkpoint_steps={checkpoint_steps}", "--verbosity=0")  # fmt: skip
    test = ("evaluate", f"--model={run.workdir}", f"--data={eval_data}",
            f"--out={evaluation_folder(run, eval_data)}")  # fmt: skip
    trained = (run.workdir / "result.json").is_file()
    with open(run.log, "ab") as log:
        for module, *arguments in (test,) if trained else (train, test):
            if code := _call(log, module, arguments, look):
                return _failure(run, module, code)
    look()
    return None


def _call(log, module, arguments, look):
    """Exit code of a command of the package, which does not outlive this process."""
    command = [sys.executable, "-m", _CHILD, module, *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_SECONDS_BETWEEN_LOOKS)
            look()
    finally:
        # A training may be killed anywhere: it goes on from its last checkpoint.
        process.kill()
        process.wait()


def _failure(run, module, code):
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines()
    # What absl says after a wrong flag is no reason.
    said = [line.strip() for line in lines if line.strip() and not line.startswith("Pass --help")]
    last = said[-1] if said else ""
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    sentence = f"{run}: {module} {ended}: {last!r}; see {str(run.log)!r}"
    logging.error("%s", sentence)
    return sentence
