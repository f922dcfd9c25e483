"""What an ablation says: paired comparisons of cells over seeds, with Student's t.

Runs of one seed share their initial weights and the order of their data, so cells are compared
within a seed. The unit is the seed: where a claim is about several transforms, their differences
are averaged within each seed first, and n counts seeds. Counting every (transform, seed) as one
more observation would make the interval too narrow, for they share that seed.

A metric is one of `METRICS`. Errors are in degrees, less is better; "ordered" is a share, more is
better.
"""

import math
import statistics
from typing import NamedTuple

from scipy import stats

from rankpose_tf.evaluation import metrics

METRICS = (*metrics.COLUMNS, "held_out_mean", "held_out_ordered")
# Those that comparisons are made of, each with the sign of an improvement.
COMPARED = {"mean": -1, "held_out_mean": -1, "held_out_ordered": 1}
_CONFIDENCE = 0.95

_TRANSFORMS = ("linear", "cosine", "arccos")
# What the rows beside Table 3 are compared with.
_BASE_CELLS = {"mse": "table3_mse_arccos", "ranking": "table3_ranking_arccos"}


class Claim(NamedTuple):
    """That a weighted sum of cells is an improvement.

    Attributes:
      text: the claim.
      weights: dict of cell -> weight; they sum to 0.
    """

    text: str
    weights: dict


def against(text, cells, others):
    """The claim that the mean of `cells` is better than the mean of `others`."""
    weights = {cell: 1 / len(cells) for cell in cells}
    return Claim(text, weights | {cell: -1 / len(others) for cell in others})


def _table3(*, losses=("mse", "ranking"), transforms=_TRANSFORMS):
    return [f"table3_{loss}_{transform}" for loss in losses for transform in transforms]


def claims():
    """Every claim that is tested, in the order of the table."""
    mse, ranking = (_table3(losses=(loss,)) for loss in ("mse", "ranking"))
    arccos = _table3(transforms=("arccos",))
    found = [against("ranking helps", ranking, mse)]
    found += [
        against(f"ranking helps, {transform}", [one], [other])
        for transform, one, other in zip(_TRANSFORMS, ranking, mse, strict=True)
    ]
    found.append(against("arccos helps", arccos, _table3(transforms=("linear", "cosine"))))
    found += [
        against(f"arccos helps against {transform}", arccos, _table3(transforms=(transform,)))
        for transform in ("linear", "cosine")
    ]
    return found + _extra_claims()


def _extra_claims():
    mse, ranking = _BASE_CELLS["mse"], _BASE_CELLS["ranking"]
    degrees = {loss: f"ablation_degrees_{loss}" for loss in _BASE_CELLS}
    separate = {loss: f"ablation_separate_{loss}" for loss in _BASE_CELLS}
    found = [
        against("degrees in the loss help, MSE", [degrees["mse"]], [mse]),
        against("degrees in the loss help, ranking", [degrees["ranking"]], [ranking]),
        against("ranking helps, loss in degrees", [degrees["ranking"]], [degrees["mse"]]),
        against("beta 0.1 helps against 0.5", ["ablation_beta01"], [ranking]),
        against("beta 0.9 helps against 0.5", ["ablation_beta09"], [ranking]),
        against(
            "pairs of one identity help against any two faces", [ranking], ["ablation_any_pairs"]
        ),
    ]
    found += [
        against("separate features help, MSE", [separate["mse"]], [mse]),
        against("separate features help, ranking", [separate["ranking"]], [ranking]),
        against("ranking helps, separate features", [separate["ranking"]], [separate["mse"]]),
    ]
    for count in (1000, 250):
        few = {loss: f"ablation_identities{count}_{loss}" for loss in _BASE_CELLS}
        more = {few["ranking"]: 1, few["mse"]: -1, ranking: -1, mse: 1}
        found += [
            against(f"all identities help against {count:,}, MSE", [mse], [few["mse"]]),
            against(f"all identities help against {count:,}, ranking", [ranking],
                    [few["ranking"]]),
            against(f"ranking helps with {count:,} identities", [few["ranking"]], [few["mse"]]),
            Claim(f"ranking helps more with {count:,} identities than with all", more),
        ]  # fmt: skip
    return found


def spread(values):
    """Mean and standard deviation (n - 1) of numbers.

    Returns:
      Dict: n, mean, deviation; the latter two None where n does not allow them.
    """
    return {
        "n": len(values),
        "mean": statistics.fmean(values) if values else None,
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
    }


def compare(claim, figures, metric):
    """A claim within each seed that has all its cells, and over the seeds.

    Args:
      claim: `Claim`.
      figures: dict of cell -> seed -> metric -> number; None or absent where there is none.
      metric: one of `COMPARED`.

    Returns:
      JSON-able dict: by_seed, n (seeds), difference (mean), interval (95%, Student's t; None
      under two seeds), verdict.
    """
    runs = [figures.get(cell, {}) for cell in claim.weights]
    seeds = sorted(set.intersection(*(set(found) for found in runs)))
    by_seed = {}
    for seed in seeds:
        values = [found[seed].get(metric) for found in runs]
        if None not in values:
            terms = zip(claim.weights.values(), values, strict=True)
            by_seed[str(seed)] = sum(weight * value for weight, value in terms)
    interval = confidence_interval(list(by_seed.values()))
    return {
        "by_seed": by_seed,
        "n": len(by_seed),
        "difference": statistics.fmean(by_seed.values()) if by_seed else None,
        "interval": interval,
        "verdict": _verdict(len(by_seed), interval, COMPARED[metric]),
    }


def confidence_interval(differences):
    """95% interval of the mean of paired differences: mean +- t(n - 1) s / sqrt(n).

    Args:
      differences: n numbers.

    Returns:
      [lower, upper], or None under two.
    """
    n = len(differences)
    if n < 2:
        return None
    mean = statistics.fmean(differences)
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1))
    half = quantile * statistics.stdev(differences) / math.sqrt(n)
    return [mean - half, mean + half]


def _verdict(n, interval, improvement):
    if n == 0:
        return "not run"
    if interval is None:
        return "one seed, no interval"
    lower, upper = sorted(improvement * end for end in interval)
    if lower > 0:
        return "difference seen"
    return "opposite" if upper < 0 else "not seen"
