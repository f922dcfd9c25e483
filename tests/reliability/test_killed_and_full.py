"""Commands that are killed, or whose disk is full, at any change they make: nothing is lost.

    python -m pytest -m reliability tests/reliability/test_killed_and_full.py

Each test tries 20 moments for SIGKILL and some for a disk that is full from then on. MOST_TRIALS=5
before the command tries fewer, MOST_FULL=0 no full disk, and TRIALS_SEED=1 other moments. Then the
same command is run again, and its result has to equal that of an unbroken run; no half file has a
final name before, and nothing is left beside after.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import cv2
import pytest

from rankpose_tf.data import synthetic

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "support" / "faults.c"
MOST = int(os.environ.get("MOST_TRIALS", 20))
LIMITS = {"kills": MOST, "full": int(os.environ.get("MOST_FULL", MOST))}
TRAINING = [
    "--tower=compact", "--input_size=32", "--batch_size=8", "--epochs=2", "--steps_per_epoch=5",
    "--validation_identities=4", "--seed=3", "--scale_probability=0", "--crop_probability=0",
    "--noise_probability=0", "--blur_probability=0",
]  # fmt: skip
TENSORFLOW = ["tensorflow", "keras", "rankpose_tf.training.loop", "rankpose_tf.evaluation.run"]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("library") / "faults.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True
    )
    return library


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of eight rendered heads, and a video of them."""
    folder = tmp_path_factory.mktemp("pictures")
    heads = [synthetic.render(i, (0.1 * i, 0.0, 0.1), 96)[0] for i in range(8)]
    film = cv2.VideoWriter(
        str(folder.parent / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 96)
    )
    for index, head in enumerate(heads):
        cv2.imwrite(str(folder / f"{index}.png"), head[..., ::-1])
        film.write(head[..., ::-1].copy())
    film.release()
    return folder


@pytest.fixture
def trials(library, tmp_path):
    """Function of a specification: what `fault_trials` reports."""

    def run(**specification):
        control, top = tmp_path / "control", tmp_path / "runs"
        control.write_bytes(bytes(4096))
        specification |= {key: min(specification[key], most) for key, most in LIMITS.items()}
        specification["seed"] = int(os.environ.get("TRIALS_SEED", 0))
        (tmp_path / "specification.json").write_text(json.dumps(specification))
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.fault_trials",
             str(tmp_path / "specification.json")],
            env={**os.environ, "LD_PRELOAD": str(library), "FAULT_FOLDER": str(top),
                 "FAULT_CONTROL": str(control), "TF_CPP_MIN_LOG_LEVEL": "2",
                 # Sums in one order: results are compared to the bit.
                 "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        report = json.loads(done.stdout)
        print(specification["door"], json.dumps(report))
        assert not report["kills_failed"] and not report["full_failed"]
        return report

    return run


pytestmark = [pytest.mark.reliability, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("workers", [1, 2])
def test_prepare(trials, workers):
    arguments = ["--out={out}/prepared", "--kind=synthetic", "--synthetic_identities=12",
                 "--shards=4", f"--workers={workers}"]  # fmt: skip
    kills, full = (20, 8) if workers == 1 else (5, 2)
    trials(door="prepare", arguments=arguments, imports=["tensorflow"], kills=kills, full=full)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_predict_pictures(trials, pictures, suffix):
    out = f"--out={{out}}/rows.{suffix}"
    arguments = [str(pictures), "--crops", "--model=compact", "--draw=cube",
                 "--draw_dir={out}/drawn", out, "--contact_sheet={out}/sheet.png"]  # fmt: skip
    trials(door="predict", arguments=arguments, again=[*arguments, "--resume"],
           imports=["rankpose_tf.prediction.run", "ai_edge_litert.interpreter"],
           kills=20, full=8)  # fmt: skip


def test_predict_video(trials, pictures):
    arguments = [str(pictures.parent / "film.avi"), "--crops", "--model=compact", "--draw=cube",
                 "--draw_dir={out}/drawn", "--out={out}/rows.csv"]  # fmt: skip
    trials(door="predict", arguments=arguments, again=[*arguments, "--resume"],
           imports=["rankpose_tf.prediction.run", "ai_edge_litert.interpreter"],
           kills=20, full=8)  # fmt: skip


def test_score(trials, pictures):
    pytest.importorskip("apache_beam", reason="the extra [beam] is not installed")
    arguments = [f"--input={pictures}", "--crops", "--model=compact", "--out={out}/scores",
                 "--pictures_per_file=2"]  # fmt: skip
    trials(door="score", arguments=arguments, imports=["rankpose_tf.prediction.beam_poses"],
           kills=20, full=4)  # fmt: skip


def test_train(trials, prepared):
    arguments = [f"--data={prepared}", "--workdir={out}/run", "--checkpoint_steps=2", *TRAINING]
    trials(door="train", arguments=arguments, imports=TENSORFLOW, one_block=True,
           kills=20, full=4)  # fmt: skip


def test_evaluate(trials, prepared, one_block_model):
    arguments = [f"--model={one_block_model}", f"--data={prepared}", "--out={out}/evaluation"]
    trials(door="evaluate", arguments=arguments, imports=TENSORFLOW, kills=20, full=4)


def test_export(trials, one_block_model):
    arguments = [f"--model={one_block_model}", "--out={out}/exported", "--nolatency",
                 "--formats=tflite_fp32,folded,savedmodel"]  # fmt: skip
    imports = [*TENSORFLOW, "rankpose_tf.exporting.run", "rankpose_tf.exporting.tflite",
               "rankpose_tf.exporting.savedmodel"]  # fmt: skip
    trials(door="export", arguments=arguments, imports=imports, kills=20, full=4)


def test_ablate(trials, prepared, tmp_path):
    """Slow: each run starts processes of its own, which import TensorFlow."""
    (tmp_path / "recipe.cfg").write_text(
        "\n".join(line for line in TRAINING if not line.startswith("--seed")) + "\n"
    )
    (tmp_path / "one.cfg").write_text("--beta=1\n")
    arguments = [f"--data={prepared}", f"--eval_data={prepared}", "--workdir={out}/runs",
                 f"--recipe={tmp_path / 'recipe.cfg'}", f"--cells={tmp_path / 'one.cfg'}",
                 "--seeds=0", "--checkpoint_steps=2"]  # fmt: skip
    trials(door="ablate", arguments=arguments, kills=20, full=1)
