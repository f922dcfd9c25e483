"""The estimator around any network: what it takes, what the network sees, what it refuses."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import Pose
from rankpose_tf.data import square_crops
from rankpose_tf.inference import detection, estimator
from rankpose_tf.inference.estimator import PoseEstimator

SIZE, SCALE = 24, 1.4


class Network:
    """Answers with the mean of each colour, and remembers how many crops it was shown at once."""

    def __init__(self):
        self.counts = []

    def __call__(self, crops):
        assert crops.dtype == np.uint8 and crops.shape[1:] == (SIZE, SIZE, 3)
        self.counts.append(len(crops))
        return crops.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def judge(network):
    return PoseEstimator(network, {"input_size": SIZE, "crop_scale": SCALE, "tower": "made up"})


def scene(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def training_crop(image, box=None):
    """What training would show the network, rounded."""
    if box is None:
        square = square_crops.square_around((0, 0, image.shape[1], image.shape[0]), 1.0)
    else:
        square = square_crops.square_around(np.float32(box), SCALE)
    return np.rint(square_crops.crop_and_resize(image, square, SIZE)).astype(int)


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(24, 24), (120, 120), (10, 10), (60, 45), (33, 90)])
def test_a_whole_picture_is_fitted_into_the_networks_square(judge, shape):
    image = scene(*shape)
    # One grey level where the two orders of summation round to either side of a half.
    np.testing.assert_allclose(judge.crop(image), training_crop(image), atol=1)


@pytest.mark.parametrize("box", [(20, 30, 60, 80), (-15.5, 40.2, 12.1, 70), (0, 0, 100, 90)])
def test_a_box_is_cropped_by_the_rule_of_training(judge, box):
    image = scene(90, 100)
    np.testing.assert_allclose(judge.crop(image, box), training_crop(image, box), atol=1)


def test_a_picture_beside_its_square_is_black_there(judge):
    white = np.full((60, 30, 3), 255, np.uint8)
    found = judge.crop(white)
    assert (found[:, 6:18] == 255).all() and not found[:, :6].any() and not found[:, 18:].any()


def test_one_picture_gives_floats_in_the_networks_order(judge):
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[...] = (10, 20, 30)
    found = judge.predict(image)
    assert found == Pose(10, 20, 30) and type(found.yaw) is float


def test_one_picture_with_a_box_gives_floats(judge):
    image = scene(90, 100)
    found = judge.predict(image, (20, 30, 60, 80))
    expected = judge.crop(image, (20, 30, 60, 80)).mean(axis=(0, 1))
    assert type(found.yaw) is float
    np.testing.assert_allclose(found.as_array(), expected, rtol=1e-6)


def test_a_batch_gives_arrays_of_the_same_numbers(judge):
    images = np.stack([scene(40, 50, seed) for seed in range(3)])
    boxes = [(5, 5, 30, 30), (0, 0, 50, 40), (20, 10, 45, 39)]
    for found, singles in (
        (judge.predict(images), [judge.predict(image) for image in images]),
        (judge.predict(images, boxes), map(judge.predict, images, boxes)),
        (judge.predict(images[:1]), [judge.predict(images[0])]),
    ):
        assert list(found) == list(singles)


def test_a_list_may_hold_arrays_and_files_of_any_size(judge, tmp_path):
    images = [scene(40, 50, 1), scene(30, 20, 2), scene(24, 24, 3), scene(70, 70, 4)]
    path = tmp_path / "picture.png"
    path.write_bytes(png(images[1]))
    given = [images[0], str(path), images[2], png(images[3])]
    assert list(judge.predict(given)) == [judge.predict(image) for image in images]
    assert judge.predict(path) == judge.predict(images[1])
    assert judge.predict(tuple(given)) == judge.predict(given)
    boxes = np.tile([2.0, 3.0, 15.0, 18.0], (4, 1))
    assert judge.predict(given, boxes)[3] == judge.predict(images[3], boxes[3])


def test_several_boxes_in_one_picture_are_so_many_poses(judge):
    image = scene(90, 100)
    boxes = np.array([(5, 5, 30, 30), (20, 10, 45, 39)])
    found = judge.predict(image, boxes)
    assert list(found) == [judge.predict(image, box) for box in boxes]
    assert len(judge.predict(image, np.zeros((0, 4)))) == 0


def test_the_network_never_sees_more_than_a_batch(judge, network):
    count = 2 * estimator.BATCH_SIZE + 5
    images = [scene(12, 12, seed) for seed in range(count)]
    found = judge.predict(images)
    assert network.counts == [estimator.BATCH_SIZE, estimator.BATCH_SIZE, 5]
    assert found[count - 1] == judge.predict(images[-1])


def test_files_of_a_list_are_read_a_batch_at_a_time(judge, network, monkeypatch):
    seen = []

    def read(source):
        seen.append((source, len(network.counts)))
        return scene(12, 12)

    monkeypatch.setattr(pictures, "read", read)
    judge.predict([str(number) for number in range(estimator.BATCH_SIZE + 1)])
    assert seen[-2:] == [(str(estimator.BATCH_SIZE - 1), 0), (str(estimator.BATCH_SIZE), 1)]


def test_crops_made_elsewhere_are_judged_alike(judge):
    images = [scene(40, 50, seed) for seed in range(3)]
    assert judge.predict_crops(np.stack([judge.crop(i) for i in images])) == judge.predict(images)
    for wrong in (np.zeros((1, 9, 9, 3), np.uint8), np.zeros((1, SIZE, SIZE, 3))):
        with pytest.raises(RankPoseError, match=r"crops: expected \(N, 24, 24, 3\) uint8"):
            judge.predict_crops(wrong)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((9, 9, 3)), r"received \(9, 9, 3\) float64; round values"),
        (np.zeros((9, 9, 3), np.int32), "int32; round values"),
        (np.zeros((9, 9), np.uint8), r"received \(9, 9\) uint8; of a grey picture make np.stack"),
        (np.zeros((9, 9, 1), np.uint8), "of a grey picture make np.repeat"),
        (np.zeros((9, 9, 4), np.uint8), r"leave the fourth channel .* image\[..., :3\]"),
        (np.zeros((3, 9, 9), np.uint8), r"expected RGB of shape \(H, W, 3\)"),
        (np.zeros((0, 9, 3), np.uint8), r"received \(0, 9, 3\)"),
        (np.zeros((2, 9, 9, 3)), r"\[0\]: expected RGB .* float64"),
        (np.zeros((1, 2, 9, 9, 3), np.uint8), "several pictures of one size"),
        (np.uint8(3), r"received \(\) uint8"),
        (None, "object; cv2.imread gives None"),
        ({"image": 1}, "object; pass an array or the path of a file, or of several a list"),
        ((part for part in "ab"), "or of several a list"),
        (np.zeros((3, 9, 12), np.uint8), r"np.moveaxis\(image, 0, -1\)"),
        (np.zeros((9, 9), np.uint16), "make 0..255 in uint8, then np.stack"),
        ([["a.png", "b.png"]], r"\[0\]: expected.*pass an array"),
        ([], "received an empty list"),
        (np.zeros((0, 9, 9, 3), np.uint8), "received an empty list"),
        ([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)], r"\[1\]: expected RGB"),
        ("/absent/picture.jpg", "picture.jpg: can't be opened: No such file"),
        (b"no picture", "no JPEG, PNG"),
        ("https://example.org/face.jpg", "face.jpg: is an address.*download it"),
        ("data:image/png;base64,aaaa", "is an address"),
    ],
)
def test_what_is_no_picture_is_refused_and_told_what_to_do(judge, image, words):
    with pytest.raises(RankPoseError, match=f"image.*{words}"):
        judge.predict(image)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((1, 2, 3), r"expected shape \(4,\) or \(B, 4\).* received \(3,\)"),
        (np.zeros((2, 2, 4)), r"received \(2, 2, 4\)"),
        (5, r"received \(\)"),
        ("face", "expected numbers, received 'face'"),
        ((1, 2, np.nan, 4), r"expected finite left, top.*nan"),
        ((1, 2, np.inf, 4), "expected finite"),
        ((1, 2, 1e30, 4), "expected finite"),
        ((30, 2, 10, 40), r"left < right and top < bottom, received \[30.0, 2.0, 10.0, 40.0\]"),
        ((5, 5, 5, 5), "left < right"),
        ((500, 500, 600, 600), "expected a part of it within the picture of 50 x 50 pixels"),
        ((-9, -9, 0, 0), "expected a part of it within"),
        ((0.2, 0.2, 0.7, 0.7), "expected pixels.* shares of the picture"),
        ([(1, 2, 3, 4), (1, 2, 3, np.nan)], r"received \[1.0, 2.0, 3.0, nan\]"),
    ],
)
def test_what_is_no_box_is_refused(judge, box, words):
    with pytest.raises(RankPoseError, match=f"box: .*{words}"):
        judge.predict(scene(50, 50), box)


def test_pictures_and_boxes_must_be_as_many(judge):
    images = [scene(20, 20)] * 3
    for box in ((1, 2, 9, 9), [(1, 2, 9, 9)] * 2):
        with pytest.raises(RankPoseError, match=r"box: expected shape \(3, 4\), one box for each"):
            judge.predict(images, box)
    with pytest.raises(RankPoseError, match=r"box: expected shape \(4,\), received \(2, 4\)"):
        judge.crop(images[0], [(1, 2, 9, 9)] * 2)


@pytest.mark.parametrize("dtype", [str, object])
def test_an_array_of_paths_is_a_list_of_them(judge, tmp_path, dtype):
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(scene(20, 30, number)).save(path)
    assert judge.predict(np.array(paths, dtype)) == judge.predict(paths)


def test_an_open_file_is_one_picture(judge):
    image = scene(20, 30)
    assert judge.predict(io.BytesIO(png(image))) == judge.predict(image)


def test_faces_are_looked_for_in_one_picture_by_a_function(judge):
    with pytest.raises(RankPoseError, match="image: expected one picture, .* call it for each"):
        judge.predict_faces([scene(20, 30)] * 2, lambda picture: BOXES)
    for detector in ("mtcnn", object()):
        with pytest.raises(RankPoseError, match=r"detector: expected a function .*detect_faces"):
            judge.predict_faces(scene(20, 30), detector)


@pytest.mark.parametrize("side", [SIZE, 3 * SIZE])
def test_a_picture_of_the_crops_size_is_turned_too(judge, side):
    image = np.kron(scene(SIZE, SIZE), np.ones((side // SIZE, side // SIZE, 1), np.uint8))
    turned, expected = judge.crop(image, turn=90), judge.crop(np.rot90(image))
    # At the border the black outside comes in.
    np.testing.assert_allclose(turned[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1)


@pytest.mark.parametrize("turn", [float("nan"), float("inf"), "5", None])
def test_a_turn_is_degrees(judge, turn):
    with pytest.raises(RankPoseError, match="turn: expected degrees, received"):
        judge.crop(scene(20, 30), (1, 2, 9, 9), turn)


@pytest.mark.parametrize("box", [(50, 5, 70, 30), (-9, -9, 0, 0), (0.2, 0.2, 0.7, 0.7)])
def test_no_crop_is_cut_outside_the_picture(judge, box):
    with pytest.raises(RankPoseError, match="^box: expected"):
        judge.crop(scene(50, 50), box)


def test_one_picture_that_can_not_be_read_loses_no_other(judge, tmp_path, caplog):
    whole = tmp_path / "whole.png"
    whole.write_bytes(png(scene(30, 40)))
    given = [str(whole), "/absent.jpg", scene(9, 9), b"no picture", scene(5, 5)[..., 0], whole]
    given.append("~$nobody.jpg")
    found = judge.predict(given, on_error="nan").as_array()
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [0, 1, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(found[0], judge.predict(whole).as_array())
    np.testing.assert_array_equal(found[2], judge.predict(given[2]).as_array())
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert told[0].startswith("image[1]: its pose is NaN: image: /absent.jpg: can't be opened")
    assert told[1].startswith("image[3]: ") and "no JPEG, PNG" in told[1]
    assert told[2].startswith("image[4]: ") and "np.stack" in told[2]
    assert told[3].startswith("image[6]: ") and "~$nobody.jpg: can't be opened" in told[3]
    with pytest.raises(pictures.PictureError, match="absent"):
        judge.predict(given)
    with pytest.raises(pictures.PictureError, match="absent"):
        judge.predict(given, on_error="raise")


def test_one_box_that_is_none_loses_no_other(judge, caplog):
    image = scene(50, 60)
    wrong = [(60, 0, 90, 30), (30, 2, 10, 40), (0.1, 0.1, 0.5, 0.6), (1, 2, np.nan, 4)]
    boxes = [(5, 5, 30, 30), *wrong]
    expected = judge.predict(image, boxes[0]).as_array()
    for given in (image, [image] * 5):
        found = judge.predict(given, boxes, on_error="nan").as_array()
        np.testing.assert_array_equal(found[0], expected)
        assert np.isnan(found[1:]).all()
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in told] == [
        *(f"box[{index}]" for index in (1, 2, 3, 4)),
        *(f"image[{index}]" for index in (1, 2, 3, 4)),
    ]


def test_one_picture_alone_may_be_nan_too(judge, network, caplog):
    found = judge.predict("/absent.jpg", on_error="nan")
    assert type(found.yaw) is float and np.isnan(found.as_array()).all()
    faces = judge.predict("/absent.jpg", [(1, 2, 9, 9), (2, 2, 9, 9)], on_error="nan")
    assert np.isnan(faces.as_array()).all() and len(faces) == 2
    assert len(caplog.records) == 2
    assert np.isnan(judge.predict([b""] * 70, on_error="nan").as_array()).all()
    # At most one black picture a call, which tells how many numbers an answer has.
    assert set(network.counts) <= {1}


@pytest.mark.parametrize("box", [None, (1, 2, 9, 9), [(1, 2, 9, 9)] * 2])
def test_what_is_left_out_has_an_expected_error_of_nan_too(box):
    """Whoever asks for `pose.error.doubted` need not know that the picture could not be read."""
    told = PoseEstimator(
        lambda crops: np.zeros((len(crops), 6)), {"input_size": SIZE, "crop_scale": SCALE}
    )
    found = told.predict("/absent.jpg", box, on_error="nan")
    assert found.error.as_array().shape == found.as_array().shape
    assert np.isnan(found.error.as_array()).all()


def test_no_face_has_no_pose(judge):
    """As a detector's empty list of boxes gives it."""
    assert len(judge.predict(scene(60, 70), [])) == 0
    with pytest.raises(RankPoseError, match="box: expected shape"):
        judge.crop(scene(60, 70), [])


