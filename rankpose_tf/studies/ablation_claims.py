"""What an ablation asks: titles of its cells, the paper's figures, and the claims that are tested.

A cell is named by its flagfile: flags/table3_*.cfg, ablation_*.cfg, study_*.cfg, converged_*.cfg. A
cell of one's own has its name for a title, and is in no claim.
"""

from typing import NamedTuple

TITLES = {
    "table3_mse_linear": "MSE",
    "table3_mse_cosine": "MSE + Cosine",
    "table3_mse_arccos": "MSE + Arccos",
    "table3_ranking_linear": "Ranking loss + MSE",
    "table3_ranking_cosine": "Ranking loss + MSE + Cosine",
    "table3_ranking_arccos": "Ranking loss + MSE + Arccos",
    "ablation_degrees_mse": "MSE + Arccos, loss in degrees",
    "ablation_degrees_ranking": "Ranking loss + MSE + Arccos, loss in degrees",
    "ablation_beta01": "Ranking loss + MSE + Arccos, beta 0.1",
    "ablation_beta09": "Ranking loss + MSE + Arccos, beta 0.9",
    "ablation_any_pairs": "Ranking loss + MSE + Arccos, pairs of any two faces",
    "ablation_separate_mse": "MSE + Arccos, separate features",
    "ablation_separate_ranking": "Ranking loss + MSE + Arccos, separate features",
    "ablation_identities1000_mse": "MSE + Arccos, 1,000 identities",
    "ablation_identities1000_ranking": "Ranking loss + MSE + Arccos, 1,000 identities",
    "ablation_identities250_mse": "MSE + Arccos, 250 identities",
    "ablation_identities250_ranking": "Ranking loss + MSE + Arccos, 250 identities",
    "study_regression": "Regression",
    "study_ranking": "Ranking + regression, weight 1",
    "study_ranking_9": "Ranking + regression, weight 9",
    "study_ranking_49": "Ranking + regression, weight 49",
    "study_printed_mse": "MSE as printed, radians",
    "study_printed_ranking": "Ranking + MSE as printed, radians",
    "study_separate_cosine": "Regression, cosine",
    "study_separate_linear": "Regression, linear",
    "study_shared_arccos": "Regression, one feature vector",
    "study_shared_cosine": "Regression, cosine, one feature vector",
    "study_shared_linear": "Regression, linear, one feature vector",
    "study_pairs_identity": "Ranking, weight 9, any two views of one identity",
    "study_pairs_any": "Ranking, weight 9, views of any two faces",
    "study_unturned_regression": "Regression, no turns in the plane",
    "study_unturned_ranking": "Ranking, weight 9, no turns in the plane",
    "study_turned_regression": "Regression, every view turned",
    "study_turned_ranking": "Ranking, weight 9, every view turned",
    "converged_regression": "Regression, the shipped recipe",
    "converged_ranking": "Ranking + regression, the shipped recipe",
}
# Yaw, pitch, roll, mean.
PAPER = {
    "AFLW2000": {
        "table3_mse_linear": (3.52, 6.56, 4.49, 4.85),
        "table3_mse_cosine": (3.5, 5.58, 4.24, 4.44),
        "table3_mse_arccos": (3.51, 5.52, 4.18, 4.40),
        "table3_ranking_linear": (2.90, 5.13, 3.68, 3.91),
        "table3_ranking_cosine": (2.96, 4.70, 3.37, 3.68),
        "table3_ranking_arccos": (2.99, 4.75, 3.25, 3.66),
    },
    "BIWI": {
        "table3_mse_linear": (4.70, 10.18, 3.36, 6.08),
        "table3_mse_cosine": (4.42, 6.75, 3.38, 4.85),
        "table3_mse_arccos": (4.77, 5.60, 3.08, 4.48),
        "table3_ranking_linear": (3.73, 5.69, 2.79, 4.07),
        "table3_ranking_cosine": (3.64, 4.8, 2.73, 3.72),
        "table3_ranking_arccos": (3.59, 4.77, 2.76, 3.71),
    },
}
_TRANSFORMS = ("linear", "cosine", "arccos")


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


def about(cells):
    """The claims about any of some cells, in the order of the table.

    Args:
      cells: names.
    """
    return [claim for claim in claims() if not claim.weights.keys().isdisjoint(cells)]


