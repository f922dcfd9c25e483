"""Poses of whole folders and videos: what `python -m rankpose_tf.predict` does."""

import contextlib
import dataclasses
import itertools
import os
import pathlib

import numpy as np
import tqdm
from absl import logging

from rankpose_tf.core import files, pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError
from rankpose_tf.prediction import drawings, pipeline, results, sheet, streams, video, video_writer
from rankpose_tf.prediction.inputs import CAMERA, PICTURE
from rankpose_tf.prediction.tracking import VideoPoses

BATCH_SIZE = 32
NO_FACE = "no face found"
NO_POSE = "the model gave no finite pose"


@dataclasses.dataclass
class Summary:
    """What a run met: counts of pictures, frames, faces, those without one, and failures."""

    pictures: int = 0
    frames: int = 0
    faces: int = 0
    without_face: int = 0
    failed: int = 0

    def __str__(self):
        return (
            f"{self.pictures} pictures and {self.frames} frames: {self.faces} faces, "
            f"{self.without_face} without a face, {self.failed} that could not be read"
        )


def run(
    sources,
    estimator,
    *,
    out=None,
    crops=False,
    detector=None,
    draw="none",
    draw_dir=None,
    contact_sheet=None,
    smoothing=True,
    resume=False,
    max_pixels=pictures.MAX_PIXELS,
    batch_size=BATCH_SIZE,
    preview=False,
    each=None,
    progress=None,
):
    """Estimates the pose of every face in pictures, videos and cameras.

    Args:
      sources: sequence of `inputs.Source`.
      estimator: `PoseEstimator`.
      out: new .csv or .jsonl file (results.py), or None.
      crops: each picture or frame is a face crop; no detector is used.
      detector: for all inputs, as for `PoseEstimator.predict_faces`; by default
        `detection.for_pictures` and `detection.for_video`.
      draw: "cube", "axes" or "none".
      draw_dir: new folder for pictures and videos with the poses drawn on them. A video keeps
        its size and times (without PyAV its mean frame rate), not its sound. With `resume` it may
        hold files; none of them is replaced.
      contact_sheet: new .png or .jpg file with the first faces, cut out.
      smoothing: smooth the poses of videos and cameras (smoothing.py); pictures never are.
      resume: go on in an `out` that exists. What it holds is left out, but for the last picture
        or video, which is made again since it may be unfinished. Rows of a camera, and of what is
        not among the sources, stay.
      max_pixels: nothing larger is decoded.
      batch_size: faces given to the network at once.
      preview: show videos and cameras in a window until q is pressed there.
      each: function that gets the list of `results.Row` of each picture or frame, in order.
      progress: True shows bars; None only on a terminal.

    Returns:
      `Summary`.

    Raises:
      RankPoseError: if an argument does not do, before anything is read.
      KeyboardInterrupt: by Ctrl-C; `out` is whole. A camera ends by it, without the error.
    """
    check(out, draw, draw_dir, contact_sheet, resume, preview, each, sources)
    look = pipeline.Look(estimator, crops, detector, keep_images=bool(draw_dir or preview))
    # A detector that is not installed is told before any file is begun.
    for is_picture in {source.kind == PICTURE for source in sources}:
        look.prepare(is_picture)
    if draw_dir:
        pathlib.Path(draw_dir).mkdir(parents=True, exist_ok=True)
    draw = drawings.USUAL if draw == "none" else draw
    opened = contextlib.nullcontext()
    if out:
        again = {source.path for source in sources if source.kind != CAMERA}
        opened = results.ResultFile(out, resume, estimator.tells_error, again)
    with opened as result_file:
        work = _Run(estimator, look, result_file, draw, batch_size, max_pixels, progress, each)
        if draw_dir:
            work.draw_into(draw_dir, sources)
            video_writer.warn_of_mpeg4(sources)
        done = result_file.done if result_file else ()
        left = [source for source in sources if source.kind == CAMERA or source.path not in done]
        for is_picture, group in itertools.groupby(left, lambda source: source.kind == PICTURE):
            if is_picture:
                work.pictures(list(group))
            else:
                for source in group:
                    work.video(source, smoothing, preview)
    if contact_sheet:
        sheet.write_sheet(contact_sheet, results.read(out), draw, max_pixels)
    return work.summary


