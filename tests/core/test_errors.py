from rankpose_tf.core.errors import RankPoseError


def test_what_is_cited_can_not_break_the_line_or_change_a_terminal():
    error = RankPoseError("source: received a,\r\n  b \x1b[2Jc\x85d\u2028e\0; pass another")
    assert str(error) == "source: received a, b [2Jc d e ; pass another"


def test_of_a_sentence_without_end_the_middle_is_left_out():
    told = str(RankPoseError(f"source: received {'x' * 10**6}; pass another"))
    assert told.startswith("source: received xx") and told.endswith("xx; pass another")
    assert len(told) < 2000
