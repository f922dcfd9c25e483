"""Real and made-up faces, whichever way up they are."""

import numpy as np
import pytest

from rankpose_tf.core import upright
from rankpose_tf.inference import rolled

SIZE = 200
# A face of 40 pixels: eye, eye, mouth.
POINTS = np.array([(90.0, 92.0), (110.0, 92.0), (100.0, 112.0)])
CENTRE = np.array([100.0, 100.0])


def backend(score_of_angle, calls=None):
    """Finds the red, green and blue dot of `picture`, as a face of its score at its angle."""

    def find(image):
        if calls is not None:
            calls.append(image.shape)
        places = [np.argwhere(image[..., c] > 100) for c in range(3)]
        if min(map(len, places)) == 0:
            return np.zeros((0, 4)), np.zeros((0, 3, 2)), np.zeros(0)
        points = np.array([place.mean(axis=0)[::-1] + 0.5 for place in places])
        score = score_of_angle(upright.angle(*points))
        middle = points.mean(axis=0)
        box = np.concatenate([middle - 20, middle + 20])
        found = 1 if score >= 0.5 else 0
        return np.array([box])[:found], points[None][:found], np.array([score])[:found]

    return rolled.Backend(find, tuple, 0.85)


def picture(degrees):
    points = CENTRE + (POINTS - CENTRE) @ upright.rotation(degrees).T
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    for channel, (x, y) in enumerate(points):
        image[int(y) - 2 : int(y) + 2, int(x) - 2 : int(x) + 2, channel] = 255
    return image, points


def upright_only(angle):
    return 0.9 if abs(angle) < 50 else 0.0


@pytest.mark.parametrize("degrees", [-170, -100, -45, -30, 0, 20, 40, 60, 90, 135, 180])
def test_a_face_is_found_with_its_turn_whichever_way_up(degrees):
    image, points = picture(degrees)
    (face,) = rolled.find(backend(upright_only), image)
    expected = degrees if abs(degrees) > upright.LIMIT else 0
    assert upright.distance(face.turn - expected) < 4
    np.testing.assert_allclose(face.points, points, atol=1.5)
    np.testing.assert_allclose((face.box[:2] + face.box[2:]) / 2, points.mean(axis=0), atol=1.5)


def test_of_a_face_seen_upside_down_the_surer_look_counts():
    # Looked at upside down it is found too, and less surely, with the eyes at the mouth.
    image, _ = picture(180)
    (face,) = rolled.find(backend(lambda angle: 0.9 if abs(angle) < 50 else 0.6), image)
    assert upright.distance(face.turn - 180) < 4


@pytest.mark.parametrize("score, count", [(0.6, 0), (0.7, 1)])
def test_what_only_a_turned_picture_shows_needs_both_looks(score, count):
    image, _ = picture(90)
    faces = rolled.find(backend(lambda angle: score if abs(angle) < 50 else 0.0), image)
    assert len(faces) == count


def test_a_sure_upright_face_costs_one_look():
    calls = []
    rolled.find(backend(upright_only, calls), picture(10)[0])
    assert len(calls) == 1


def test_a_picture_without_a_face_costs_four_looks():
    calls = []
    assert rolled.find(backend(upright_only, calls), np.zeros((60, 80, 3), np.uint8)) == []
    assert calls == [(60, 80, 3), (80, 60, 3), (60, 80, 3), (80, 60, 3)]


def test_a_face_of_the_frame_before_is_taken_for_sure():
    unsure, calls = backend(lambda angle: 0.7, calls := []), calls
    image, _ = picture(5)
    before = rolled.find(unsure, image)
    del calls[:]
    assert len(rolled.find(unsure, image, before)) == 1
    assert len(calls) == 1