def check(out, draw, draw_dir, contact_sheet, resume, preview, each=None, sources=()):
    """Refuses, before a model is loaded, what `run` would; arguments as there.

    Raises:
      RankPoseError: names the argument.
    """
    if not (out or draw_dir or preview or each):
        raise RankPoseError("out: pass --out=FILE.csv or FILE.jsonl to keep the poses")
    if resume and not out:
        raise RankPoseError("resume: goes on in a file of results; pass --out=FILE as well")
    if draw not in drawings.DRAWINGS:
        raise RankPoseError(
            f"draw: expected one of {', '.join(drawings.DRAWINGS)}, received {draw!r}"
        )
    if draw_dir and draw == "none":
        raise RankPoseError("draw_dir: says where to draw, not what; pass --draw=cube or axes")
    if draw != "none" and not (draw_dir or contact_sheet or preview):
        raise RankPoseError(f"draw: pass --draw_dir=FOLDER for the pictures with {draw}")
    if contact_sheet and not out:
        raise RankPoseError("contact_sheet: is made from the poses kept; pass --out=FILE as well")
    if out:
        results.check(out, resume)
    # Without results nothing is gone on with, and what is there is somebody's own.
    goes_on = resume and os.path.exists(out)
    if contact_sheet:
        files.new_file("contact_sheet", contact_sheet, sheet.SUFFIXES, goes_on)
    if preview:
        video.check_window()
    if draw_dir:
        files.new_folder("draw_dir", draw_dir, goes_on)
        drawings.check_folder(sources, draw_dir)


