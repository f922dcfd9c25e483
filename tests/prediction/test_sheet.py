"""The contact sheet: its tiles, their order, and what is written on them."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core import lettering
from rankpose_tf.prediction import sheet
from rankpose_tf.prediction.results import Row

SIDE = 200
HEIGHT = SIDE + 2 * lettering.strip_size("", 13)[1]


def save(path, image):
    cv2.imwrite(str(path), image[..., ::-1])
    return str(path)


def written(tmp_path, rows, draw="cube"):
    """The sheet of rows, RGB, and the number of its tiles."""
    count = sheet.write_sheet(tmp_path / "sheet.png", rows, draw, 10**6)
    return cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], count


@pytest.fixture
def said(monkeypatch):
    """Texts that are written, in their order."""
    texts, original = [], lettering.draw_strip

    def draw_strip(image, text, *place, **options):
        texts.append(text)
        original(image, text, *place, **options)

    monkeypatch.setattr(lettering, "draw_strip", draw_strip)
    return texts


def test_each_face_is_cut_out_with_its_name_and_angles(tmp_path, said):
    image = np.zeros((300, 400, 3), np.uint8)
    image[100:200, 50:150], image[100:200, 250:350] = (200, 0, 0), (0, 0, 200)
    path = save(tmp_path / "two.png", image)
    rows = [
        Row(path, face=0, box=(50, 100, 150, 200), angles=(30.2, 0, 0)),
        Row(path, face=1, box=(250, 100, 350, 200), angles=(0, -12, 8)),
    ]
    tiles, count = written(tmp_path, rows)
    assert count == 2 and tiles.shape == (HEIGHT, 2 * SIDE, 3)
    # The box of 100 pixels is 1 / 1.6 of the tile's side, in its middle.
    for tile, colour in ((tiles[:SIDE, :SIDE], 0), (tiles[:SIDE, SIDE:], 2)):
        # Within the box, above the cube.
        columns = np.nonzero(tile[42, :, colour] > 150)[0]
        assert abs(columns.min() - (SIDE - SIDE / 1.6) / 2) < 6
        assert abs(columns.max() - (SIDE + SIDE / 1.6) / 2) < 6
    assert said == [
        *("two.png", "yaw 30° pitch 0° roll 0°"),
        *("two.png", "yaw 0° pitch -12° roll 8°"),
    ]
    assert (tiles[SIDE:] > 200).any()


def test_the_pose_is_drawn_on_the_face(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((160, 160, 3), np.uint8))
    yellow = {}
    for draw in ("cube", "axes"):
        tile, _ = written(tmp_path, [Row(path, face=0, angles=(20, 10, 0))], draw)
        yellow[draw] = (np.abs(tile[:SIDE].astype(int) - (255, 220, 0)) < 40).all(axis=2).sum()
    assert yellow["cube"] > 100 > yellow["axes"]


def test_a_picture_without_a_face_is_shown_whole_and_says_so(tmp_path, said):
    image = np.full((50, 100, 3), (120, 0, 0), np.uint8)
    tile, count = written(
        tmp_path, [Row(save(tmp_path / "wall.png", image), reason="no face found")]
    )
    assert count == 1 and said == ["wall.png", "no face found"]
    red = tile[:SIDE, :, 0] > 100
    assert red[55:145].all() and not red[:45].any() and not red[155:].any()


def test_a_picture_that_failed_says_why(tmp_path, said):
    reason = "is damaged: image file is truncated (9 bytes not processed)"
    absent = tmp_path / "a_name_that_is_far_too_long_for_a_tile_of_this_sheet.png"
    tile, count = written(tmp_path, [Row(str(absent), reason=reason)])
    assert count == 1
    assert "..." in said[0] and " ".join(said[1:]) == reason
    assert (tile[:SIDE].max(axis=2) > 200).any()


def test_tiles_are_in_order_and_end_at_the_hundredth(tmp_path):
    paths = []
    for index, red in enumerate((40, 120, 240)):
        image = np.zeros((60, 60, 3), np.uint8)
        image[..., 0] = red
        paths.append(save(tmp_path / f"{index}.png", image))
    rows = [Row(paths[index % 3], reason="no face found") for index in range(130)]
    tiles, count = written(tmp_path, rows)
    assert count == sheet.TILES
    assert tiles.shape == (count // 10 * HEIGHT, 10 * SIDE, 3)
    np.testing.assert_array_equal(tiles[80, 80 : 4 * SIDE : SIDE, 0], [40, 120, 240, 40])


def test_frames_of_videos_are_left_out_and_without_a_tile_there_is_no_sheet(tmp_path):
    frame = Row("film.mp4", frame=0, time=0.0, face=0, angles=(0, 0, 0))
    for rows in ([], [frame]):
        assert sheet.write_sheet(tmp_path / "sheet.png", rows, "axes", 10**6) == 0
    assert not (tmp_path / "sheet.png").exists()