def test_what_is_no_batch_is_refused_in_any_case(judge):
    for image, box, words in (
        ([], None, "image: expected at least one"),
        ([scene(9, 9)] * 2, [(1, 2, 9, 9)], "box: expected shape"),
        (scene(9, 9), (1, 2, 3), "box: expected shape"),
    ):
        with pytest.raises(RankPoseError, match=words):
            judge.predict(image, box, on_error="nan")
    with pytest.raises(RankPoseError, match="on_error: expected raise or nan, received 'ignore'"):
        judge.predict(scene(9, 9), on_error="ignore")


BOXES = np.array([[5.0, 5, 30, 30], [20, 10, 45, 39]])


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        ([detection.Detection(BOXES[0], 0.9), detection.Detection(BOXES[1], 0.5)], [0.9, 0.5]),
        (np.concatenate([BOXES, [[0.75], [0.5]]], axis=1), [0.75, 0.5]),
        (BOXES, [None, None]),
        ([tuple(box) for box in BOXES], [None, None]),
    ],
)
def test_a_detector_is_any_function_from_a_picture_to_boxes(judge, answer, scores):
    image, shown = scene(60, 70), []

    def detector(picture):
        shown.append(picture)
        return answer

    faces = judge.predict_faces(image, detector)
    np.testing.assert_array_equal(shown[0], image)
    assert [face.score for face in faces] == scores
    for face, box in zip(faces, BOXES, strict=True):
        np.testing.assert_array_equal(face.box, box)
        assert face.pose == judge.predict(image, box)


