"""An ablation by its command line: two cells on rendered heads, stopped, gone on with, finished."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder
from rankpose_tf.studies import ablation_cells, ablation_runs
from tests.support import one_block_ablation
from tests.support.doors import run_door, run_line

RECIPE = """\
--tower=compact
--input_size=32
--batch_size=4
--epochs=2
--steps_per_epoch=4
--validation_identities=4
--scale_probability=0
--crop_probability=0
--noise_probability=0
--blur_probability=0
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recipe.cfg").write_text(RECIPE)
    (tmp_path / "mse.cfg").write_text("--beta=1\n")
    (tmp_path / "ranking.cfg").write_text("--beta=0.5\n")
    return tmp_path


def command(folder, prepared, *more, cells=("mse", "ranking"), module="rankpose_tf.ablate"):
    names = ",".join(str(folder / f"{cell}.cfg") for cell in cells)
    return [
        sys.executable, "-m", module, f"--data={prepared}", f"--eval_data={prepared}",
        f"--workdir={folder / 'runs'}", f"--recipe={folder / 'recipe.cfg'}", f"--cells={names}",
        "--seeds=0", *more,
    ]  # fmt: skip


def listed(folder, prepared, cells=("mse", "ranking")):
    return ablation_cells.list_runs(
        workdir=folder / "runs", recipe=folder / "recipe.cfg", data=prepared, seeds=[0],
        cells={cell: folder / f"{cell}.cfg" for cell in cells},
    )  # fmt: skip


