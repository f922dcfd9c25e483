"""Nothing in the package runs what a file says."""

import pathlib
import re

import pytest

import rankpose_tf

SOURCES = sorted(pathlib.Path(rankpose_tf.__file__).parent.rglob("*.py"))
# Ways to run what is in a file or a string.
UNSAFE = re.compile(
    r"""\b(?:import\s+(?:pickle|marshal|shelve|dill|joblib)\b|pickle\.loads?\b|allow_pickle\s*=\s*True
    |(?<![.\w])(?:eval|exec)\(|yaml\.(?:unsafe_|full_)?load\(|shell\s*=\s*True|os\.(?:system|popen)\(
    |safe_mode\s*=\s*False|enable_unsafe_deserialization)""",
    re.VERBOSE,
)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "exec(code)",
        "yaml.load(text)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "keras.models.load_model(path, safe_mode=False)",
    ],
)
def test_the_pattern_finds(line):
    assert UNSAFE.search(line)


def test_no_source_runs_what_a_file_says():
    assert len(SOURCES) > 100
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNSAFE.search(line)
    ]
    assert not found