@pytest.mark.parametrize("answer", [[], np.zeros((0, 4)), np.zeros((0, 5)), ()])
def test_a_picture_without_faces_gives_none(judge, answer):
    assert judge.predict_faces(scene(60, 70), lambda picture: answer) == []


def test_faces_of_a_file_are_found_in_its_pixels(judge):
    image = scene(60, 70)
    from_file = judge.predict_faces(png(image), lambda picture: BOXES)
    assert [face.pose for face in from_file] == list(judge.predict(image, BOXES))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.zeros((2, 3)), "detector: expected boxes"),
        (5, "detector: expected boxes"),
        (None, "detector: expected boxes"),
        ([1, 2, 3, 4], "detector: expected boxes"),
        (["left"], "detector: expected boxes"),
        ([[(1, 2, 3), 0.5]], "detector: expected boxes"),
        ([[1, 2, np.nan, 4]], "box: expected finite"),
    ],
)
def test_a_detector_that_answers_otherwise_is_named(judge, answer, words):
    with pytest.raises(RankPoseError, match=words):
        judge.predict_faces(scene(60, 70), lambda picture: answer)


def test_the_default_detector_is_made_once(judge, monkeypatch):
    made = []

    def for_pictures():
        made.append(1)
        return lambda picture: BOXES

    monkeypatch.setattr(detection, "for_pictures", for_pictures)
    for _ in range(2):
        assert len(judge.predict_faces(scene(60, 70))) == 2
    assert made == [1]


def test_threads_may_share_an_estimator(judge):
    images = [scene(40, 50, seed) for seed in range(8)]
    found = [None] * len(images)

    def work(index):
        found[index] = judge.predict(images[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [judge.predict(image) for image in images]


@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK", "L", "RGBA", "LA"])
def test_a_picture_of_pillows_is_taken_as_its_file_is(judge, mode, tmp_path):
    from PIL import Image

    image = Image.fromarray(scene(40, 60)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / ("turned.jpg" if mode == "CMYK" else "turned.png")
    image.save(path, exif=exif)
    with Image.open(path) as opened:
        assert judge.predict(opened, (3, 4, 30, 50)) == judge.predict(path, (3, 4, 30, 50))
        assert judge.predict([opened]) == judge.predict([path])
