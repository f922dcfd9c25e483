"""Runs over made-up pictures, with an estimator and a detector that are known."""

import os
import pathlib
import threading
import time

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import Pose
from rankpose_tf.prediction import drawings, inputs, results
from rankpose_tf.prediction import run as prediction

SIDE = 8


class KnownEstimator:
    """The yaw is the mean of the crop's red less 100, the pitch of its green, the roll of blue."""

    input_size = SIDE
    tells_error = False

    def __init__(self):
        self.batches = []

    def crop(self, image, box=None, turn=0.0):
        if box is not None:
            left, top, right, bottom = (int(side) for side in box)
            image = image[top:bottom, left:right]
        return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)

    def predict_crops(self, crops):
        assert crops.shape[1:] == (SIDE, SIDE, 3)
        self.batches.append(len(crops))
        return Pose.from_array(crops.mean(axis=(1, 2)) - 100.0)


def squares(image):
    """Detector of the bright squares of `scene`."""
    mask = (image[..., 2] > 127).astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    boxes = [(left, top, left + width, top + height) for left, top, width, height, _ in found[1:]]
    return [(np.array(box, float), 0.9) for box in sorted(boxes)]


def scene(faces, size=(60, 80)):
    """A black picture with squares of 20 pixels: left, top, (red, green)."""
    image = np.zeros((*size, 3), np.uint8)
    for left, top, colour in faces:
        image[top : top + 20, left : left + 20] = (*colour, 200)
    return image


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])
    return path


@pytest.fixture
def folder(tmp_path):
    """Ten pictures: of no, one and two faces by turns, and one that is damaged."""
    for index in range(9):
        faces = [(5, 10, (90 + index, 100)), (45, 30, (120, 130 + index))][: index % 3]
        save(tmp_path / "faces" / f"{index}.png", scene(faces))
    (tmp_path / "faces" / "5x.png").write_bytes((tmp_path / "faces" / "5.png").read_bytes()[:60])
    return tmp_path / "faces"


def run(named, estimator=None, **options):
    options = {"detector": squares, "progress": False, **options}
    sources = inputs.expand([str(named)] if isinstance(named, os.PathLike) else named)
    return prediction.run(sources, estimator or KnownEstimator(), **options)


def rows(path):
    return list(results.read(path))


def test_every_face_of_every_picture_has_its_row(folder, tmp_path):
    summary = run(folder, out=tmp_path / "poses.csv")
    expected = []
    for name in ["0", "1", "2", "3", "4", "5", "5x", "6", "7", "8"]:
        path = str(folder / f"{name}.png")
        if name == "5x":
            expected.append((path, None, None, None))
            continue
        index = int(name)
        found = [
            (path, 0, (5, 10, 25, 30), (index - 10, 0, 100)),
            (path, 1, (45, 30, 65, 50), (20, 30 + index, 100)),
        ]
        expected += found[: index % 3] or [(path, None, None, None)]
    kept = rows(tmp_path / "poses.csv")
    assert [(row.path, row.face, row.box, row.angles) for row in kept] == expected
    assert {row.score for row in kept if row.box} == {0.9}
    reasons = {row.reason for row in kept if row.angles is None and "5x" not in row.path}
    assert reasons == {"no face found"}
    assert "damaged" in next(row.reason for row in kept if "5x" in row.path)
    assert vars(summary) == {"pictures": 9, "frames": 0, "faces": 9, "without_face": 3, "failed": 1}


def test_crops_are_predicted_whole_and_without_a_detector(tmp_path):
    for index in range(3):
        save(tmp_path / "crops" / f"{index}.png", np.full((30, 30, 3), 100 + index, np.uint8))

    def detector(image):
        raise AssertionError("called")

    run(tmp_path / "crops", out=tmp_path / "poses.jsonl", crops=True, detector=detector)
    kept = rows(tmp_path / "poses.jsonl")
    assert [row.angles for row in kept] == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    assert {(row.face, row.box, row.score) for row in kept} == {(0, None, None)}


def test_batches_reach_across_pictures(tmp_path):
    for index in range(10):
        save(tmp_path / "crops" / f"{index}.png", np.full((30, 30, 3), index, np.uint8))
    estimator = KnownEstimator()
    run(tmp_path / "crops", estimator, out=tmp_path / "poses.csv", crops=True, batch_size=4)
    assert estimator.batches == [4, 4, 2]


def test_pictures_wait_in_bounded_number(tmp_path, monkeypatch):
    """Of 300 pictures no more are held than two batches after each step, and one a thread."""
    held, most = [0], [0]

    class Counted(np.ndarray):
        def __del__(self):
            held[0] -= 1

    def read(path, max_pixels):
        held[0] += 1
        most[0] = max(most[0], held[0])
        return np.full((30, 30, 3), 100, np.uint8).view(Counted)

    monkeypatch.setattr(prediction.pipeline.pictures, "read", read)
    sources = [inputs.Source("picture", f"{index}.png", f"{index}.png") for index in range(300)]

    class Slow(KnownEstimator):
        def predict_crops(self, crops):
            time.sleep(0.01)
            return super().predict_crops(crops)

        def crop(self, image, box=None, turn=0.0):
            return np.array(super().crop(image, box))

    found = lambda image: [((0, 0, 20, 20), 1.0)]  # noqa: E731
    prediction.run(sources, Slow(), out=tmp_path / "poses.csv", detector=found, batch_size=4)
    assert len(rows(tmp_path / "poses.csv")) == 300
    # Read: 2 batches and one a thread; looked at: one, whose picture is then let go.
    assert most[0] <= 2 * 4 + min(8, os.cpu_count()) + 1


