"""How fast pictures, folders and videos are predicted, and what the package adds to the network."""

import concurrent.futures
import itertools
import os
import pathlib
import statistics
import tempfile
import time

import cv2
import numpy as np

from rankpose_tf.core import pictures, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import synthetic
from rankpose_tf.inference import detection
from rankpose_tf.prediction import inputs, video, video_writer
from rankpose_tf.prediction import run as prediction

_ROUNDS = 5
_CALLS = 300
_FRAMES = 150
_FRAME_SIZE = (640, 480)


def measure(estimator, images=None, count=1000):
    """All three figures.

    Args:
      estimator: `PoseEstimator`.
      images: folder of pictures with a face each; None renders heads. A video is made of the
        first in which a face is found.
      count: pictures of the folder to run over; a smaller folder is gone through again.

    Returns:
      JSON-able dict: overhead, folder, video, as from the functions below.

    Raises:
      RankPoseError: if the folder has no picture.
    """
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        paths = _pictures(images, scratch)
        return {
            "overhead": overhead(estimator),
            "folder": folder(estimator, paths, count, scratch),
            "video": moving_face(estimator, paths, scratch),
        }


def _pictures(images, scratch):
    """Paths of the folder's pictures, or of rendered heads in one."""
    if images is None:
        images = scratch / "heads"
        images.mkdir()
        for index in range(50):
            head = synthetic.render(index, (0.02 * index - 0.5, 0.1, 0.0), 450)[0]
            cv2.imwrite(str(images / f"{index:03}.jpg"), head[..., ::-1])
    paths = [source.path for source in inputs.expand([str(images)]) if source.kind == "picture"]
    if not paths:
        raise RankPoseError(f"images: {str(images)!r} holds no picture; pass a folder of them")
    return paths


def overhead(estimator):
    """Milliseconds of `predict` for one decoded picture, and of the network in it.

    Returns:
      Dict of case -> {predict, network, overhead}: medians; the calls take turns.
    """
    scene, box = synthetic.render(1, (0.3, 0.1, 0.0), 450)
    side = estimator.input_size
    cases = {
        "450x450 picture with a box": (scene, box),
        "120x120 crop": (cv2.resize(scene, (120, 120), interpolation=cv2.INTER_AREA), None),
        f"{side}x{side} crop": (cv2.resize(scene, (side, side)), None),
    }
    milliseconds = {}
    for name, (picture, face) in cases.items():
        crop = estimator.crop(picture, face)[np.newaxis]
        # A face moves: no crop of a scene is like the one before.
        places = itertools.count() if face is not None else itertools.repeat(0)

        def predict(picture=picture, face=face, places=places):
            moved = None if face is None else face + 0.01 * next(places)
            return estimator.predict(picture, moved)

        whole, network = _taking_turns(predict, lambda crop=crop: estimator.network(crop))
        milliseconds[name] = {"predict": whole, "network": network, "overhead": whole - network}
    return milliseconds


def _taking_turns(*functions):
    """Median milliseconds of each function."""
    times = [[] for _ in functions]
    for _ in range(_CALLS):
        for function, spent in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            spent.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(spent) for spent in times]


def folder(estimator, paths, count, scratch):
    """Pictures a second of face crops, against the least that could be done.

    The reference reads and decodes the files in as many threads as the run does, while the
    network runs over as many crops: both at once, and nothing else.

    Returns:
      Dict: pictures, reference and run (pictures a second, median of rounds that take turns),
      share (run over reference).
    """
    paths = (paths * -(-count // len(paths)))[:count]
    sources = [source for path in paths for source in inputs.expand([path])]
    crops = np.zeros((prediction.BATCH_SIZE, *[estimator.input_size] * 2, 3), np.uint8)

    def network():
        for start in range(0, count, len(crops)):
            estimator.predict_crops(crops[: count - start])

    def reference():
        threads = min(8, os.cpu_count() or 1)
        with concurrent.futures.ThreadPoolExecutor(threads + 1) as pool:
            predicting = pool.submit(network)
            for picture in pool.map(pictures.read, paths):
                del picture
            predicting.result()

    def run(number):
        out = scratch / f"poses{number}.csv"
        prediction.run(sources, estimator, out=out, crops=True, progress=False)

    times = {"reference": [], "run": []}
    for number in range(_ROUNDS):
        for name, call in (("reference", reference), ("run", lambda n=number: run(n))):
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    rates = {name: count / statistics.median(spent) for name, spent in times.items()}
    return {"pictures": count, **rates, "share": rates["run"] / rates["reference"]}


def moving_face(estimator, paths, scratch):
    """Frames a second of a 640x480 video: decoding, detection, pose, drawing and encoding.

    Returns:
      Dict: frames, faces (found in them), frames_per_second (median of rounds).
    """
    detector = detection.for_video()
    path = scratch / "video.mp4"
    _write_video(path, _with_a_face(paths, detector))
    rates = []
    for number in range(_ROUNDS):
        start = time.perf_counter()
        summary = prediction.run(
            inputs.expand([str(path)]),
            estimator,
            out=scratch / f"video{number}.csv",
            detector=detector,
            draw="axes",
            draw_dir=scratch / f"drawn{number}",
            progress=False,
        )
        rates.append(summary.frames / (time.perf_counter() - start))
    return {
        "frames": summary.frames,
        "faces": summary.faces,
        "frames_per_second": statistics.median(rates),
    }


def _with_a_face(paths, detector):
    """The first picture with one face, or the first."""
    for path in paths[:50]:
        picture = pictures.read(path)
        if len(detector(picture)) == 1:
            return picture
    return pictures.read(paths[0])


def _write_video(path, picture):
    """The picture moves to and fro in front of grey, with a camera's noise."""
    width, height = _FRAME_SIZE
    scale = min(height, width) / max(picture.shape[:2])
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    generator = np.random.default_rng(0)
    with video_writer.writer(path, video.USUAL_RATE) as write:
        for index in range(_FRAMES):
            frame = np.full((height, width, 3), 128, np.int16)
            left = round((width - picture.shape[1]) * (0.5 + 0.5 * np.sin(index / 20)))
            frame[: picture.shape[0], left : left + picture.shape[1]] = picture
            frame += generator.integers(-6, 7, frame.shape, np.int16)
            write(np.clip(frame, 0, 255).astype(np.uint8))


def table(figures):
    """The figures as text for a terminal."""
    columns = ("predict", "network", "overhead")
    rows = [(n, *(f"{row[k]:.2f}" for k in columns)) for n, row in figures["overhead"].items()]
    crops, frames = figures["folder"], figures["video"]
    lines = [
        tables.aligned(("one picture, milliseconds", *columns), rows),
        "",
        f"folder of {crops['pictures']} crops: {crops['run']:.0f} pictures a second, "
        f"{crops['share']:.0%} of reading and network alone, overlapped "
        f"({crops['reference']:.0f})",
        f"video 640x480: {frames['frames_per_second']:.1f} frames a second with detection, pose "
        f"and drawing; {frames['faces']} faces in {frames['frames']} frames",
    ]
    return "\n".join(lines)