def claims():
    """Every claim that is tested: of Table 3, of the rows beside it, of the study."""
    mse, ranking = ([f"table3_{loss}_{t}" for t in _TRANSFORMS] for loss in ("mse", "ranking"))
    linear, cosine, arccos = ([m, r] for m, r in zip(mse, ranking, strict=True))
    return [
        against("ranking helps", ranking, mse),
        *(
            against(f"ranking helps, {transform}", [with_it], [without])
            for transform, with_it, without in zip(_TRANSFORMS, ranking, mse, strict=True)
        ),
        against("arccos helps", arccos, [mse[0], mse[1], ranking[0], ranking[1]]),
        against("arccos helps against linear", arccos, linear),
        against("arccos helps against cosine", arccos, cosine),
        *_extra_claims(mse=mse[2], ranking=ranking[2]),
        *_study_claims(),
    ]


def _extra_claims(mse, ranking):
    """Those of the rows beside Table 3, which are compared with two cells of it."""
    pairs = [
        ("degrees in the loss help, MSE", "ablation_degrees_mse", mse),
        ("degrees in the loss help, ranking", "ablation_degrees_ranking", ranking),
        ("ranking helps, loss in degrees", "ablation_degrees_ranking", "ablation_degrees_mse"),
        ("beta 0.1 helps against 0.5", "ablation_beta01", ranking),
        ("beta 0.9 helps against 0.5", "ablation_beta09", ranking),
        ("pairs of one identity help against any two faces", ranking, "ablation_any_pairs"),
        ("separate features help, MSE", "ablation_separate_mse", mse),
        ("separate features help, ranking", "ablation_separate_ranking", ranking),
        ("ranking helps, separate features", "ablation_separate_ranking", "ablation_separate_mse"),
    ]
    listed = [against(text, [cell], [other]) for text, cell, other in pairs]
    for count in (1000, 250):
        few_mse, few_ranking = (f"ablation_identities{count}_{loss}" for loss in ("mse", "ranking"))
        more = {few_ranking: 1, few_mse: -1, ranking: -1, mse: 1}
        listed += [
            against(f"all identities help against {count:,}, MSE", [mse], [few_mse]),
            against(f"all identities help against {count:,}, ranking", [ranking], [few_ranking]),
            against(f"ranking helps with {count:,} identities", [few_ranking], [few_mse]),
            Claim(f"ranking helps more with {count:,} identities than with all", more),
        ]
    return listed


def _study_claims():
    """Those of flags/study_*.cfg and flags/converged_*.cfg."""
    separate = ["study_separate_linear", "study_separate_cosine", "study_regression"]
    shared = ["study_shared_linear", "study_shared_cosine", "study_shared_arccos"]
    pairs = [
        *(
            (f"ranking helps, weight {weight}", f"study_ranking{suffix}", "study_regression")
            for weight, suffix in ((1, ""), (9, "_9"), (49, "_49"))
        ),
        ("ranking helps, as printed", "study_printed_ranking", "study_printed_mse"),
        ("Huber's cost in degrees helps", "study_regression", "study_printed_mse"),
        ("pairs of one identity help", "study_pairs_identity", "study_pairs_any"),
        ("the photo in each pair helps", "study_ranking_9", "study_pairs_identity"),
        ("turns help, regression", "study_regression", "study_unturned_regression"),
        ("turns of every view help, regression", "study_turned_regression", "study_regression"),
        ("ranking helps without turns", "study_unturned_ranking", "study_unturned_regression"),
        ("ranking helps, all turned", "study_turned_ranking", "study_turned_regression"),
        ("ranking helps, the shipped recipe", "converged_ranking", "converged_regression"),
    ]
    listed = [against(text, [cell], [other]) for text, cell, other in pairs]
    for name, (linear, cosine, arccos) in (("separate", separate), ("one vector", shared)):
        listed.append(against(f"arccos helps against linear, {name}", [arccos], [linear]))
        listed.append(against(f"arccos helps against cosine, {name}", [arccos], [cosine]))
    listed.append(against("separate features help", separate, shared))
    turned = {"study_turned_ranking": 1, "study_turned_regression": -1}
    unturned = {"study_unturned_ranking": -1, "study_unturned_regression": 1}
    listed.append(Claim("ranking helps more where all angles differ", turned | unturned))
    return listed