def test_a_pose_that_is_not_finite_is_a_row_with_its_reason(tmp_path):
    class Broken(KnownEstimator):
        def predict_crops(self, crops):
            return Pose.from_array(np.full((len(crops), 3), np.nan))

    save(tmp_path / "faces" / "a.png", scene([(5, 10, (100, 100))]))
    options = {"draw": "axes", "draw_dir": tmp_path / "drawn"}
    run(tmp_path / "faces", Broken(), out=tmp_path / "poses.csv", **options)
    (row,) = rows(tmp_path / "poses.csv")
    assert (row.angles, row.reason) == (None, prediction.NO_POSE)
    assert row.box == (5, 10, 25, 30)


def test_a_film_that_cannot_be_read_is_a_row_and_the_run_goes_on(tmp_path, folder):
    (folder / "4.mp4").write_bytes(b"no video")
    summary = run(folder, out=tmp_path / "poses.csv")
    assert summary.failed == 2
    kept = rows(tmp_path / "poses.csv")
    assert [row.reason for row in kept if "mp4" in row.path] == ["can't be opened as a video"]
    assert kept[-1].path == str(folder / "8.png")


def test_too_many_pixels_are_a_reason(tmp_path):
    save(tmp_path / "faces" / "a.png", scene([]))
    assert run(tmp_path / "faces", out=tmp_path / "poses.csv", max_pixels=4799).failed == 1
    assert "4799" in rows(tmp_path / "poses.csv")[0].reason


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("stop", range(10))
def test_stopped_and_resumed_it_ends_with_the_same_file(folder, tmp_path, suffix, stop):
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    run(folder, out=whole)

    class Stopped(KnownEstimator):
        def crop(self, image, box=None, turn=0.0):
            if len(self.batches) == stop:
                raise KeyboardInterrupt
            return super().crop(image, box)

    try:
        run(folder, Stopped(), out=parts, batch_size=1)
    except KeyboardInterrupt:
        assert whole.read_bytes().startswith(parts.read_bytes())
    estimator = KnownEstimator()
    run(folder, estimator, out=parts, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    if stop > 4:
        assert sum(estimator.batches) < 9


def test_resumed_with_another_folder_no_row_of_the_first_is_lost(tmp_path):
    for name in ("first/a.png", "first/b.png", "second/c.png"):
        save(tmp_path / name, scene([(5, 10, (100, 100))]))
    run(tmp_path / "first", out=tmp_path / "poses.csv")
    run(tmp_path / "second", out=tmp_path / "poses.csv", resume=True)
    assert [pathlib.Path(row.path).name for row in rows(tmp_path / "poses.csv")] == [
        "a.png",
        "b.png",
        "c.png",
    ]


def threads_left_by_an_interrupt(named, out):
    """The threads that read ahead and are there after a run over `named` was interrupted."""

    class Stopped(KnownEstimator):
        def predict_crops(self, crops):
            raise KeyboardInterrupt

    # What is caught holds the frames of the run, as the command's own handler does.
    with pytest.raises(KeyboardInterrupt) as caught:
        run(named, Stopped(), out=out, batch_size=2)
    assert caught.value
    return [one for one in threading.enumerate() if one.name.startswith("read-ahead")]


def test_no_thread_is_left_by_an_interrupt(tmp_path):
    for index in range(30):
        save(tmp_path / "many" / f"{index}.png", scene([(5, 10, (100, 100))]))
    assert not threads_left_by_an_interrupt(tmp_path / "many", tmp_path / "poses.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "out: pass --out"),
        ({"resume": True, "draw_dir": "drawn", "draw": "axes"}, "resume: .* pass --out"),
        ({"out": "poses.csv", "draw": "axes"}, "draw: pass --draw_dir=FOLDER"),
        ({"out": "poses.csv", "draw_dir": "drawn"}, "draw_dir: .* pass --draw=cube or axes"),
        ({"out": "poses.csv", "draw": "lines"}, "draw: expected one of cube, axes, none"),
        ({"out": "poses.csv", "contact_sheet": "sheet.gif"}, "contact_sheet: expected a name"),
        ({"out": "old.csv"}, "out: 'old.csv' exists already"),
        ({"out": "poses.csv", "contact_sheet": "old.png"}, "contact_sheet: .* exists already"),
        ({"out": "poses.csv", "draw": "axes", "draw_dir": "full"}, "draw_dir: .* is not empty"),
        (
            {"out": "poses.csv", "contact_sheet": "old.png", "resume": True},
            "contact_sheet: .* exists already",
        ),
        ({"out": "poses.csv", "draw": "axes", "draw_dir": "old.csv"}, "draw_dir: .* is a file"),
        ({"draw_dir": "drawn", "draw": "axes", "contact_sheet": "s.png"}, "contact_sheet: is made"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(
    tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    for name in ("old.csv", "old.png", "full/one.png"):
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        pathlib.Path(name).touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RankPoseError, match=f"^{said}"):
        prediction.run([inputs.Source("picture", "absent.png", "absent.png")], None, **options)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("has_results", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_of_drawings_that_holds_what_is_drawn_is_refused(
    folder, tmp_path, has_results, linked
):
    out, draw_dir = tmp_path / "poses.csv", folder
    if has_results:
        run(folder, out=out)
    if linked:
        draw_dir = tmp_path / "other"
        draw_dir.mkdir()
        for path in folder.iterdir():
            os.link(path, draw_dir / path.name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    said = "^draw_dir: .*pass a new folder$"
    with pytest.raises(RankPoseError, match=said) as error:
        run(folder, out=out, resume=True, draw="cube", draw_dir=draw_dir)
    assert "--resume" not in str(error.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_drawings_of_another_folder_and_own_photos_stay_where_a_run_goes_on(tmp_path):
    drawn, out = tmp_path / "drawn", tmp_path / "poses.csv"
    for name, colour in (("a/f.png", (120, 100)), ("b/f.png", (90, 100))):
        save(tmp_path / name, scene([(5, 10, colour)]))
    run(tmp_path / "a", out=out, draw="cube", draw_dir=drawn)
    own = save(drawn / "g.png", scene([]))
    before = {path: path.read_bytes() for path in drawn.iterdir()}
    save(tmp_path / "b/g.png", scene([(5, 10, (90, 100))]))
    # The second time the last picture is drawn again: the same drawing, kept once.
    for _ in range(2):
        run(tmp_path / "b", out=out, draw="cube", draw_dir=drawn, resume=True)
        names = {path.name for path in drawn.iterdir()}
        assert names == {"f.png", "f-2.png", own.name, "g-2.png"}
        assert {path: path.read_bytes() for path in before} == before


def test_progress_tells_rate_and_time_left(folder, tmp_path, capsys):
    run(folder, out=tmp_path / "poses.csv", progress=True)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "picture/s" in shown or "s/picture" in shown


def test_drawings_and_sheet_are_made_of_the_same_run(tmp_path):
    face = scene([(5, 10, (120, 100))])
    for name in ("a.png", "sub/a.png"):
        save(tmp_path / "faces" / name, face)
    drawn, sheet = tmp_path / "drawn", tmp_path / "sheet.png"
    options = {"draw": "cube", "draw_dir": drawn, "contact_sheet": sheet}
    run(tmp_path / "faces", out=tmp_path / "poses.csv", **options)
    one = drawings.DrawnFace((5, 10, 25, 30), (20, 0, 100))
    expected = drawings.annotate(face, [one], "cube")
    for name in ("a.png", "sub/a.png"):
        np.testing.assert_array_equal(cv2.imread(str(drawn / name))[..., ::-1], expected)
    assert cv2.imread(str(sheet)).shape[1] == 2 * 200


def test_a_detector_that_is_not_installed_is_told_before_a_file_is_begun(
    folder, tmp_path, monkeypatch
):
    def missing():
        raise RankPoseError("detector: the package mtcnn is not installed")

    monkeypatch.setattr(prediction.pipeline.detection, "for_pictures", missing)
    out = tmp_path / "poses.csv"
    with pytest.raises(RankPoseError, match="not installed"):
        prediction.run(
            inputs.expand([str(folder)]),
            KnownEstimator(),
            out=out,
            draw="axes",
            draw_dir=tmp_path / "drawn",
            progress=False,
        )
    assert not out.exists() and not (tmp_path / "drawn").exists()


def test_faces_of_a_picture_are_numbered_where_there_are_several(tmp_path):
    faces = [(5, 10, (120, 100)), (45, 30, (100, 120))]
    for name, count in (("one.png", 1), ("two.png", 2)):
        save(tmp_path / "faces" / name, scene(faces[:count], (300, 400)))
    run(tmp_path / "faces", out=tmp_path / "poses.csv", draw="cube", draw_dir=tmp_path / "drawn")
    both = [
        drawings.DrawnFace((5, 10, 25, 30), (20, 0, 100), 0),
        drawings.DrawnFace((45, 30, 65, 50), (0, 20, 100), 1),
    ]
    for name, drawn in (("one.png", [both[0]._replace(number=None)]), ("two.png", both)):
        expected = drawings.annotate(scene(faces[: len(drawn)], (300, 400)), drawn, "cube")
        found = cv2.imread(str(tmp_path / "drawn" / name))[..., ::-1]
        np.testing.assert_array_equal(found, expected)
