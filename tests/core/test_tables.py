"""Tables as text."""

import pytest

from rankpose_tf.core import tables


def test_markdown_has_a_rule_under_the_header_and_escapes_bars():
    text = tables.markdown(("angle", "MAE"), [("yaw", 3.5), ("|roll|", "-")])
    expected = ["| angle | MAE |", "| --- | --- |", "| yaw | 3.5 |", "| \\|roll\\| | - |"]
    assert text.splitlines() == expected


def test_columns_are_as_wide_as_they_need_the_first_flush_left():
    text = tables.aligned(("", "yaw", "mean of three"), [("MAE", "3.50", 4), ("median", 12.25, 3)])
    assert text.splitlines() == [
        "          yaw  mean of three",
        "MAE      3.50              4",
        "median  12.25              3",
    ]


def test_a_table_may_have_no_rows_but_not_rows_of_another_length():
    assert tables.markdown(("a", "b"), []) == "| a | b |\n| --- | --- |"
    assert tables.aligned(("a", "b"), []) == "a  b"
    with pytest.raises(ValueError):
        tables.aligned(("a", "b"), [("x",)])
