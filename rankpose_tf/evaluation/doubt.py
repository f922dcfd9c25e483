"""Figures of expected errors: how many errors are within them, and whether they know the worst.

Everything is in degrees; N is the number of pictures. Pictures are ordered by doubt, the mean of
the three expected errors.
"""

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import DOUBTED
from rankpose_tf.evaluation.metrics import COLUMNS, absolute_errors, by_column

# Share of the pictures that is taken away as the most doubted.
_TENTH = 0.1


def summarise(true, predicted, expected):
    """All figures of the expected errors of one test set.

    Args:
      true: (N, 3) labels, degrees; yaw, pitch, roll.
      predicted: (N, 3) predictions, degrees.
      expected: (N, 3) expected errors, degrees.

    Returns:
      JSON-able dict:
        expected: {yaw, pitch, roll, mean} of the expected errors, degrees.
        within: {yaw, pitch, roll, mean} -> share, 0..1, of the errors that are at most the
          expected; "mean" is of all three.
        doubted_tenth: share of all error that the tenth of the pictures with the most doubt
          carries; possible: what that share is where the errors themselves are the doubt.
        other_nine_tenths: mae, and lower: by what share it is under that of all.
        doubted: share of the pictures whose mean expected error is over 20 degrees.

    Raises:
      RankPoseError: for shapes that don't fit.
    """
    errors, expected = absolute_errors(true, predicted), np.asarray(expected, np.float64)
    if expected.shape != (len(errors), 3) or not len(errors):
        raise RankPoseError(f"expected: expected shape ({len(errors)}, 3), received "
                            f"{expected.shape}")  # fmt: skip
    within = errors[:, :3] <= expected
    doubt, mean = expected.mean(axis=1), errors[:, 3]
    rest = mae_of_the_rest(mean, doubt)
    total, tenth = mean.sum(), _tenth(len(mean))
    left = float(rest[tenth])
    return {
        "expected": by_column([*expected.mean(axis=0), doubt.mean()]),
        "within": by_column([*within.mean(axis=0), within.mean()]),
        "doubted_tenth": {
            "share_of_error": float(1 - left * (len(mean) - tenth) / total),
            "possible": float(np.sort(mean)[len(mean) - tenth :].sum() / total),
        },
        "other_nine_tenths": {"mae": left, "lower": float(1 - left / rest[0])},
        "doubted": float((doubt > DOUBTED).mean()),
    }


def _tenth(count):
    return min(count - 1, round(_TENTH * count))


def mae_of_the_rest(mean_errors, doubt):
    """MAE of what is left once the k most doubted pictures are away, the sparsification curve.

    Args:
      mean_errors: (N,) degrees.
      doubt: (N,); the errors themselves give the best curve that can be had.

    Returns:
      (N,) degrees, k = 0..N-1.
    """
    surest_first = np.asarray(mean_errors)[np.argsort(doubt, kind="stable")]
    return (np.cumsum(surest_first) / np.arange(1, len(surest_first) + 1))[::-1]


def sparsification(mean_errors, doubt, new_figure):
    """MAE of what is left while the most doubted pictures are taken away, one after the other.

    Args:
      mean_errors: (N,) degrees.
      doubt: (N,) degrees.
      new_figure: `plots.new_figure`.

    Returns:
      matplotlib Figure: by doubt, by the errors themselves, and the MAE of all.
    """
    figure = new_figure(7, 4.4)
    panel = figure.subplots()
    share = np.arange(len(mean_errors)) / len(mean_errors)
    panel.plot(share, mae_of_the_rest(mean_errors, doubt), color="#0072B2", label="by doubt")
    best = mae_of_the_rest(mean_errors, mean_errors)
    panel.plot(share, best, "--", color="#009E73", label="by error, the best there is")
    panel.axhline(np.mean(mean_errors), color="grey", linewidth=1, label="all pictures")
    panel.set(xlabel="share of the pictures taken away, the most doubted first", xlim=(0, 1))
    panel.set(ylabel="MAE of the others, degrees", ylim=(0, None))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower left")
    return figure


def table(figures):
    """What `summarise` returns as lines for a terminal."""
    within = ", ".join(f"{name} {figures['within'][name]:.1%}" for name in COLUMNS[:3])
    tenth, rest = figures["doubted_tenth"], figures["other_nine_tenths"]
    return (
        f"errors within the expected: {figures['within']['mean']:.1%} ({within}); expected on "
        f"average {figures['expected']['mean']:.2f} degrees\n"
        f"the most doubted tenth carries {tenth['share_of_error']:.1%} of all error (at most "
        f"{tenth['possible']:.1%}); MAE of the others {rest['mae']:.2f}, {rest['lower']:.1%} "
        "lower\n"
        f"pictures doubted, over {DOUBTED:g} degrees: {figures['doubted']:.1%}"
    )
