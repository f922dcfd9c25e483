"""Runs over videos and cameras: rows, smoothing, drawn films, ends."""

import os

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import video, video_writer
from rankpose_tf.prediction.smoothing import RotationSmoother
from tests.prediction.test_run import rows, run, scene, threads_left_by_an_interrupt


def film(path, count=12):
    """A face that moves to the right by a pixel a frame, and is hidden in frame 5."""
    path.parent.mkdir(exist_ok=True)
    with video_writer.writer(path, 25.0) as write:
        for index in range(count):
            write(scene([] if index == 5 else [(5 + index, 10, (100, 100))]))
    return path


def test_a_video_has_a_row_a_frame_and_a_face_keeps_its_number(tmp_path):
    summary = run(film(tmp_path / "film.mp4"), out=tmp_path / "poses.csv", batch_size=5)
    kept = rows(tmp_path / "poses.csv")
    assert [row.frame for row in kept] == list(range(12))
    np.testing.assert_allclose([row.time for row in kept], np.arange(12) / 25, atol=1e-3)
    assert [row.face for row in kept] == [0] * 5 + [None] + [0] * 6
    assert kept[5].reason == "no face found"
    assert (summary.frames, summary.faces, summary.without_face) == (12, 11, 1)


def test_smoothing_is_that_of_the_filter_and_can_be_left_out(tmp_path):
    path = film(tmp_path / "film.mp4")
    run(path, out=tmp_path / "raw.jsonl", smoothing=False)
    run(path, out=tmp_path / "smooth.jsonl")
    raw, smooth = rows(tmp_path / "raw.jsonl"), rows(tmp_path / "smooth.jsonl")
    smoother = RotationSmoother()
    for before, after in zip(raw, smooth, strict=True):
        if before.angles is not None:
            expected = smoother.filter(before.angles, before.time)
            np.testing.assert_allclose(after.angles, expected, atol=1e-3)
    assert any(before.angles != after.angles for before, after in zip(raw, smooth, strict=True))


def test_a_drawn_video_keeps_its_rate_size_and_frames(tmp_path):
    path = film(tmp_path / "film.mp4")
    run(path, out=tmp_path / "poses.csv", draw="cube", draw_dir=tmp_path / "drawn")
    before, after = (video.Video(str(p)) for p in (path, tmp_path / "drawn" / "film.mp4"))
    assert (after.rate, after.frames) == (before.rate, before.frames)
    changed = [
        np.abs(one.image.astype(int) - two.image).max()
        for one, two in zip(before, after, strict=True)
    ]
    assert min(changed[:5] + changed[6:]) > 100
    assert changed[5] < 60


def test_a_drawn_video_is_replaced_neither_by_itself_nor_by_another(tmp_path):
    drawn = {"out": tmp_path / "poses.csv", "draw": "cube", "draw_dir": tmp_path / "drawn"}
    run(film(tmp_path / "a" / "film.mp4"), **drawn)
    first = (tmp_path / "drawn" / "film.mp4").read_bytes()
    run(tmp_path / "a" / "film.mp4", **drawn, resume=True)
    # Drawn again it is mostly the same to the byte, and kept once; the encoder promises nothing.
    run(film(tmp_path / "b" / "film.mp4", count=7), **drawn, resume=True)
    made = {path.name: video.Video(str(path)).frames for path in (tmp_path / "drawn").iterdir()}
    assert sorted(made.values()) in ([7, 12], [7, 12, 12])
    assert (tmp_path / "drawn" / "film.mp4").read_bytes() == first


def test_a_folder_for_drawn_videos_has_a_name_of_utf8(tmp_path):
    path, drawn = film(tmp_path / "film.mp4"), os.path.join(tmp_path, os.fsdecode(b"bad\xff"))
    with pytest.raises(RankPoseError, match="^draw_dir: expected a folder whose name is UTF-8"):
        run(path, out=tmp_path / "poses.csv", draw="cube", draw_dir=drawn)
    assert not (tmp_path / "poses.csv").exists()


def test_no_thread_is_left_by_an_interrupt_of_a_film(tmp_path):
    path = film(tmp_path / "film.mp4")
    assert not threads_left_by_an_interrupt(path, tmp_path / "poses.csv")


def test_a_camera_ends_by_ctrl_c_and_its_video_is_whole(tmp_path, monkeypatch):
    class Camera:
        rate, frames, shortfall = 20.0, None, None
        colour = 100

        def __init__(self, source, max_pixels):
            assert source == 0

        def __iter__(self):
            for index in range(6):
                yield video.Frame(index, index / 20, scene([(5, 10, (100, self.colour))]))
            raise KeyboardInterrupt

    original = video.Video
    monkeypatch.setattr(video, "Video", Camera)
    summary = run(["0"], out=tmp_path / "poses.csv", draw="axes", draw_dir=tmp_path / "drawn")
    assert summary.frames == 6
    assert [row.frame for row in rows(tmp_path / "poses.csv")] == list(range(6))
    assert original(str(tmp_path / "drawn" / "camera-0.mp4")).frames == 6
    # What a camera saw can't be made again.
    Camera.colour = 140
    again = {"draw": "axes", "draw_dir": tmp_path / "drawn"}
    run(["0"], out=tmp_path / "poses.csv", resume=True, **again)
    assert [row.frame for row in rows(tmp_path / "poses.csv")] == 2 * list(range(6))
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["camera-0-2.mp4", "camera-0.mp4"]


def test_a_video_that_ends_too_early_keeps_its_rows_and_has_one_with_the_reason(tmp_path):
    av = pytest.importorskip("av")
    assert av
    path = film(tmp_path / "film.mp4", count=100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    summary = run(path, out=tmp_path / "poses.csv", draw="axes", draw_dir=tmp_path / "drawn")
    kept = rows(tmp_path / "poses.csv")
    assert 10 < summary.frames < 100
    assert [row.frame for row in kept] == [*range(summary.frames), None]
    assert kept[-1].reason.startswith("is incomplete: ends at ")
    assert summary.failed == 1
    assert video.Video(str(tmp_path / "drawn" / "film.mp4")).frames == summary.frames


def test_a_stream_is_drawn_and_named_without_its_password(tmp_path, monkeypatch):
    class Stream:
        rate, frames, shortfall = 20.0, None, None

        def __init__(self, source, max_pixels):
            assert source == "rtsp://me:secret@host/s"

        def __iter__(self):
            for index in range(3):
                yield video.Frame(index, index / 20, scene([(5, 10, (100, 100))]))
            raise video.VideoError("rtsp://me:secret@host/s", "no frame came for 10 seconds")

    original = video.Video
    monkeypatch.setattr(video, "Video", Stream)
    drawn = {"draw": "axes", "draw_dir": tmp_path / "drawn"}
    summary = run(["rtsp://me:secret@host/s"], out=tmp_path / "poses.csv", **drawn)
    kept = rows(tmp_path / "poses.csv")
    assert {row.path for row in kept} == {"rtsp://host/s"}
    assert [row.reason for row in kept] == [None] * 3 + ["no frame came for 10 seconds"]
    assert (summary.frames, summary.failed) == (3, 1)
    assert original(str(tmp_path / "drawn" / "rtsp-host-s.mp4")).frames == 3
