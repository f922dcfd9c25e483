"""What is written about faces, and where."""

import numpy as np
import pytest

from rankpose_tf.prediction import labels
from rankpose_tf.prediction.drawings import DrawnFace


def strip(box, shape, angles=(-13.2, 8, 171), number=None, others=()):
    """Left, top, right, bottom of what was written for a box on a grey picture, or None."""
    picture = np.full((*shape, 3), 100, np.uint8)
    labels.write_labels(picture, [*others, DrawnFace(box, angles, number)])
    if others:
        alone = np.full((*shape, 3), 100, np.uint8)
        labels.write_labels(alone, others)
        picture = np.where(picture == alone, 100, picture)
    rows, columns = np.nonzero((picture != 100).any(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


def test_angles_are_whole_degrees_and_the_number_comes_first():
    assert labels.text_of((5.6, -5.5001, 22.4)) == "yaw 6° pitch -6° roll 22°"
    assert labels.text_of((-0.4, 0.0, 179.6), 12) == "12  yaw 0° pitch 0° roll 180°"
    assert labels.text_of((1, 2, 3), words=False) == "1° 2° 3°"


def test_a_strip_lies_on_its_box_below_it_or_within():
    left, _, _, bottom = strip((100, 150, 250, 300), (400, 500))
    assert (left, bottom) == (100, 150)
    left, top, *_ = strip((100, 5, 250, 155), (400, 500))
    assert (left, top) == (100, 155)
    _, top, _, bottom = strip((100, 5, 495, 395), (400, 500))
    assert 5 <= top and bottom <= 395


def test_a_strip_lies_whole_in_the_picture():
    for box in ((420, 150, 500, 230), (-40, 150, 40, 230), (600, 900, 700, 1000)):
        left, top, right, bottom = strip(box, (400, 500))
        assert 0 <= left < right <= 500 and 0 <= top < bottom <= 400
        assert right - left == strip((100, 150, 180, 230), (400, 500))[2] - 100


def test_two_strips_do_not_cover_each_other():
    first = DrawnFace((100, 150, 250, 300), (1, 2, 3), 0)
    one = strip(first.box, (400, 500), first.angles, 0)
    other = strip((120, 150, 270, 300), (400, 500), number=1, others=[first])
    assert other[1] >= one[3] or other[3] <= one[1]


@pytest.mark.parametrize(
    ("side", "face", "least", "most"),
    [(200, 90, 11, 20), (450, 210, 18, 40), (4000, 1800, 150, 300), (4000, 150, 30, 60)],
)
def test_letters_are_read_on_small_and_on_large_pictures(side, face, least, most):
    """Height of the strip: of 11 pixels at least, and 1/130 of the picture."""
    middle = side // 2
    box = (middle - face // 2, middle - face // 2, middle + face // 2, middle + face // 2)
    _, top, _, bottom = strip(box, (side, side))
    assert least <= bottom - top <= most


def test_where_there_is_no_room_the_words_and_then_the_strip_are_left_out():
    wide = strip((0, 50, 100, 150), (300, 300))
    short = strip((0, 50, 100, 150), (110, 110))
    assert short[2] - short[0] < (wide[2] - wide[0]) * 0.7
    assert strip((0, 5, 30, 35), (40, 40)) is None
