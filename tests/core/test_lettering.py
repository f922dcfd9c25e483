"""Lines of text on pictures."""

import numpy as np
import pytest

from rankpose_tf.core import lettering


def test_a_strip_darkens_what_is_below_it_and_its_letters_have_their_colour():
    picture = np.full((60, 300, 3), 200, np.uint8)
    lettering.draw_strip(picture, "yaw 6°", 20, 10, 20, colour=(255, 0, 0))
    width, height = lettering.strip_size("yaw 6°", 20)
    strip = picture[10 : 10 + height, 20 : 20 + width]
    assert (strip[0] == 60).all()
    assert (strip == (255, 0, 0)).all(axis=2).any()
    picture[10 : 10 + height, 20 : 20 + width] = 200
    assert (picture == 200).all()


def test_the_degree_sign_is_a_ring_in_the_upper_half():
    with_sign, without = (np.zeros((40, 60, 3), np.uint8) for _ in range(2))
    lettering.draw_strip(with_sign, "6°", 0, 0, 30)
    lettering.draw_strip(without, "6", 0, 0, 30)
    rows, columns = np.nonzero((with_sign.astype(int) - without)[..., 0] > 100)
    height = lettering.strip_size("6°", 30)[1]
    assert len(rows) and rows.max() < height / 2 and columns.max() - columns.min() < 15


@pytest.mark.parametrize("left", [-40, -5, 0, 45, 100])
@pytest.mark.parametrize("top", [-40, -5, 0, 25, 100])
def test_what_lies_outside_is_left_out(left, top):
    picture = np.full((40, 60, 3), 99, np.uint8)
    whole = np.full((240, 260, 3), 99, np.uint8)
    lettering.draw_strip(picture, "roll 22°", left, top, 12)
    lettering.draw_strip(whole, "roll 22°", left + 100, top + 100, 12)
    np.testing.assert_array_equal(picture, whole[100:140, 100:160])


def test_a_long_name_keeps_its_ends():
    name = "a_very_long_name_of_a_picture_0042.jpg"
    short = lettering.shortened(name, 13, 150)
    start, end = short.split("...")
    assert name.startswith(start) and name.endswith(end) and len(end) > 4
    assert lettering.strip_size(short, 13)[0] <= 150 < lettering.strip_size(name, 13)[0]
    assert lettering.shortened("a.jpg", 13, 150) == "a.jpg"


def test_a_reason_is_wrapped_between_words():
    reason = "is damaged: image file is truncated (9 bytes not processed)"
    lines = lettering.wrapped(reason, 13, 120)
    assert " ".join(lines) == reason and len(lines) > 2
    assert max(lettering.strip_size(line, 13)[0] for line in lines) <= 120
    assert lettering.wrapped("", 13, 120) == []
