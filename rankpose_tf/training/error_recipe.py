"""The options of fitting the expected error: each is a field of `ErrorRecipe`, and nowhere else."""

import dataclasses

from rankpose_tf.core.errors import RankPoseError


def _option(default, text, low, high=None):
    return dataclasses.field(default=default, metadata={"help": text, "low": low, "high": high})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ErrorRecipe:
    """All that decides what is fitted; checked when it is made.

    Raises:
      RankPoseError: for a value outside its bounds.
    """

    identities: int = _option(6000, "Training identities to draw views of; at most all.", 1)
    coverage: float = _option(
        0.7, "Share of the errors on held-out views that is to be within the expected.", 0.05, 0.95
    )
    hidden: int = _option(96, "Units of each of the head's two hidden layers.", 1)
    epochs: int = _option(15, "How often to go through the drawn views.", 1)
    batch_size: int = _option(256, "Views a step.", 1)
    learning_rate: float = _option(1e-3, "Adam's at the first step; one cosine decay to 0.", 0.0)
    seed: int = _option(0, "Of weights, order and drawn views.", 0, 2**32 - 1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, low, high = (
                getattr(self, field.name), field.metadata["low"], field.metadata["high"]
            )  # fmt: skip
            if not low <= value <= (float("inf") if high is None else high):
                bounds = f"from {low} on" if high is None else f"from {low} to {high}"
                raise RankPoseError(f"{field.name}: expected a number {bounds}, received {value}")
