"""The command as a user runs it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.prediction import options, results
from tests.support.doors import run_door

ROOT = pathlib.Path(__file__).resolve().parents[2]


def save(path, image):
    cv2.imwrite(str(path), image)
    return path


def rows(path):
    return list(results.read(path))


def command(*arguments, model, stdin=""):
    return run_door("predict", f"--model={model}", *arguments, stdin=stdin)


def test_the_command_reads_a_list_and_fails_at_the_end(tmp_path, small_model):
    crops = [save(tmp_path / f"{i}.png", np.full((40, 40, 3), 60 * i, np.uint8)) for i in range(4)]
    listing = "\n".join(map(str, [*crops[:2], tmp_path / "absent.png", *crops[2:]]))
    done = command(
        *("--input=-", "--crops", f"--out={tmp_path}/poses.csv", "--draw=axes"),
        *(f"--draw_dir={tmp_path}/drawn", f"--contact_sheet={tmp_path}/sheet.jpg"),
        model=small_model,
        stdin=listing,
    )
    assert done.returncode == 1, done.stderr
    assert "4 pictures and 0 frames: 4 faces, 0 without a face, 1 that could" in done.stdout
    kept = rows(tmp_path / "poses.csv")
    assert [row.angles is None for row in kept] == [False, False, True, False, False]
    assert "No such file" in kept[2].reason
    # A tile a face, and one for what is absent.
    assert cv2.imread(str(tmp_path / "sheet.jpg")).shape[1] == 5 * 200
    assert len(list((tmp_path / "drawn").iterdir())) == 4


def test_a_preview_of_pictures_is_refused(tmp_path):
    save(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    done = run_door("predict", f"{tmp_path}/a.png", "--preview")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: preview: shows videos and cameras; for pictures pass --draw\n"


def test_more_pixels_than_pillow_reads_are_not_promised(tmp_path):
    save(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    most = 2 * Image.MAX_IMAGE_PIXELS
    assert pictures.LARGEST_MAX_PIXELS == most
    assert options.Options(max_pixels=most).max_pixels == most
    done = run_door("predict", f"{tmp_path}/a.png", f"--max_pixels={most + 1}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: max_pixels: expected at most {most}, since Pillow ")
    assert done.stderr.endswith(f"received {most + 1}; make larger pictures smaller\n")


@pytest.mark.end_to_end
def test_ctrl_c_leaves_a_file_that_resume_completes(tmp_path, small_model):
    generator = np.random.default_rng(1)
    image = save(tmp_path / "noise.png", generator.integers(0, 255, (600, 600, 3), np.uint8))
    folder, out = tmp_path / "crops", tmp_path / "poses.jsonl"
    folder.mkdir()
    count = 600
    for index in range(count):
        os.link(image, folder / f"{index:03}.png")
    line = [sys.executable, "-m", "rankpose_tf.predict", f"--model={small_model}", "--crops"]
    line += [f"--input={folder}", f"--out={out}", "--batch_size=4"]
    running = subprocess.Popen(
        line,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and so the tests of one, are started deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 150
    # A row that the interrupt cuts is taken back: of two, one stays.
    while not (out.exists() and out.read_bytes().count(b"\n") > 1) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "--resume goes on from here" in said
    stopped = rows(out)
    assert 0 < len(stopped) < count
    assert out.read_bytes().endswith(b"\n")
    done = command("--crops", f"--input={folder}", f"--out={out}", "--resume", model=small_model)
    assert done.returncode == 0, done.stderr
    kept = rows(out)
    assert kept[: len(stopped) - 1] == stopped[:-1]
    assert [row.path for row in kept] == [str(folder / f"{index:03}.png") for index in range(count)]


def test_flags_that_contradict_are_told_before_the_model_is_loaded(tmp_path):
    save(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    named = f"--input={tmp_path}/a.png"
    done = command(named, "--crops", "--detector=mtcnn", f"--out={tmp_path}/p.csv", model="absent")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: detector: ")
    done = command(named, f"--out={tmp_path}/p.csv", model="absent")
    assert done.stderr.startswith("error: model: ")
    assert not (tmp_path / "p.csv").exists()


def test_a_picture_that_is_named_prints_a_line_and_several_a_table(tmp_path, small_model):
    first = save(tmp_path / "a.png", np.full((40, 40, 3), 90, np.uint8))
    save(tmp_path / "b.png", np.full((40, 40, 3), 30, np.uint8))
    done = command(str(first), "--crops", model=small_model)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{first}: yaw ") and done.stdout.count("\n") == 1
    done = command(str(tmp_path), "--crops", model=small_model)
    titles, one, other, _ = done.stdout.splitlines()
    assert titles.split() == ["yaw", "pitch", "roll", "score", "face", "path"]
    assert one.endswith("a.png") and other.endswith("b.png")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_video_whose_name_is_no_utf8_is_a_row_and_the_others_are_read(tmp_path, small_model):
    """In a process of its own, which OpenCV would end."""
    folder, odd = tmp_path / "faces", os.fsdecode(b"bad\xff.mp4")
    folder.mkdir()
    for name in ("a.png", "c.png"):
        save(folder / name, np.zeros((40, 40, 3), np.uint8))
    (folder / odd).write_bytes(b"no video")
    line = [sys.executable, "-m", "rankpose_tf.predict", folder, f"--model={small_model}"]
    line += ["--crops", "--draw"]
    out, drawn = f"--out={tmp_path}/poses.csv", f"--draw_dir={tmp_path}/drawn"
    done = subprocess.run([*line, out, drawn], cwd=ROOT, capture_output=True)
    assert done.returncode == 1, done.stderr
    reasons = {pathlib.Path(row.path).name: row.reason for row in rows(tmp_path / "poses.csv")}
    assert reasons == {"a.png": None, odd: "has a name that is no UTF-8; rename it", "c.png": None}
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"a.png", "c.png"}


def test_draw_alone_draws_into_a_new_folder_that_it_names(tmp_path, small_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    for made in ("drawn", "drawn-2"):
        done = command("a.png", "--crops", "--draw", model=small_model)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == made
        assert (tmp_path / made / "a.png").is_file()
