"""Runs one command of the package again and again, kills it or fills its disk, and runs it again.

    LD_PRELOAD=faults.so FAULT_FOLDER=... FAULT_CONTROL=... \
        python -m tests.support.fault_trials SPECIFICATION.json

faults.c counts what the command changes in its folder, and strikes at a chosen change. TensorFlow
is imported once; each run is a fork of this process, before anything of TensorFlow has run.

The specification: "door" and "arguments" of the command, in which {out} is the folder of one run;
"again" are those of the run after a broken one, if they are others; "imports" are made before the
forks; "kills" and "full" say how many moments are tried; "seed" chooses them; "one_block" makes
compact towers small.
"""

import contextlib
import importlib
import io
import json
import os
import pathlib
import random
import re
import runpy
import shutil
import signal
import struct
import sys
import time
import traceback
import zipfile

# What no two runs have alike: times, and the size of a SavedModel.
_VARYING = (
    *("bytes", "seconds", "training_seconds", "images_per_second", "finished"),
    "median_milliseconds",
)
# Files that grow in place, and so are not whole in the middle of a run.
_GROWING = ("rows.csv", "rows.jsonl")
# Files that are being written: those of core/leftovers.py, and those of `score`.
_HIDDEN = re.compile(r".*-rankpose-.*|\..*-[0-9a-f]{32}")


class Runs:
    """The runs of one specification, each in a folder of its own."""

    def __init__(self, specification):
        self.specification = specification
        self.top = pathlib.Path(os.environ["FAULT_FOLDER"])
        self.control = os.environ["FAULT_CONTROL"]
        self.sentences = set()
        self.log = pathlib.Path(self.control).with_suffix(".log")

    def run(self, folder, arguments, strike=0, what=0):
        """One run: its exit code, negative for a signal, and what it said on standard error.

        Waits until no process of it is left: none may outlive a killed one for long.
        """
        self.strike_at(strike, what)
        given = [argument.replace("{out}", str(folder)) for argument in arguments]
        child = os.fork()
        if child == 0:
            become(self.specification["door"], given, self.log)
        _, status = os.waitpid(child, 0)
        end = time.monotonic() + 60
        while is_left(child):
            assert time.monotonic() < end, "a process of a killed run lives on"
            time.sleep(0.02)
        self.changes = self.strike_at(0)
        return os.waitstatus_to_exitcode(status), self.log.read_text(errors="replace")

    def strike_at(self, change, what=0):
        """Counts anew from here; returns how many changes there were before."""
        with open(self.control, "r+b") as control:
            (before,) = struct.unpack("q", control.read(8))
            control.seek(0)
            control.write(struct.pack("qqq", 0, change, what))
        return before

    def whole(self):
        """The unbroken run: its content, and how many changes it made."""
        folder = self.top / "whole"
        folder.mkdir(parents=True)
        code, said = self.run(folder, self.specification["arguments"])
        assert code == 0, said
        return content(folder), self.changes

    def trial(self, number, moment, what, expected):
        """One broken run and the next one; returns "ended before" where the moment never came."""
        folder = self.top / f"trial-{number}"
        folder.mkdir()
        code, said = self.run(folder, self.specification["arguments"], moment, what)
        outcome = "broken"
        if code == 0:
            outcome = "ended before"
        elif what == 0:
            assert code == -signal.SIGKILL, (code, said)
        else:
            last = (said.strip().splitlines() or [""])[-1]
            assert code == 1 and last.startswith("error: "), (code, said)
            # Bars, and what TensorFlow says where it was imported before the command.
            assert not any(word in said for word in ("Traceback", "Exception ignored")), said
            self.sentences.add(last.replace(str(folder), "OUT"))
        half = half_files(folder, expected)
        assert not half, f"half files under final names: {half}"
        if outcome == "broken":
            if content(folder) == expected:
                outcome = "finished, then broken"
            again = self.specification.get("again") or self.specification["arguments"]
            code, said = self.run(folder, again)
            # What is finished may be refused, as after an unbroken run.
            assert code == 0 or outcome != "broken" and "Traceback" not in said, said
        compare(content(folder), expected)
        left = [str(path) for path in folder.rglob("*") if _HIDDEN.fullmatch(path.name)]
        assert not left, f"left beside: {left}"
        shutil.rmtree(folder)
        return outcome


