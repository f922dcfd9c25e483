"""Flag files that leave the paper's recipe: they parse, and hold departures only."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

FLAGS = pathlib.Path(__file__).resolve().parents[2] / "flags"

# Flags are global, so every main is looked at in a process of its own.
_PARSE = """
import json, sys
from absl import flags
from rankpose_tf import train
flags.FLAGS(["train", "--flagfile=" + sys.argv[1]])
told = flags.FLAGS.flags_by_module_dict()[train.__name__]
print(json.dumps({f.name: [f.value, f.default] for f in told if f.present}))
"""


@pytest.fixture(scope="module")
def authors():
    """Flag -> value in flags/authors.cfg and default of rankpose_tf.train."""
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, str(FLAGS / "authors.cfg")],
        capture_output=True,
        text=True,
        cwd=FLAGS.parent,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_authors_recipe_sets_only_what_differs_from_the_papers(authors):
    lines = (FLAGS / "authors.cfg").read_text().splitlines()
    assert len(authors) == sum(line.startswith("--") for line in lines)
    assert [name for name, (value, default) in authors.items() if value == default] == []


def test_the_authors_loss_has_its_weights_in_our_sums(authors):
    # Theirs: the mean over three angles of squared errors, and the sum over them of rankings.
    regression, ranking = 1 / 3, 1
    assert authors["beta"][0] == regression / (regression + ranking)
    assert authors["loss_unit"][0] == "degrees"


def test_the_authors_noise_is_given_by_its_largest_variance(authors):
    assert authors["noise_stddev"][0] == 25**0.5
