"""Axes on pictures, and grids of pictures."""

import numpy as np

from rankpose_tf.core import draw

RED, GREEN, BLUE = draw.AXIS_COLOURS


def tip(angles, colour):
    """Mean offset (right, up) of an axis' pixels from the centre of a 101 px black picture."""
    drawn = draw.draw_axes(np.zeros((101, 101, 3), np.uint8), angles, centre=(50, 50), length=40)
    rows, columns = np.nonzero((drawn == colour).all(-1))
    return columns.mean() - 50, 50 - rows.mean()


def test_a_frontal_head_has_x_to_the_right_and_y_up():
    right, up = tip((0, 0, 0), RED), tip((0, 0, 0), GREEN)
    assert right[0] > 15 and abs(right[1]) < 1
    assert up[1] > 15 and abs(up[0]) < 1


def test_the_nose_points_to_the_pictures_left_at_positive_yaw_and_up_at_positive_pitch():
    assert tip((60, 0, 0), BLUE)[0] < -10
    assert tip((-60, 0, 0), BLUE)[0] > 10
    assert tip((0, 50, 0), BLUE)[1] > 10


def test_the_top_of_the_head_leans_to_the_pictures_right_at_positive_roll():
    assert tip((0, 0, 40), GREEN)[0] > 8


def close_to(drawn, colour):
    """Which pixels have a colour but for what antialiasing takes from a thin line."""
    return (np.abs(drawn.astype(int) - colour) < 50).all(-1)


def side(angles, colour):
    """Mean offset (right, up) of a cube side's pixels from the centre of a 101 px picture."""
    picture = np.zeros((101, 101, 3), np.uint8)
    drawn = draw.draw_cube(picture, angles, centre=(50, 50), length=40)
    assert not picture.any()
    rows, columns = np.nonzero(close_to(drawn, colour))
    return columns.mean() - 50, 50 - rows.mean()


def test_the_cubes_front_moves_the_way_that_the_nose_points():
    front, back, _ = draw.CUBE_COLOURS
    assert side((50, 0, 0), front)[0] < -10 < 10 < side((50, 0, 0), back)[0]
    assert side((0, 40, 0), back)[1] < -8 < 8 < side((0, 40, 0), front)[1]


def test_a_frontal_cube_shows_its_front_only():
    drawn = draw.draw_cube(np.zeros((101, 101, 3), np.uint8), (0, 0, 0), (50, 50), 40)
    assert close_to(drawn[30, 35:65], draw.CUBE_COLOURS[0]).all()
    assert not close_to(drawn, draw.CUBE_COLOURS[1]).any()


def test_the_given_picture_is_left_as_it_is():
    picture = np.zeros((64, 64, 3), np.uint8)
    assert draw.draw_axes(picture, (10, 20, 30)).any()
    assert not picture.any()


def test_a_grid_fills_rows_and_leaves_the_rest_black():
    pictures = [np.full((4, 6, 3), value, np.uint8) for value in (1, 2, 3)]
    tiled = draw.grid(pictures, columns=2)
    assert tiled.shape == (8, 12, 3)
    corners = tiled[0, 0, 0], tiled[0, 6, 0], tiled[4, 0, 0], tiled[4, 6, 0]
    assert corners == (1, 2, 3, 0)


def test_an_arrow_is_widest_at_its_head():
    picture = np.zeros((201, 201, 3), np.uint8)
    drawn = draw.draw_axes(picture, (0, 0, 0), centre=(100, 100), length=80)
    widths = (drawn == RED).all(-1).sum(axis=0)
    shaft, head = widths[115:160], widths[165:185]
    assert head.max() > 1.5 * shaft.max() > 0
    assert widths[182:].sum() == 0


def test_an_axis_towards_the_viewer_is_a_dot_that_is_as_wide_as_high():
    drawn = draw.draw_axes(np.zeros((201, 201, 3), np.uint8), (0, 0, 0), (100, 100), 80)
    rows, columns = np.nonzero((drawn == BLUE).all(-1))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2 and np.ptp(rows) > 4
    assert abs(rows.mean() - 100) < 1 and abs(columns.mean() - 100) < 1


def test_a_line_is_seen_on_its_own_colour():
    snow, night = np.full((200, 200, 3), 240, np.uint8), np.zeros((200, 200, 3), np.uint8)
    for picture in (snow, night):
        draw.put_box(picture, (50, 50, 150, 150), 3)
    assert snow.min() < 100 and night.max() > 200
