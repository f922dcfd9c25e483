"""Pictures with the poses drawn on them, and how they are called."""

import contextlib
import filecmp
import os
import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from rankpose_tf.core import draw as drawing
from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import labels, streams

DRAWINGS = ("cube", "axes", "none")
USUAL = "cube"
# Of the box' longer side: an edge of the cube, and an axis.
_CUBE, _AXIS = 0.8, 0.5
_SIDE_OVER_LINE = 75
# A picture of 4,000 pixels is looked at on a screen of 1,500 or so.
_LONGEST_OVER_LINE = 1500
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe")


class DrawnFace(NamedTuple):
    """What is drawn of one face.

    Attributes:
      box: (4,) left, top, right, bottom, pixels; None for a face that is the whole picture.
      angles: (3,) degrees; yaw, pitch, roll.
      number: of the face in its picture or video; None to leave it out.
      doubted: whether the model expects the pose to be far off; it is drawn in grey then.
    """

    box: np.ndarray | tuple | None
    angles: np.ndarray | tuple
    number: int | None = None
    doubted: bool = False


def annotate(image, faces, draw):
    """Draws each face: a thin box, the pose at its centre, number and angles on a dark strip.

    Sizes go by the face, but not below what is seen when the whole picture is looked at. Where a
    picture has no room for the strip the words are left out, then the strip.

    Args:
      image: (H, W, 3) uint8 RGB; left as it is.
      faces: sequence of `DrawnFace`.
      draw: "axes" or "cube".

    Returns:
      (H, W, 3) uint8 RGB.
    """
    drawn = with_poses(image, faces, draw)
    # Last, so that no line crosses what is to be read.
    labels.write_labels(drawn, faces)
    return drawn


def with_poses(image, faces, draw):
    """As `annotate`, without the strips."""
    drawn = image.copy()
    for face in faces:
        _put_pose(drawn, face, draw)
    return drawn


def _put_pose(image, face, draw):
    height, width = image.shape[:2]
    box = np.array([0, 0, width, height] if face.box is None else face.box, np.float64)
    side = (box[2:] - box[:2]).max()
    # Not further out than cv2's 32-bit coordinates reach.
    limit = np.array([width, height] * 2)
    centre = np.clip((box[:2] + box[2:]) / 2, -limit[:2], 2 * limit[:2])
    side = min(side, 2.0 * max(width, height))
    least = max(width, height) / _LONGEST_OVER_LINE
    thickness = max(1, round(max(side / _SIDE_OVER_LINE, least)))
    if face.box is not None:
        thin = max(1, round(thickness / 3))
        drawing.put_box(image, np.clip(box, -limit, 2 * limit), thin)
    before = image.copy() if face.doubted else None
    if draw == "cube":
        drawing.put_cube(image, face.angles, centre, _CUBE * side, thickness)
    else:
        drawing.put_axes(image, face.angles, centre, _AXIS * side, thickness)
    if face.doubted:
        image[:] = drawing.greyed(before, image)


def write_picture(path, image, into=files.replaced):
    """Writes (H, W, 3) uint8 RGB to a .png or .jpg file, whole or not at all.

    Args:
      path: of the file.
      image: as above.
      into: `files.replaced`, or `beside_others`.

    Raises:
      RankPoseError: if the format can't hold the picture.
    """
    suffix = pathlib.Path(path).suffix
    try:
        done, content = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise RankPoseError(
            f"draw: {str(path)!r} can't hold a picture of {width} x {height} pixels; leave it out"
        )
    with into(path) as beside:
        beside.write_bytes(content.tobytes())


class _Again(Exception):
    """A drawing that is there already, byte for byte."""


@contextlib.contextmanager
def beside_others(path):
    """As `files.replaced`, but no file is replaced: where `path` is taken it gets -2, -3, ...

    A run that goes on makes its last drawing again: if it is the same, it is kept once. Of a video
    the encoder now and then gives other bytes, and it is there twice.
    """
    free, others = pathlib.Path(path), []
    while os.path.lexists(free):
        others.append(free)
        free = _numbered(pathlib.Path(path), len(others) + 1)
    with contextlib.suppress(_Again), files.replaced(free) as beside:
        yield beside
        if any(os.path.isfile(one) and filecmp.cmp(beside, one, shallow=False) for one in others):
            raise _Again


def _numbered(path, number):
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def check_folder(sources, folder):
    """Refuses a folder where a drawing has the place of its own picture, or can't be written.

    Args:
      sources: sequence of `inputs.Source`.
      folder: for the drawings.

    Raises:
      RankPoseError: names the first such file, or the folder.
    """
    # Files are written under their whole path, wherever the command runs.
    if not streams.is_utf8(os.path.abspath(folder)) and any(s.kind != "picture" for s in sources):
        raise RankPoseError(
            f"draw_dir: expected a folder whose name is UTF-8, since videos are drawn, received "
            f"{os.path.abspath(folder)!r}; pass another folder"
        )
    places = [pathlib.Path(folder, name) for name in file_names(sources).values()]
    # Links, and file systems that take A.png and a.png for one, give a file several paths.
    there = {_identity(place): place for place in places} if os.path.isdir(folder) else {}
    there.pop(None, None)
    for source in sources if there else ():
        place = there.get(_identity(source.path))
        if place is not None and source.kind != "camera":
            raise RankPoseError(
                f"draw_dir: expected a folder for drawings alone, received {str(folder)!r}, where "
                f"{str(place)!r} is to be looked at itself; pass a new folder"
            )


def _identity(path):
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def file_names(sources):
    """Names for the drawings of pictures and videos, different for all.

    Args:
      sources: sequence of `inputs.Source`.

    Returns:
      Dict of source -> relative path; .jpg stays .jpg, other pictures are
      written as .png, videos and cameras as .mp4. A name that is taken gets -2, -3, ...
    """
    taken, names = set(), {}
    for source in sources:
        name = pathlib.PurePath(source.name)
        if source.kind != "picture":
            suffix = ".mp4"
        else:
            suffix = ".jpg" if name.suffix.lower() in _JPEG_SUFFIXES else ".png"
        stem = name.name if source.kind == "camera" else name.stem
        number, first = 1, name.with_name(stem + suffix)
        candidate = first
        # Some file systems take A.png and a.png for one.
        while str(candidate).lower() in taken:
            number += 1
            candidate = _numbered(first, number)
        taken.add(str(candidate).lower())
        names[source] = candidate
    return names
