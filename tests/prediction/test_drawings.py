"""What is drawn, where, and under which name."""

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import drawings
from rankpose_tf.prediction.drawings import DrawnFace
from rankpose_tf.prediction.inputs import CAMERA, PICTURE, VIDEO, Source

BLACK = np.zeros((60, 80, 3), np.uint8)


@pytest.mark.parametrize("draw", ["axes", "cube"])
@pytest.mark.parametrize("box", [(45, 30, 65, 50), (10, 10, 26, 30)])
def test_poses_are_drawn_around_the_centre_of_the_face_and_nowhere_else(draw, box):
    drawn = drawings.with_poses(BLACK, [DrawnFace(box, (20, -10, 30))], draw)
    assert not BLACK.any()
    y, x = np.nonzero(drawn.any(axis=2))
    assert len(y) > 20
    distance = np.hypot(x - (box[0] + box[2]) / 2, y - (box[1] + box[3]) / 2)
    assert distance.max() < 20


def test_a_box_is_thin_and_where_the_face_is():
    picture = np.zeros((200, 200, 3), np.uint8)
    drawn = drawings.with_poses(picture, [DrawnFace((40, 60, 140, 160), (0, 0, 0))], "axes")
    for line in (drawn[62:100, 36:45], drawn[156:165, 50:80].transpose(1, 0, 2)):
        bright = (line > 180).all(axis=2)
        assert 1 <= bright.sum(axis=1).min() <= bright.sum(axis=1).max() <= 2


def test_each_face_is_drawn():
    faces = [DrawnFace((5, 5, 25, 25), (20, 0, 0)), DrawnFace((50, 30, 70, 50), (0, 20, 0))]
    both = drawings.with_poses(BLACK, faces, "axes")
    alone = [drawings.with_poses(BLACK, [face], "axes") for face in faces]
    np.testing.assert_array_equal(both, np.maximum(*alone))
    assert all(one.any() for one in alone)


def test_a_crop_is_drawn_on_at_its_centre_and_has_no_box():
    drawn = drawings.with_poses(BLACK, [DrawnFace(None, (0, 0, 0))], "axes")
    y, x = np.nonzero(drawn[..., 0] > 127)  # the red axis, from the centre to the right
    assert (x.min() >= 37) and (abs(y - 30).max() <= 5)


@pytest.mark.parametrize("draw", ["axes", "cube"])
def test_lines_grow_with_the_face_and_with_the_picture(draw):
    """Of a face as large as the picture, and of a small one in a picture of 4,000 pixels."""

    def share(size, box):
        drawn = drawings.with_poses(
            np.zeros((size, size, 3), np.uint8), [DrawnFace(box, (20, 10, 5))], draw
        )
        left, top, right, bottom = box
        return (drawn[top:bottom, left:right].max(axis=2) > 100).mean()

    large, small = share(2000, (500, 500, 1500, 1500)), share(300, (75, 75, 225, 225))
    assert 0.5 < large / small < 2.0
    assert share(4000, (100, 100, 250, 250)) > 1.2 * share(300, (75, 75, 225, 225))


@pytest.mark.parametrize("draw", ["axes", "cube"])
def test_a_face_far_outside_or_larger_than_the_picture_is_no_trouble(draw):
    for box in ((1e6, 1e6, 2e6, 2e6), (-1e6, -1e6, 1e6, 1e6), (-50, -50, -10, -10)):
        faces = [DrawnFace(box, (10, 10, 10), 3)]
        for shape in (BLACK.shape, (400, 600, 3), (3, 900, 3), (900, 3, 3), (1, 1, 3)):
            assert drawings.annotate(np.zeros(shape, np.uint8), faces, draw).shape == shape


def test_drawings_lie_below_their_folder_as_the_pictures_do_and_each_has_its_own_name():
    names = ["a.png", "sub/a.png", "b.JPG", "b.jpg", "B.jpeg", "c.bmp", "c.png", "c-2.png"]
    sources = [Source(PICTURE, f"x/{name}", name) for name in names]
    sources += [Source(VIDEO, "x/f.avi", "f.avi"), Source(VIDEO, "x/f.mov", "f.mov")]
    sources += [Source(CAMERA, "0", "camera-0")]
    expected = ["a.png", "sub/a.png", "b.jpg", "b-2.jpg", "B-3.jpg", "c.png", "c-2.png"]
    expected += ["c-2-2.png", "f.mp4", "f-2.mp4", "camera-0.mp4"]
    found = drawings.file_names(sources)
    assert [found[source].as_posix() for source in sources] == expected


def test_no_file_is_replaced_and_the_same_drawing_is_kept_once(tmp_path):
    for content in ("first", "second", "first", "second", "third"):
        with drawings.beside_others(tmp_path / "a.png") as beside:
            beside.write_text(content)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"a.png": "first", "a-2.png": "second", "a-3.png": "third"}


def test_a_picture_is_written_as_it_is(tmp_path):
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    drawings.write_picture(tmp_path / "a.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], image)


def test_a_picture_that_jpeg_cannot_hold_is_told(tmp_path):
    with pytest.raises(RankPoseError, match="can't hold a picture of 70000 x 2 pixels"):
        drawings.write_picture(tmp_path / "a.jpg", np.zeros((2, 70000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
