"""Tables as spreadsheets write them: the same rows whatever stands between the cells."""

import pytest

from rankpose_tf.preparation import table_rows, views

_ROWS = [["Image", "Yaw", "Pitch"], ["a.png", "10", "-3"], ["b.png", "12", ""]]


def _text(separator):
    return "\n".join(separator.join(row) for row in _ROWS) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        *(_text(separator).encode() for separator in (",", ";", "\t", "|", " ; ")),
        _text(";").replace("\n", "\r\n").encode("utf-8-sig"),
        _text("\t").encode("utf-16"),
        _text(",").encode("utf-16-le"),
        _text(",").encode("utf-16-be"),
        b"sep=;\n" + _text(";").encode(),
        b"\n \r\n# from a tracker, 2024\n#\n" + _text(",").encode(),
        b"# from a tracker\nsep=;\n" + _text(";").encode(),
        _text(",").replace("\n", "\r").encode(),
        b'\xef\xbb\xbf"sep=,"\r\n' + _text(",").replace("\n", "\r\n").encode(),
    ],
)
def test_every_separator_gives_the_same_rows(content):
    table = table_rows.parse("t.csv", content)
    assert table.columns == ("image", "yaw", "pitch")
    assert [[table_rows.text(row, name) for name in table.columns] for _, row in table.rows] == [
        ["a.png", "10", "-3"],
        ["b.png", "12", ""],
    ]


def test_lines_are_numbered_as_an_editor_numbers_them():
    for head in ("", "sep=,\n"):
        table = table_rows.parse("t.csv", f"{head}image\na\n\nb\n".encode())
        assert [number for number, _ in table.rows] == [2 + bool(head), 4 + bool(head)]
    table = table_rows.parse("t.csv", b"# one\r\n\r\nimage\r\na\r\n")
    assert [number for number, _ in table.rows] == [4]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", b"a.png,anna,10,-3,1,30,30\nb.png,anna,1,2,3,4,5\n", "first line holds numbers"),
        ("t.csv", b"a.png;anna;10,5;-3,0;1,0\n", "first line holds numbers"),
        ("t.csv", b"PK\x03\x04\x14\x00\x06\x00" + bytes(99), "a workbook or a zip"),
        ("t.jsonl", b'[{"image": "a.png"}]', "no line of it is a JSON object"),
        ("t.jsonl", b'{\n "image": "a.png"\n}', "no line of it is a JSON object"),
    ],
)
def test_what_is_no_table_is_told(name, content, told):
    with pytest.raises(ValueError, match=told):
        table_rows.parse(name, content)


def test_a_quoted_cell_may_hold_the_separator_and_a_longer_row_is_kept_apart():
    table = table_rows.parse("t.csv", b'image,yaw\n"a,b.png","1,5"\nc.png,1,5\nd.png,1,,\n')
    assert [row for _, row in table.rows] == [
        {"image": "a,b.png", "yaw": "1,5"},
        {"image": "c.png", "yaw": "1", None: ["5"]},
        {"image": "d.png", "yaw": "1"},
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ['"b.png,1', "c.png,2", "d.png,3"],
        ['"b.png,1', "c.png,2", '"d.png",3'],
        ['"b.png"g,1', "c.png,2"],
        ['"b.png,1', "c" * 200_000],
    ],
)
@pytest.mark.parametrize("head", ["", "# ours\n", "sep=,\n"])
def test_a_quote_that_swallows_what_follows_is_told_with_its_line(head, rows):
    lines = [*head.splitlines(), "image,yaw", "a.png,0"]
    text = "\n".join([*lines, *rows]) + "\n"
    with pytest.raises(ValueError, match=f"^line {len(lines) + 1}: .*check the quotes"):
        table_rows.parse("t.csv", text.encode())


def test_quotes_that_are_doubled_or_inside_a_cell_are_read():
    content = b'image,yaw\n"a ""x"".png",1\nb"c.png,2\n"d.png", "3"\n"e\nf.png",4\n""\n'
    table = table_rows.parse("t.csv", content)
    assert [(number, row["image"]) for number, row in table.rows] == [
        (2, 'a "x".png'),
        (3, 'b"c.png'),
        (4, "d.png"),
        (6, "e\nf.png"),
        (7, ""),
    ]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["10,5", "-3,25", "1"], [10.5, -3.25, 1.0]),
        (["10.5", "-3.25", "1e-2"], [10.5, -3.25, 0.01]),
        (["10.5°", "\u22123.25", "\u22121°"], [10.5, -3.25, -1.0]),
        (["10,5°", "-3", "\u22122"], [10.5, -3.0, -2.0]),
        (["10.5", "1,234"], None),
        (["1.234,5"], None),
        (["1,2,3"], None),
        (["x"], None),
    ],
)
def test_a_comma_is_a_decimal_sign_where_no_point_is(cells, numbers):
    if numbers:
        assert table_rows.numbers(cells, "reason") == numbers
    else:
        with pytest.raises(views.SkippedView, match="reason"):
            table_rows.numbers(cells, "reason")


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", b"\xff\xfe\x00"), ("t.csv", b"\xe9,1\n"), ("t.csv", b"Yaw,yaw\n1,2\n")],
)
def test_what_is_no_table_is_a_value_error(name, content):
    with pytest.raises(ValueError):
        table_rows.parse(name, content)
