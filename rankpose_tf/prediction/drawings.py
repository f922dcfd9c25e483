"""Pictures with the poses drawn on them: one by one, and the first of them on one sheet."""

import itertools
import pathlib

import cv2
import numpy as np

from rankpose_tf.core import draw as drawing
from rankpose_tf.core import files, pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError

DRAWINGS = ("axes", "cube", "none")
SHEET_SUFFIXES = (".png", ".jpg")
# A sheet is for a look: more than this is neither looked at nor held by a viewer.
SHEET_PICTURES = 100
_SHEET_COLUMNS = 10
_TILE = 160
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe")


def annotate(image, faces, draw):
    """Draws a pose at the centre of each face, in grey where the model doubts it.

    Args:
      image: (H, W, 3) uint8 RGB; left as it is.
      faces: sequence of (box (4,) pixels, or None for the whole picture; angles (3,) degrees; and
        perhaps whether it is doubted).
      draw: "axes" or "cube".

    Returns:
      (H, W, 3) uint8 RGB.
    """
    for box, angles, *doubted in faces:
        before = image
        height, width = image.shape[:2]
        box = np.array([0, 0, width, height] if box is None else box, np.float64)
        side = (box[2:] - box[:2]).max()
        # Not further out than cv2's 32-bit coordinates reach.
        centre = np.clip((box[:2] + box[2:]) / 2, -width, 2 * np.array([width, height]))
        side = min(side, 2.0 * max(width, height))
        if draw == "cube":
            image = drawing.draw_cube(image, angles, centre, 0.8 * side)
        else:
            image = drawing.draw_axes(image, angles, centre, 0.6 * side)
        if any(doubted):
            image = drawing.greyed(before, image)
    return image


def write_picture(path, image):
    """Writes (H, W, 3) uint8 RGB to a .png or .jpg file, whole or not at all.

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
    with files.replaced(path) as beside:
        beside.write_bytes(content.tobytes())


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
        number, candidate = 1, name.with_name(stem + suffix)
        # Some file systems take A.png and a.png for one.
        while str(candidate).lower() in taken:
            number += 1
            candidate = name.with_name(f"{stem}-{number}{suffix}")
        taken.add(str(candidate).lower())
        names[source] = candidate
    return names


def write_sheet(path, rows, draw, max_pixels):
    """Writes the first pictures of a file of results as one, poses drawn on them.

    The pictures are read again, so that a run in several parts gives one sheet.

    Args:
      path: .png or .jpg.
      rows: iterable of `results.Row`; those of video frames are left out.
      draw: "axes" or "cube".
      max_pixels: as for `pictures.read`.

    Returns:
      Number of pictures on it; 0 if there were none and nothing was written.
    """
    tiles = []
    for picture, faces in _by_picture(rows):
        if len(tiles) == SHEET_PICTURES:
            break
        try:
            image = pictures.read(picture, max_pixels)
        except pictures.PictureError:
            continue
        tiles.append(_tile(annotate(image, faces, draw)))
    if tiles:
        write_picture(path, drawing.grid(tiles, min(_SHEET_COLUMNS, len(tiles))))
    return len(tiles)


def _by_picture(rows):
    """Yields (path, list of (box, angles)) of the rows of pictures, which are neighbours."""
    of_pictures = (row for row in rows if row.frame is None)
    for path, group in itertools.groupby(of_pictures, lambda row: row.path):
        yield path, [
            (row.box, row.angles, row.errors is not None and ExpectedError(*row.errors).doubted)
            for row in group
            if row.angles is not None
        ]


def _tile(image):
    """The picture, fitted whole into a square with black beside it."""
    height, width = image.shape[:2]
    scale = _TILE / max(height, width)
    size = [max(1, round(length * scale)) for length in (width, height)]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((_TILE, _TILE, 3), np.uint8)
    top, left = (_TILE - size[1]) // 2, (_TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile
