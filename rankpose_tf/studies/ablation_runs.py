"""Runs an ablation: trains and tests what `ablation_plan` lists, and goes on where it stopped.

Each run is `rankpose_tf.train` and then `rankpose_tf.evaluate` in processes of their own, so that
nothing of one run, a GPU's memory for example, is left to the next. The evaluation lies in the
run's workdir. The epoch is chosen by held-out identities; the test set is seen when that is done.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import tqdm
from absl import logging

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two sessions apart.
    fcntl = None

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_STOP = 30.0
# Of a run, until its evaluation is there too.
_TRAINING_SHARE = 0.95


def run(planned, *, eval_data, checkpoint_steps=100, progress=None):
    """Trains and tests what is not finished; a run that fails does not stop the others.

    Args:
      planned: from `ablation_plan.plan`.
      eval_data: prepared folder to test on.
      checkpoint_steps: a killed run loses at most so many steps.
      progress: show a progress bar; None where there is a terminal.

    Returns:
      List of sentences, one a failed run: which, the last line of its log, where the log is.

    Raises:
      RankPoseError: before anything is run, if a folder holds runs with other flags.
    """
    about = records.read_description(eval_data)
    for one in planned:
        check_flags(one)
    for one in planned:
        one.settings.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(one.settings, "\n".join(one.lines) + "\n")
    open_runs = [one for one in planned if not finished(one, eval_data, about)]
    failures = []
    with _Progress(planned, open_runs, progress) as shown:
        for one in open_runs:
            shown.begin(one)
            failure = _train_and_test(one, eval_data, about, checkpoint_steps, shown.look)
            failures += [failure] if failure else []
            shown.end()
    return failures


class _Progress:
    """A bar over all runs, with the time left; a run counts by its finished epochs."""

    def __init__(self, planned, open_runs, progress):
        self._done = len(planned) - len(open_runs)
        self._bar = tqdm.tqdm(
            total=len(planned),
            initial=self._done + sum(map(_share_done, open_runs)),
            # The time left follows the mean rate, not that of the last second.
            smoothing=0,
            disable=None if progress is None else not progress,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.1f} of {total} runs, {elapsed}, "
            "{remaining} left",
        )

    def begin(self, one):
        self._done += 1
        logging.info("%d of %d: %s", self._done, self._bar.total, one)
        self._bar.set_description_str(str(one))
        self._one, self._share = one, _share_done(one)

    def look(self):
        self._move(_share_done(self._one))

    def end(self):
        self._move(1.0)

    def _move(self, share):
        self._bar.update(share - self._share)
        self._share = share

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()


def check_flags(one):
    """Refuses a run that was begun with other flags.

    Raises:
      RankPoseError: names the flags.
    """
    # As for a training run: without a checkpoint it binds no one.
    if not (one.settings.is_file() and (one.workdir / "last.keras").is_file()):
        return
    begun = one.settings.read_text(encoding="utf-8").splitlines()
    differing = sorted(set(begun) ^ set(one.lines))
    if differing:
        raise RankPoseError(
            f"workdir: {str(one.workdir)!r} was trained with other flags ({' '.join(differing)}); "
            "pass the same recipe, cells and data to go on, or another --workdir"
        )


def evaluation_folder(one, eval_data):
    """Where the evaluation of a run on a prepared folder lies."""
    return one.workdir / f"evaluation-{pathlib.Path(eval_data).resolve().name}"


def finished(one, eval_data, about):
    """Whether a run was trained to its end and tested on `eval_data`.

    Args:
      one: `Run`.
      eval_data: prepared folder.
      about: its dataset.json.

    Raises:
      RankPoseError: if the evaluation is of another set of that name.
    """
    path = evaluation_folder(one, eval_data) / "evaluation.json"
    if not ((one.workdir / "result.json").is_file() and path.is_file()):
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    if (found["set"], found["crop"]["boxes"]) != (about["protocol_set"], about["box_source"]):
        raise RankPoseError(
            f"eval_data: {str(path)!r} is of {found['set']} with boxes of "
            f"{found['crop']['boxes']}, received {about['protocol_set']} with "
            f"{about['box_source']} under the same folder name; rename the folder"
        )
    return True


def _share_done(one):
    """How far a run that has no evaluation is, 0 to 1, by its finished epochs."""
    recorded, history = one.workdir / "flags.cfg", one.workdir / "history.csv"
    if not (recorded.is_file() and history.is_file()):
        return 0.0
    settings = dict(line.partition("=")[::2] for line in recorded.read_text().splitlines())
    epochs = len(history.read_text().splitlines()) - 1
    return _TRAINING_SHARE * min(1.0, epochs / int(settings["--epochs"]))


def _train_and_test(one, eval_data, about, checkpoint_steps, look):
    """Finishes a run; gives the sentence of its failure, or None."""
    with open(one.log, "ab") as log:
        _wait_for_others(one, log)
        if finished(one, eval_data, about):
            return None
        final = evaluation_folder(one, eval_data)
        beside = final.with_name(f".{final.name}")
        steps = [["train", f"--flagfile={one.settings}", f"--workdir={one.workdir}",
                  f"--checkpoint_steps={checkpoint_steps}"]]  # fmt: skip
        if (one.workdir / "result.json").is_file():
            steps = []
        steps += [["evaluate", f"--model={one.workdir}", f"--data={eval_data}", f"--out={beside}"]]
        # Left by a test that was killed.
        shutil.rmtree(beside, ignore_errors=True)
        for module, *arguments in steps:
            if code := _call(log, module, arguments, look):
                return _failure(one, module, code)
        os.replace(beside, final)
    return None


def _wait_for_others(one, log):
    """Waits for a session that was killed and left its process training.

    The lock belongs to the open log, which that process writes to: it ends with the process.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.warning("%s is still run by another process; waiting for its end", one)
        fcntl.flock(log, fcntl.LOCK_EX)


def _call(log, module, arguments, look):
    """Exit code of a command of the package; Ctrl-C here ends it as Ctrl-C there would."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"rankpose_tf.{module}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # A terminal's Ctrl-C would reach it twice.
        start_new_session=True,
    )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_SECONDS_BETWEEN_LOOKS)
            look()
    finally:
        if process.poll() is None:
            _end(process)


def _end(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(one, module, code):
    lines = one.log.read_text(encoding="utf-8", errors="replace").splitlines()
    # What absl says after a wrong flag is no reason.
    said = [line.strip() for line in lines if line.strip() and not line.startswith("Pass --help")]
    last = said[-1] if said else ""
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    sentence = f"{one}: {module} {ended}: {last!r}; see {str(one.log)!r}"
    logging.error("%s", sentence)
    return sentence
