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

from scipy import stats

from rankpose_tf.evaluation import metrics

METRICS = (*metrics.COLUMNS, "held_out_mean", "held_out_ordered")
# Those that comparisons are made of, each with the sign of an improvement.
COMPARED = {"mean": -1, "held_out_mean": -1, "held_out_ordered": 1}
_CONFIDENCE = 0.95


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
      claim: `ablation_claims.Claim`.
      figures: dict of cell -> seed -> metric -> number; None or absent where there is none.
      metric: one of `COMPARED`.

    Returns:
      JSON-able dict: by_seed, n (seeds), difference (mean), interval (95%, Student's t; None
      under two seeds), verdict.
    """
    runs = [figures.get(cell, {}) for cell in claim.weights]
    seeds = sorted(set.intersection(*map(set, runs)))
    by_seed = {}
    for seed in seeds:
        values = [of_cell[seed].get(metric) for of_cell in runs]
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
