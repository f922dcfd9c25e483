"""Boxes under the names that people give them: read, or refused by name, never dropped."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import box_columns, views

_BOX = (20, 30, 60, 90)
_SIZED = (20, 30, 60 - 20, 90 - 30)


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("left,top,right,bottom", _BOX),
        ("Left,Top,Right,Bottom", _BOX),
        ("x1,y1,x2,y2", _BOX),
        ("X0,Y0,X1,Y1", _BOX),
        ("xmin,ymin,xmax,ymax", _BOX),
        ("x_min,y_min,x_max,y_max", _BOX),
        ("x,y,w,h", _SIZED),
        ("x,y,width,height", _SIZED),
        ("left,top,width,height", _SIZED),
        ("bottom,right,top,left", _BOX[::-1]),
        # Width and height of the picture, beside the edges.
        ("width,height,left,top,right,bottom", (640, 480, *_BOX)),
        ("box", ("[20, 30, 60, 90]",)),
        ("Box", ("20;30;60;90",)),
    ],
)
def test_boxes_are_read_under_their_usual_names(names, values):
    columns = tuple(name.lower() for name in names.split(","))
    chosen = box_columns.choose("t.csv", ("image", "yaw", *columns))
    row = dict(zip(columns, values, strict=True))
    np.testing.assert_array_equal(box_columns.read(row, chosen), np.float32(_BOX))


@pytest.mark.parametrize(
    "names",
    [
        "bbox_left,bbox_top,bbox_right,bbox_bottom",
        "cx,cy,w,h",
        "x_center,y_center,width,height",
        "face_x,face_y,face_w,face_h",
        "left,top,right",
        "x,y",
        "bbox",
        "face_rect",
    ],
)
def test_what_looks_like_a_box_under_another_name_is_refused_with_the_names_that_are_read(names):
    with pytest.raises(RankPoseError, match="look like a box and are not read; name them left, to"):
        box_columns.choose("t.csv", ("image", "yaw", *names.split(",")))


@pytest.mark.parametrize("names", ["", "width,height", "age,note", "left_eye_x,left_eye_y", "fold"])
def test_other_columns_are_no_box(names):
    assert box_columns.choose("t.csv", ("image", "yaw", *names.split(","))) == ()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("0.2", "0.2", "0.5", "0.5"), views.SHARE_BOX),
        (("20", "30", "0", "5"), views.BAD_BOX),
        (("20", "30", "", "5"), views.BAD_BOX),
        (("20", "30", "nan", "5"), views.BAD_BOX),
    ],
)
def test_a_box_that_is_none_has_a_reason(cells, reason):
    row = dict(zip("xywh", cells, strict=True))
    with pytest.raises(views.SkippedView) as skipped:
        box_columns.read(row, tuple("xywh"))
    assert str(skipped.value) == reason
    assert box_columns.read(dict.fromkeys("xywh", ""), tuple("xywh")) is None


@pytest.mark.parametrize("cell", ["1,024", "12,345", "1,024,000", "-1,024"])
def test_thousands_in_a_table_with_commas_are_not_taken_for_decimals(cell):
    row = dict(zip("xywh", ("20", cell, "30", "40"), strict=True))
    with pytest.raises(views.SkippedView) as skipped:
        box_columns.read(row, tuple("xywh"), ",")
    assert str(skipped.value) == views.THOUSANDS_BOX


def test_decimals_with_a_comma_are_read_where_they_can_be_nothing_else():
    row = dict(zip("xywh", ("20,5", "0,125", "30,25", "40"), strict=True))
    box = [20.5, 0.125, 20.5 + 30.25, 0.125 + 40]
    np.testing.assert_array_equal(box_columns.read(row, tuple("xywh"), ","), box)
    row["y"] = "12,125"
    expected = [20.5, 12.125, 20.5 + 30.25, 12.125 + 40]
    np.testing.assert_array_equal(box_columns.read(row, tuple("xywh"), ";"), expected)


@pytest.mark.parametrize(
    "value",
    [
        {"left": 20, "top": 30, "right": 60, "bottom": 80},
        {"X_min": 20, "y_min": 30, "x_max": 60, "y_max": 80, "score": 1},
        {"x": 20, "y": 30, "width": 40, "height": 50},
        [20, 30, 60, 80],
        "20 30 60 80",
    ],
)
def test_a_box_in_one_cell_may_name_its_edges(value):
    np.testing.assert_array_equal(box_columns.read({"box": value}, ("box",)), [20, 30, 60, 80])


@pytest.mark.parametrize("value", [{}, {"left": 1, "top": 2}, {"box": [1, 2, 3, 4]}])
def test_an_object_without_edges_is_no_box(value):
    with pytest.raises(views.SkippedView, match=views.BAD_BOX):
        box_columns.read({"box": value}, ("box",))
