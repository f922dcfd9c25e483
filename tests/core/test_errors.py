import copy
import pickle

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pictures import PictureError
from rankpose_tf.prediction.video import VideoError
from rankpose_tf.serving.results import ServingError


def test_what_is_cited_can_not_break_the_line_or_change_a_terminal():
    error = RankPoseError("source: received a,\r\n  b \x1b[2Jc\x85d\u2028e\0; pass another")
    assert str(error) == "source: received a, b [2Jc d e ; pass another"


def test_of_a_sentence_without_end_the_middle_is_left_out():
    told = str(RankPoseError(f"source: received {'x' * 10**6}; pass another"))
    assert told.startswith("source: received xx") and told.endswith("xx; pass another")
    assert len(told) < 2000


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (RankPoseError("source: received a; pass another"), ()),
        (RankPoseError("x" * 10**4), ()),
        (PictureError("a.jpg", "is damaged", "kind"), ("reason", "kind")),
        (VideoError("a.mp4", "is empty"), ("reason",)),
        (ServingError("UNAVAILABLE", "no answer", "a:1"), ("status", "message", "address")),
    ],
)
def test_a_worker_can_hand_an_error_to_its_parent(error, attributes, again):
    received = again(error)
    assert type(received) is type(error)
    assert (str(received), received.args) == (str(error), error.args)
    for name in attributes:
        assert getattr(received, name) == getattr(error, name)
