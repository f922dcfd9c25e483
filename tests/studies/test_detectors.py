"""Pasted faces lie where they are said to lie, and boxes are counted against them."""

import numpy as np
import pytest

from rankpose_tf.core.boxes import overlaps
from rankpose_tf.inference.detection import Detection
from rankpose_tf.studies import detectors, pasted_faces

SIDE = 60


def marked():
    """A white square where the landmark box is, on black."""
    image = np.zeros((200, 160, 3), np.uint8)
    image[70:130, 40:100] = 255
    return image, np.array([40.0, 70.0, 100.0, 130.0])


@pytest.mark.parametrize("share", [3, 8, 20])
def test_pasted_faces_lie_inside_apart_and_where_their_squares_say(share):
    generator = np.random.default_rng(share)
    made = list(pasted_faces.pictures([marked()], 1 / share, 9, (480, 640), generator))
    assert sum(len(squares) for _, squares in made) == 9
    for image, squares in made:
        np.testing.assert_allclose(squares[:, 2] - squares[:, 0], 640 / share, rtol=0.05)
        assert (squares > -1.5).all() and (squares < np.tile((641.5, 481.5), 2)).all()
        assert (np.triu(overlaps(squares, squares), 1) == 0).all()
        edges = np.abs(squares[0] - (0, 0, 640, 480))
        assert edges.min() <= 1.5
        for left, top, right, bottom in np.rint(squares).astype(int):
            assert image[top + 2 : bottom - 2, left + 2 : right - 2].min() > 200


def test_pasted_pictures_are_a_function_of_the_generator():
    first, second = (
        next(pasted_faces.pictures([marked()], 0.1, 3, (120, 160), np.random.default_rng(4)))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_boxes_are_counted_as_found_double_and_at_no_face():
    squares = np.array([(0, 0, SIDE, SIDE), (100, 0, 100 + SIDE, SIDE), (0, 200, SIDE, 260)])
    moved = squares[0] + np.array([SIDE / 4, 0, SIDE / 4, 0])  # Overlap (3/4) / (5/4) = 0.6.
    far = squares[1] + np.array([SIDE / 2, 0, SIDE / 2, 0])  # (1/2) / (3/2) = 0.33.
    found = [Detection(np.array(box, float), 0.9) for box in (squares[0], moved, far)]
    assert detectors.compared(squares, found) == (1, 1, 1)
    assert detectors.compared(squares, []) == (0, 0, 0)


def test_the_table_has_a_column_a_detector_and_a_row_a_size():
    def figures(number):
        return {
            **{"pictures": 9, "missed": ["a"] * number, "wrong_face": [], "cost": 0.5, "ms": 2.0},
            **{f"mae_{box}_box": {"mean": 4.0} for box in ("detector", "landmark")},
            "pasted": {"1/3": {"found": number, "doubles": 0, "false": 2, "ms": 3.0}},
            **{"faces": 40, "pasted_ms": 3.0, "patterns": {"pictures": 5, "faces": 0, "ms": 1.0}},
        }

    lines = detectors.table({"one": figures(1), "two": figures(2)}).splitlines()
    cells = {
        row[0]: row[1:] for row in ([c.strip() for c in x.strip("|").split("|")] for x in lines)
    }
    assert cells[""] == ["one", "two"]
    assert cells["misses of 9"] == ["1", "2"]
    assert cells["of 40 faces of 1/3 of the width"] == ["1", "2"]
    assert cells["boxes at no face"] == ["2", "2"]
    assert cells["boxes in 5 patterns without a face"] == ["0", "0"]
