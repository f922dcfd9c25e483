"""What a model expects of views without an upright face."""

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import doubts


def test_every_kind_has_a_row(doubting_model, prepared):
    found = doubts.measure(doubting_model, prepared)
    assert set(found) == set(doubts.KINDS) and {"clean", "rolled", "window"} <= set(found)
    for row in found.values():
        assert 0 <= row["each"] <= row["doubted"] <= 1 and row["views"] == 24 * 4
    assert len(doubts.table(found).splitlines()) == len(found) + 2


def test_a_model_without_expected_errors_is_refused(small_model, prepared):
    with pytest.raises(RankPoseError, match="expects no error; fit that with"):
        doubts.measure(small_model, prepared)
