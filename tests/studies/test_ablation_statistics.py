"""Comparisons of an ablation against values worked out by hand."""

import math

import pytest

from rankpose_tf.studies import ablation_claims
from rankpose_tf.studies import ablation_statistics as statistics
from rankpose_tf.studies.ablation_claims import Claim, against
from rankpose_tf.studies.ablation_statistics import compare

# Student's t, two-sided 95%, by degrees of freedom; closed forms for 1 and 2, 3 from a table.
T = {1: math.tan(math.pi * 0.95 / 2), 2: 0.95 * math.sqrt(2 / (1 - 0.95**2)), 3: 3.182446305}


def figures(**cells):
    """Cell -> seed -> mean error; the seeds count from 0."""
    return {
        cell: {seed: {"mean": value} for seed, value in enumerate(values) if value is not None}
        for cell, values in cells.items()
    }


def test_the_spread_is_the_standard_deviation_of_a_sample():
    expected = {"n": 3, "mean": 3.0, "deviation": math.sqrt((4 + 1 + 9) / 2)}
    assert statistics.spread([1.0, 2.0, 6.0]) == pytest.approx(expected)
    assert statistics.spread([5.0]) == {"n": 1, "mean": 5.0, "deviation": None}
    assert statistics.spread([]) == {"n": 0, "mean": None, "deviation": None}


@pytest.mark.parametrize(
    ("differences", "mean", "deviation"),
    [
        ([-1.0, -2.0, -3.0], -2.0, 1.0),
        ([0.0, 1.0], 0.5, math.sqrt(0.5)),
        ([1.0, 1.0, 3.0, 3.0], 2.0, math.sqrt(4 / 3)),
    ],
)
def test_the_interval_is_students(differences, mean, deviation):
    n = len(differences)
    half = T[n - 1] * deviation / math.sqrt(n)
    expected = [mean - half, mean + half]
    assert statistics.confidence_interval(differences) == pytest.approx(expected, rel=1e-6)


def test_one_difference_has_no_interval_and_equal_ones_have_one_of_no_width():
    assert statistics.confidence_interval([0.3]) is None
    assert statistics.confidence_interval([0.5, 0.5, 0.5]) == [0.5, 0.5]


def test_cells_are_compared_within_a_seed():
    found = compare(
        against("a helps", ["a"], ["b"]), figures(a=[5.0, 8.0, 3.0], b=[6.0, 9.5, 5.0]), "mean"
    )
    assert found["by_seed"] == {"0": -1.0, "1": -1.5, "2": -2.0}
    half = T[2] * 0.5 / math.sqrt(3)
    assert found["interval"] == pytest.approx([-1.5 - half, -1.5 + half], rel=1e-6)
    assert (found["n"], found["difference"], found["verdict"]) == (3, -1.5, "difference seen")


def test_several_cells_are_averaged_within_a_seed_before_seeds_are_counted():
    values = figures(a=[1.0, 2.0], b=[3.0, 4.0], c=[5.0, 5.0], d=[6.0, 8.0], e=[7.0, 8.0])
    found = compare(against("helps", ["a", "b"], ["c", "d", "e"]), values, "mean")
    expected = [(1 + 3) / 2 - (5 + 6 + 7) / 3, (2 + 4) / 2 - (5 + 8 + 8) / 3]
    assert list(found["by_seed"].values()) == pytest.approx(expected)
    assert found["n"] == 2


@pytest.mark.parametrize(
    ("a", "verdict"),
    [
        ([4.0, 5.1, 6.0], "difference seen"),
        ([6.0, 7.1, 8.0], "opposite"),
        ([4.0, 7.0, 7.0], "not seen"),
        ([4.0], "one seed, no interval"),
        ([], "not run"),
    ],
)
def test_a_verdict_is_the_side_of_the_interval(a, verdict):
    values = figures(a=a, b=[5.0, 6.0, 7.0])
    assert compare(against("a helps", ["a"], ["b"]), values, "mean")["verdict"] == verdict


def test_more_pairs_in_order_are_an_improvement_where_more_error_is_none():
    values = {
        cell: {s: {"held_out_ordered": v + s / 100, "mean": v + s / 90} for s in range(3)}
        for cell, v in (("a", 0.8), ("b", 0.7))
    }
    claim = against("a helps", ["a"], ["b"])
    values["b"][2]["held_out_ordered"] += 0.01
    assert compare(claim, values, "held_out_ordered")["verdict"] == "difference seen"
    assert compare(claim, values, "mean")["verdict"] == "opposite"


def test_a_seed_that_lacks_a_cell_or_its_figure_is_left_out():
    values = figures(a=[1.0, None, 3.0, 4.0], b=[2.0, 2.0, 2.0, 2.0])
    values["b"][3]["mean"] = None
    found = compare(against("a helps", ["a"], ["b"]), values, "mean")
    assert found["by_seed"] == {"0": -1.0, "2": 1.0}
    assert compare(against("a helps", ["a"], ["absent"]), values, "mean")["verdict"] == "not run"


def test_a_difference_of_differences_is_paired_too():
    claim = Claim("more", {"few_r": 1, "few_m": -1, "all_r": -1, "all_m": 1})
    values = figures(few_r=[6.0, 7.0], few_m=[9.0, 9.0], all_r=[4.0, 5.0], all_m=[5.0, 5.0])
    found = compare(claim, values, "mean")
    assert found["by_seed"] == {"0": (6 - 9) - (4 - 5), "1": (7 - 9) - (5 - 5)}


def test_the_weights_of_every_claim_cancel_and_those_of_table_3_are_its_means():
    found = {claim.text: claim.weights for claim in ablation_claims.claims()}
    for weights in found.values():
        assert sum(weights.values()) == pytest.approx(0)
        assert sum(weight for weight in weights.values() if weight > 0) in (1, 2)
    assert found["ranking helps"] == {
        f"table3_{loss}_{transform}": sign / 3
        for loss, sign in (("ranking", 1), ("mse", -1))
        for transform in ("linear", "cosine", "arccos")
    }
    assert found["arccos helps"] == {
        f"table3_{loss}_{transform}": weight
        for loss in ("mse", "ranking")
        for transform, weight in (("arccos", 1 / 2), ("linear", -1 / 4), ("cosine", -1 / 4))
    }