class _Run:
    """One run over pictures and videos: what its parts share."""

    def __init__(self, estimator, look, result_file, draw, batch_size, max_pixels, progress, each):
        self._estimator, self._look, self._draw = estimator, look, draw
        self._result_file, self._each = result_file, each
        self._batch_size, self._max_pixels = batch_size, max_pixels
        self._hide_bars = None if progress is None else not progress
        self._drawings = {}
        self.summary = Summary()

    def draw_into(self, folder, sources):
        """Draws the sources into a folder, each to a file of its own."""
        names = drawings.file_names(sources)
        self._drawings = {source: pathlib.Path(folder, name) for source, name in names.items()}

    def pictures(self, sources):
        """Runs over pictures, several a batch."""
        items = pipeline.items_ahead(
            sources,
            lambda source: pipeline.read_picture(source.path, self._max_pixels),
            self._look,
            threads=min(8, os.cpu_count() or 1),
            most=2 * self._batch_size,
        )
        bar = tqdm.tqdm(total=len(sources), unit="picture", disable=self._hide_bars)
        with contextlib.closing(items), bar:
            predicted = pipeline.poses(items, self._estimator, self._batch_size)
            for source, (item, angles) in zip(sources, predicted, strict=True):
                self._keep(item, angles, range(len(angles)))
                self.summary.pictures += item.reason is None
                if source in self._drawings and item.image is not None:
                    self._draw_picture(self._drawings[source], item, angles)
                bar.update()

    def _draw_picture(self, path, item, angles):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # One face needs no number to be told apart.
            numbers = range(len(angles)) if len(angles) > 1 else [None] * len(angles)
            drawn = self._drawn(item, angles, numbers)
            drawings.write_picture(path, drawn, into=drawings.beside_others)
        except RankPoseError as error:
            logging.warning("%s", error)

    def _drawn(self, item, angles, numbers):
        doubted = [False] * len(angles)
        if item.errors is not None:
            doubted = ExpectedError.from_array(item.errors).doubted
        faces = [
            drawings.DrawnFace(face.box, pose, number, bool(doubt))
            for face, pose, number, doubt in zip(item.faces, angles, numbers, doubted, strict=True)
            if np.all(np.isfinite(pose))
        ]
        return drawings.annotate(item.image, faces, self._draw)

    def video(self, source, smoothing, preview):
        """Runs over a video, stream or camera; one that ends too early keeps what it gave."""
        is_camera = source.kind == CAMERA
        named = int(source.path) if is_camera and source.path.isdecimal() else source.path
        reason = None
        try:
            frames = video.Video(named, self._max_pixels)
            with self._video_writer(source, frames.rate) as write:
                try:
                    self._frames(source, frames, VideoPoses(smoothing), write, preview)
                    reason = frames.shortfall
                except KeyboardInterrupt:
                    # It is how a camera ends, and what was written of it is whole.
                    if not is_camera:
                        raise
                except video.VideoError as error:
                    reason = error.reason
        except video.VideoError as error:
            reason = error.reason
        if reason:
            self._keep(pipeline.Item(streams.shown(source.path), reason=reason), (), ())

    def _video_writer(self, source, rate):
        if source not in self._drawings:
            return contextlib.nullcontext()
        path = self._drawings[source]
        path.parent.mkdir(parents=True, exist_ok=True)
        return video_writer.writer(path, rate)

    def _frames(self, source, frames, tracked, write, preview):
        """Runs over the frames; `write` takes the drawn ones unless it is None."""
        items, batch_size = self._looked_at(source, frames)
        name = pathlib.Path(source.name).name
        bar = tqdm.tqdm(total=frames.frames, unit="frame", desc=name, disable=self._hide_bars)
        with contextlib.closing(items), bar:
            for item, angles in pipeline.poses(items, self._estimator, batch_size):
                # A crop has no box: its face is always where it was.
                boxes = [(0, 0, 1, 1) if box is None else box for box, *_ in item.faces]
                numbers, angles = tracked.smooth(boxes, angles, item.time, item.errors)
                self._keep(item, angles, numbers)
                self.summary.frames += 1
                bar.update()
                drawn = None if item.image is None else self._drawn(item, angles, numbers)
                if write:
                    write(drawn, item.time)
                if preview and not video.show(drawn):
                    return

    def _looked_at(self, source, frames):
        """The frames as items, and how many make a batch."""
        path = streams.shown(source.path)
        items = (pipeline.Item(path, *frame) for frame in frames)
        look = self._look.following()
        if source.kind == CAMERA:
            # Its frames would only wait: they are looked at as they come, one by one.
            return (look(item) for item in items), 1
        most = 2 * self._batch_size
        items = pipeline.items_ahead(items, lambda item: item, look, 1, most)
        return items, self._batch_size

    def _keep(self, item, angles, numbers):
        """Writes the rows of an item, together, and counts it."""
        rows = rows_of(item, angles, numbers)
        self.summary.faces += len(item.faces)
        self.summary.without_face += not item.faces and item.reason is None
        self.summary.failed += item.reason is not None
        if self._result_file:
            self._result_file.write(rows)
        if self._each:
            self._each(rows)


def rows_of(item, angles, numbers):
    """The rows of an item: one a face, or one that says why there is none.

    Args:
      item: `pipeline.Item`, predicted.
      angles: (faces, 3) degrees; yaw, pitch, roll.
      numbers: of the faces.
    """
    place = (item.path, item.frame, item.time)
    rows = [
        _row(place, number, face.box, face.score, pose)
        for number, face, pose in zip(numbers, item.faces, angles, strict=True)
    ]
    if item.errors is not None:
        pairs = zip(rows, item.errors.tolist(), strict=True)
        rows = [row._replace(errors=tuple(errors)) for row, errors in pairs]
    return rows or [results.Row(*place, reason=item.reason or NO_FACE)]


def _row(place, number, box, score, angles):
    """Row of one face with (3,) degrees."""
    row = results.Row(*place, number, None if box is None else tuple(box), score)
    if np.all(np.isfinite(angles)):
        return row._replace(angles=tuple(angles))
    return row._replace(reason=NO_POSE)
