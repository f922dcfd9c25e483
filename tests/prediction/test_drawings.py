"""What is drawn, where, and under which name."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import drawings
from rankpose_tf.prediction.inputs import CAMERA, PICTURE, VIDEO, Source
from rankpose_tf.prediction.results import Row

BLACK = np.zeros((60, 80, 3), np.uint8)


def save(path, image):
    cv2.imwrite(str(path), image[..., ::-1])
    return str(path)


@pytest.mark.parametrize("draw", ["axes", "cube"])
@pytest.mark.parametrize("box", [(45, 30, 65, 50), (10, 10, 26, 30)])
def test_poses_are_drawn_around_the_centre_of_the_face_and_nowhere_else(draw, box):
    drawn = drawings.annotate(BLACK, [(box, (20, -10, 30))], draw)
    assert not BLACK.any()
    y, x = np.nonzero(drawn.any(axis=2))
    assert len(y) > 20
    distance = np.hypot(x - (box[0] + box[2]) / 2, y - (box[1] + box[3]) / 2)
    assert distance.max() < 20


def test_each_face_is_drawn():
    faces = [((5, 5, 25, 25), (20, 0, 0)), ((50, 30, 70, 50), (0, 20, 0))]
    both = drawings.annotate(BLACK, faces, "axes")
    alone = [drawings.annotate(BLACK, [face], "axes") for face in faces]
    np.testing.assert_array_equal(both, np.maximum(*alone))
    assert all(one.any() for one in alone)


def test_a_crop_is_drawn_on_at_its_centre():
    drawn = drawings.annotate(BLACK, [(None, (0, 0, 0))], "axes")
    y, x = np.nonzero(drawn[..., 0] > 127)  # the red axis, from the centre to the right
    assert (x.min() >= 37) and (abs(y - 30).max() <= 3)


def test_a_face_far_outside_or_larger_than_the_picture_is_no_trouble():
    for box in ((1e6, 1e6, 2e6, 2e6), (-1e6, -1e6, 1e6, 1e6)):
        assert drawings.annotate(BLACK, [(box, (10, 10, 10))], "cube").shape == BLACK.shape


def test_drawings_lie_below_their_folder_as_the_pictures_do_and_none_replaces_another():
    names = ["a.png", "sub/a.png", "b.JPG", "b.jpg", "B.jpeg", "c.bmp", "c.png", "c-2.png"]
    sources = [Source(PICTURE, f"x/{name}", name) for name in names]
    sources += [Source(VIDEO, "x/f.avi", "f.avi"), Source(VIDEO, "x/f.mov", "f.mov")]
    sources += [Source(CAMERA, "0", "camera-0")]
    expected = ["a.png", "sub/a.png", "b.jpg", "b-2.jpg", "B-3.jpg", "c.png", "c-2.png"]
    expected += ["c-2-2.png", "f.mp4", "f-2.mp4", "camera-0.mp4"]
    found = drawings.file_names(sources)
    assert [found[source].as_posix() for source in sources] == expected


def test_a_picture_is_written_as_it_is(tmp_path):
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    drawings.write_picture(tmp_path / "a.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], image)


def test_a_picture_that_jpeg_cannot_hold_is_told(tmp_path):
    with pytest.raises(RankPoseError, match="can't hold a picture of 70000 x 2 pixels"):
        drawings.write_picture(tmp_path / "a.jpg", np.zeros((2, 70000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_contact_sheet_shows_pictures_whole_and_in_their_order(tmp_path):
    rows = []
    for index, red in enumerate((40, 120, 240)):
        image = np.zeros((50, 100, 3), np.uint8)
        image[..., 0] = red
        rows.append(Row(save(tmp_path / f"{index}.png", image), reason="no face found"))
    rows.insert(1, Row(str(tmp_path / "absent.png"), reason="can't be opened"))
    rows.append(Row("film.mp4", frame=0, time=0.0, face=0, angles=(0, 0, 0)))
    assert drawings.write_sheet(tmp_path / "sheet.png", rows, "axes", 10_000) == 3
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert sheet.shape == (160, 3 * 160, 3)
    np.testing.assert_array_equal(sheet[80, 80::160, 0], [40, 120, 240])
    # Fitted whole: 160 x 80, black above and below.
    assert not sheet[:40].any()
    assert not sheet[120:].any()
    assert (sheet[40:120, :, 0] > 0).all()


def test_a_contact_sheet_shows_all_faces_of_a_picture_on_one_tile(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((160, 160, 3), np.uint8))
    rows = [
        Row(path, face=0, box=(10, 10, 50, 50), angles=(30, 0, 0)),
        Row(path, face=1, box=(100, 100, 140, 140), angles=(30, 0, 0)),
    ]
    assert drawings.write_sheet(tmp_path / "sheet.png", rows, "axes", 10**6) == 1
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet[:75, :75].any()
    assert sheet[85:, 85:].any()


def test_a_contact_sheet_ends_at_its_hundredth_picture(tmp_path):
    path = [save(tmp_path / f"{index}.png", BLACK) for index in range(2)]
    rows = [Row(path[index % 2], reason="no face found") for index in range(130)]
    count = drawings.SHEET_PICTURES
    assert drawings.write_sheet(tmp_path / "sheet.png", rows, "axes", 10**6) == count
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (count // 10 * 160, 10 * 160, 3)


def test_without_a_picture_there_is_no_sheet(tmp_path):
    assert drawings.write_sheet(tmp_path / "sheet.png", [], "axes", 10**6) == 0
    assert not (tmp_path / "sheet.png").exists()
