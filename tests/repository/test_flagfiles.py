"""Flag files that leave the paper's recipe: they parse, and hold departures only."""

import pathlib

import pytest

from tests.support.doors import given_flags

FLAGS = pathlib.Path(__file__).resolve().parents[2] / "flags"


@pytest.fixture(scope="module")
def authors():
    """Flag -> value in flags/authors.cfg and default of rankpose_tf.train."""
    return given_flags("train", f"--flagfile={FLAGS / 'authors.cfg'}")


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
