"""Every format answers no picture, one and many alike, with oneDNN's kernels and without.

TensorFlow turns oneDNN on by itself where the CPU has AVX-512 with VNNI. Both settings are tested,
each in a process of its own, so that the result does not depend on the machine.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.support import format_answers
from tests.support.format_answers import ANGLES, COUNTS, NAMES

# Degrees: what each may differ by from Keras. Full int8 rounds every activation of this network,
# whose weights are random; the dynamic one chooses its scales by the whole batch.
BOUNDS = {"tflite_fp16": 0.05, "tflite_int8_dynamic": 2.0, "tflite_int8": 1.0}


@pytest.fixture(scope="module")
def answers(every_format, tmp_path_factory):
    """Setting of TF_ENABLE_ONEDNN_OPTS -> what format_answers wrote."""
    folder = tmp_path_factory.mktemp("answers")
    # Both at once: half of their time is the import of TensorFlow.
    runs = {
        setting: subprocess.Popen(
            [sys.executable, "-m", format_answers.__name__, str(every_format),
             str(every_format), str(folder / f"{setting}.npz")],
            env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": setting},
            stderr=subprocess.PIPE, text=True,
        )
        for setting in ("0", "1")
    }  # fmt: skip
    for run in runs.values():
        _, told = run.communicate()
        assert run.returncode == 0, told
    return {setting: dict(np.load(folder / f"{setting}.npz")) for setting in runs}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_any_number_of_pictures_is_answered_as_keras_does(answers, onednn, name, count):
    outputs = {
        key.rpartition("/")[2]: value
        for key, value in answers[onednn].items()
        if key.startswith(f"{name}/{count}/")
    }
    assert "error" not in outputs, outputs["error"]
    valid = {"valid"} if name.startswith(("savedmodel", "server")) else set()
    assert {key: value.shape for key, value in outputs.items()} == dict.fromkeys(
        {*ANGLES, *valid}, (count,)
    )
    for angle in ANGLES:
        expected = answers[onednn][f"keras/{max(COUNTS)}/{angle}"][:count]
        np.testing.assert_allclose(outputs[angle], expected, atol=BOUNDS.get(name, 1e-3))
    assert all(outputs[key].all() for key in valid)
