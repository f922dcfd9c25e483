"""The one exception that a user's mistake raises."""


class RankPoseError(ValueError):
    """A mistake in what the caller passed: told in one sentence that says what to do.

    The command lines turn it into that sentence and exit code 1; every other exception is
    a defect of the package and keeps its traceback.
    """