def become(door, arguments, log):
    """Turns this fork into the command; does not return."""
    os.setsid()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(handle, 2)
    sys.argv = [f"rankpose_tf.{door}", *arguments]
    runpy.run_module(f"rankpose_tf.{door}", run_name="__main__", alter_sys=True)
    sys.exit(0)


def is_left(group):
    """Whether a process of a group is alive; one that has died and waits to be told is not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, process_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(process_group) == group and state not in "ZX":
                return True
    return False


def content(folder):
    """Relative path -> what of a file is the same in every run; hidden files are left out."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): canonical(path)
        for name, path in found.items()
        if "logs" not in name.parts and not any(map(_HIDDEN.fullmatch, name.parts))
    }


def canonical(path):
    raw = path.read_bytes()
    if path.suffix == ".json":
        return untimed(json.loads(raw))
    if path.suffix == ".keras":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            # Keras writes the configuration of a model that was loaded with other defaults.
            kept = sorted(set(archive.namelist()) - {"config.json", "metadata.json"})
            return {name: member(archive, name) for name in kept}
    if path.name == "history.csv":
        rows = [line.split(",") for line in raw.decode().splitlines()]
        kept = [index for index, name in enumerate(rows[0]) if name not in _VARYING]
        return [[row[index] for index in kept] for row in rows]
    if path.name == "fingerprint.pb" or path.suffix == ".log":
        return None  # A number that is drawn anew for each SavedModel; a log of what was done when.
    if "savedmodel" in path.parts:
        # Variables are written in an order that is drawn anew, too; it is moved by one rename.
        return len(raw) > 0
    return raw


def member(archive, name):
    raw = archive.read(name)
    if name.endswith(".json"):
        return untimed(json.loads(raw))
    if name.endswith(".h5"):
        return arrays(raw)
    return raw


def arrays(raw):
    import h5py

    found = {}
    with h5py.File(io.BytesIO(raw)) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()].tobytes()})
            if isinstance(item, h5py.Dataset)
            else None
        )
    return found


def untimed(value):
    if isinstance(value, dict):
        return {name: untimed(item) for name, item in value.items() if name not in _VARYING}
    if isinstance(value, float):
        return round(value, 4)  # Sums of a SavedModel depend on that order.
    return [untimed(item) for item in value] if isinstance(value, list) else value


def half_files(folder, expected):
    """Names that are final, whose content is neither the unbroken run's nor whole of its kind."""
    half = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or path.name in _GROWING or name.startswith(_PASSING):
            continue
        try:
            found = canonical(path)
        except Exception as error:
            half.append(f"{name}: {error!r}")
            continue
        # An earlier epoch's file, say, is whole: it could be parsed.
        if name in expected and found != expected[name] and not isinstance(found, dict | list):
            half.append(name)
    return half


# Of whole, but passing, content: what training shows and what `prepare` notes.
_PASSING = ("run/logs", "runs/")


def compare(found, expected):
    assert found.keys() == expected.keys(), sorted(found.keys() ^ expected.keys())
    differing = [name for name in expected if found[name] != expected[name]]
    assert not differing, f"differs from the unbroken run: {differing}"


def main():
    specification = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for name in specification.get("imports", ()):
        importlib.import_module(name)
    if specification.get("one_block"):
        from rankpose_tf.models import compact

        compact._STEM, compact._STAGES, compact._FEATURES = 8, ((8, 1),), 16
    runs = Runs(specification)
    expected, changes = runs.whole()
    generator = random.Random(specification.get("seed", 0))
    report = {"changes": changes}
    for what, key in enumerate(("kills", "full")):
        count = min(specification.get(key, 0), changes)
        moments = sorted(generator.sample(range(1, changes + 1), count))
        outcomes, failures = [], {}
        for number, moment in enumerate(moments):
            try:
                outcomes.append(runs.trial(f"{key}-{number}", moment, what, expected))
            except AssertionError as error:
                failures[moment] = str(error)[-2000:]
        report[key] = {name: outcomes.count(name) for name in sorted(set(outcomes))}
        report[f"{key}_failed"] = failures
    report["sentences"] = sorted(runs.sentences)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    try:
        main()
    except AssertionError:
        traceback.print_exc()
        sys.exit(3)
