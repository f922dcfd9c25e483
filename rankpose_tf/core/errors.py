"""The one exception that a user's mistake raises."""

import copyreg
import re

# Ends of lines, and codes that change a terminal: a sentence may cite what a file holds.
_CONTROL = re.compile("\\s*[\x00-\x1f\x7f-\x9f\u2028\u2029]\\s*")
# Letters of a sentence: of a longer one the middle is left out.
_BEGINNING, _END = 1000, 500


class RankPoseError(ValueError):
    """A mistake in what the caller passed: told in one sentence that says what to do.

    The command lines turn it into that sentence and exit code 1; every other exception is
    a defect of the package and keeps its traceback.
    """

    def __init__(self, sentence=""):
        sentence = _CONTROL.sub(" ", str(sentence))
        if len(sentence) > _BEGINNING + _END:
            sentence = f"{sentence[:_BEGINNING]} ... {sentence[-_END:]}"
        super().__init__(sentence)

    def __reduce__(self):
        # An exception is unpickled by its constructor, with the sentence alone. That of a subclass
        # wants other arguments, and a pool of processes breaks or hangs on what it can't unpickle.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__