def wait_for(path, process):
    deadline = time.monotonic() + 200
    while not path.is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def command_lines():
    """Of all processes, where the system shows them."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            yield stream.read()


@pytest.mark.end_to_end
@pytest.mark.timeout(900)
def test_a_stopped_ablation_goes_on_and_a_finished_one_runs_nothing_again(
    folder, prepared, monkeypatch
):
    # One cell: that another follows is seen below, without processes.
    cells = ("ranking",)
    (run,) = listed(folder, prepared, cells)
    process = subprocess.Popen(
        command(
            folder, prepared, "--checkpoint_steps=2", cells=cells,
            module=one_block_ablation.__name__,
        ),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # Tests may run in the background, where a shell turns Ctrl-C off.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    wait_for(run.workdir / "last.keras", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and "Traceback" not in said
    assert said.strip().splitlines()[-1] == "stopped; the same command goes on from here"
    assert not [line for line in command_lines() if str(run.workdir).encode() in line]
    stopped = not (run.workdir / "result.json").is_file()

    monkeypatch.setattr(ablation_runs, "_call", call_in_this_process)
    assert ablation_runs.complete([run], eval_data=prepared, progress=False) == []
    begun = [int(step) for step in re.findall(r"at step (\d+)", run.log.read_text())]
    assert begun[0] == 0 and len(begun) == 1 + stopped and all(step > 0 for step in begun[1:])

    monkeypatch.undo()
    said = run.log.read_text()
    done = run_line(command(folder, prepared, cells=cells))
    assert done.returncode == 0, done.stderr
    assert run.log.read_text() == said
    assert str(folder / "runs" / "table.md") in done.stdout
    result = json.loads((folder / "runs" / "ablation.json").read_text())
    assert result["steps"] == 2 * 4 and "rendered heads" in result["protocol"]
    assert [len(cell["runs"]) for cell in result["cells"].values()] == [1]


def call_in_this_process(log, module, arguments, look):
    """`ablation_runs._call` without an import of TensorFlow."""
    done = run_door(module, *arguments)
    log.write(f"{done.stdout}{done.stderr}".encode())
    return done.returncode


@pytest.fixture
def commands(monkeypatch, folder, prepared):
    """Records the commands instead of running them, and leaves what they would leave."""
    called = []

    def call(log, module, arguments, look):
        given = dict(argument.split("=", 1) for argument in arguments)
        called.append((module, given))
        look()
        if module == "train":
            write_trained(given["--workdir"], prepared)
        else:
            write_tested(given["--out"], prepared)
        return 0

    monkeypatch.setattr(ablation_runs, "_call", call)
    return called


def write_trained(workdir, prepared):
    os.makedirs(workdir, exist_ok=True)
    for name, text in (
        ("result.json", "{}"), ("last.keras", ""), ("flags.cfg", "--epochs=2\n"),
        ("history.csv", "epoch\n1\n2\n"),
    ):  # fmt: skip
        with open(os.path.join(workdir, name), "w") as stream:
            stream.write(text)


def write_tested(out, prepared, protocol_set=None, images=None):
    about = prepared_folder.read_description(prepared)
    os.makedirs(out)
    found = {"set": protocol_set or about["protocol_set"], "crop": {"boxes": about["box_source"]},
             "protocol": "made up", "images": images or about["views_within_limit"],
             "mae": {"yaw": 1.0, "pitch": 1.0, "roll": 1.0, "mean": 1.0}}  # fmt: skip
    with open(os.path.join(out, "evaluation.json"), "w") as stream:
        json.dump(found, stream)


def test_every_run_is_trained_with_its_recorded_flags_and_then_tested(folder, prepared, commands):
    runs = listed(folder, prepared)
    assert ablation_runs.complete(runs, eval_data=prepared, progress=False) == []
    assert [module for module, _ in commands] == ["train", "evaluate"] * 2
    for run, (_, train), (_, test) in zip(runs, commands[::2], commands[1::2], strict=True):
        assert train["--flagfile"] == str(run.settings)
        assert run.settings.read_text().splitlines() == list(run.lines)
        assert train["--workdir"] == test["--model"] == str(run.workdir)
        assert ablation_runs.is_finished(run, prepared, prepared_folder.read_description(prepared))
    ablation_runs.complete(runs, eval_data=prepared, progress=False)
    assert len(commands) == 4


def test_a_trained_run_is_only_tested(folder, prepared, commands):
    run, _ = runs = listed(folder, prepared)
    write_trained(run.workdir, prepared)
    ablation_runs.complete(runs, eval_data=prepared, progress=False)
    assert [module for module, _ in commands] == ["evaluate", "train", "evaluate"]


def test_another_test_set_is_tested_without_training_again(folder, prepared, commands):
    runs = listed(folder, prepared)
    ablation_runs.complete(runs, eval_data=prepared, progress=False)
    other = shutil.copytree(prepared, folder / "other_faces")
    ablation_runs.complete(runs, eval_data=other, progress=False)
    assert [module for module, _ in commands[4:]] == ["evaluate"] * 2


def test_an_evaluation_of_another_set_under_the_same_name_is_refused(folder, prepared):
    run, _ = runs = listed(folder, prepared)
    write_trained(run.workdir, prepared)
    write_tested(ablation_runs.evaluation_folder(run, prepared), prepared, "other faces")
    with pytest.raises(RankPoseError, match="eval_data: .* of other faces .*received .* rendered"):
        ablation_runs.complete(runs, eval_data=prepared)


def test_a_flag_without_a_checkpoint_binds_no_one(folder, prepared, commands):
    runs = listed(folder, prepared)
    runs[0].settings.parent.mkdir(parents=True)
    runs[0].settings.write_text("--epochs=7\n")
    assert ablation_runs.complete(runs, eval_data=prepared, progress=False) == []


def test_a_finished_run_binds_its_cell_also_without_the_checkpoint(folder, prepared, commands):
    (run, _) = listed(folder, prepared)
    ablation_runs.complete([run], eval_data=prepared, progress=False)
    (run.workdir / "last.keras").unlink()
    assert ablation_runs.complete([run], eval_data=prepared, progress=False) == []
    assert len(commands) == 2
    (folder / "mse.cfg").write_text("--beta=0.9\n")
    with pytest.raises(RankPoseError, match="trained with other flags .*--beta=0.9 --beta=1"):
        ablation_runs.complete(listed(folder, prepared), eval_data=prepared, progress=False)


def test_an_evaluation_of_fewer_pictures_under_the_same_name_is_refused(folder, prepared):
    run, _ = runs = listed(folder, prepared)
    write_trained(run.workdir, prepared)
    write_tested(ablation_runs.evaluation_folder(run, prepared), prepared, images=3)
    with pytest.raises(RankPoseError, match="is of 3 pictures of rendered.*received 96 pictures"):
        ablation_runs.complete(runs, eval_data=prepared)


@pytest.mark.parametrize("recorded", ["", "--epochs=\n", "--epochs=0\n", "--epochs=2"])
def test_a_damaged_record_is_no_reason_to_stop_the_bar(folder, prepared, commands, recorded):
    (run, _) = listed(folder, prepared)
    write_trained(run.workdir, prepared)
    (run.workdir / "flags.cfg").write_text(recorded)
    assert ablation_runs.complete([run], eval_data=prepared, progress=False) == []


def test_a_flagfile_within_the_recipe_that_is_not_there_is_one_sentence(folder, prepared):
    (folder / "recipe.cfg").write_text("--flagfile=absent.cfg\n")
    with pytest.raises(RankPoseError, match="flagfile: .*cfg' can't be read whole: .*absent"):
        listed(folder, prepared)


def test_a_failing_cell_is_named_with_its_log_and_the_others_run(folder, prepared):
    (folder / "wrong.cfg").write_text("--transform=tanh\n")
    done = run_line(command(folder, prepared, cells=("wrong",)))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: cells: 1 of 1 runs failed, the first is wrong, seed 0: train")
    assert "tanh" in last and str(folder / "runs" / "wrong" / "seed_0.log") in last
    assert "not run" in (folder / "runs" / "table.md").read_text()


def test_one_failure_does_not_stop_the_others(folder, prepared, commands, monkeypatch):
    good = ablation_runs._call

    def call(log, module, arguments, look):
        if any("mse" in argument for argument in arguments):
            log.write(b"first\nerror: no\n\n")
            log.flush()
            return 3
        return good(log, module, arguments, look)

    monkeypatch.setattr(ablation_runs, "_call", call)
    failures = ablation_runs.complete(listed(folder, prepared), eval_data=prepared, progress=False)
    assert len(failures) == 1
    assert failures[0].startswith("mse, seed 0: train ended with code 3: 'error: no'; see ")
    assert [module for module, _ in commands] == ["train", "evaluate"]


def test_runs_that_were_trained_with_other_flags_are_refused(folder, prepared, commands):
    ablation_runs.complete(listed(folder, prepared), eval_data=prepared, progress=False)
    (folder / "recipe.cfg").write_text(RECIPE.replace("--epochs=2", "--epochs=3"))
    with pytest.raises(RankPoseError, match="trained with other flags .*--epochs=2 --epochs=3"):
        ablation_runs.complete(listed(folder, prepared), eval_data=prepared, progress=False)
    assert len(commands) == 4
    (folder / "recipe.cfg").write_text(RECIPE)
    assert listed(folder, prepared)[0].settings.read_text().splitlines()[3] == "--epochs=2"


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--seeds=0,x", "error: seeds: expected whole numbers"),
        ("--eval_data=absent", "error: data: there is no folder 'absent'"),
        ("--workdir=", "error: workdir: pass --workdir=FOLDER"),
    ],
)
def test_a_wrong_argument_is_one_sentence(folder, prepared, flag, told):
    done = run_line(command(folder, prepared, flag))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(told)
    assert not (folder / "runs").exists()
