"""The plot of error against time shows what the table says."""

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import error_time

TABLE = "model,time,mae,pictures,ours\nsmall,1,4.0,979,1\nother,2.5,5.25,1969,0\n"


def test_every_row_is_a_point_with_its_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    (axes,) = error_time.plot(error_time.read(path)).axes
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    assert points == [(1.0, 4.0), (2.5, 5.25)]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["small\n4.00 of 979 pictures", "other\n5.25 of 1,969 pictures"]
    assert axes.lines[0].get_color() != axes.lines[1].get_color()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model,mae\nx,1\n", "lacks the columns ours, pictures, time"),
        ("", "lacks the columns"),
        (TABLE.replace("4.0", "four"), "a value that is no number .*four"),
        (f"{TABLE}short,3\n", "a value that is no number"),
    ],
)
def test_another_table_is_refused(tmp_path, text, words):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(RankPoseError, match=words):
        error_time.read(path)
