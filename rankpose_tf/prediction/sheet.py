"""The contact sheet: the faces of many pictures, cut out, with names and angles, on one picture."""

import itertools
import pathlib

import numpy as np

from rankpose_tf.core import crop, lettering, pictures
from rankpose_tf.core import draw as drawing
from rankpose_tf.core.expected_error import ExpectedError
from rankpose_tf.prediction import drawings, labels

SUFFIXES = (".png", ".jpg")
# A sheet is for a look: more than this is neither looked at nor held by a viewer.
TILES = 100
_COLUMNS = 10
_SIDE = 200
_LETTER = 13
# Side of what is cut out over the longer side of the face's box.
_AROUND = 1.6
_REASON = (255, 190, 120)


def write_sheet(path, rows, draw, max_pixels):
    """Writes the first faces of a file of results as one picture.

    The pictures are read again, so that a run in several parts gives one sheet. A picture without
    a face is shown whole, one that can't be read as a black tile; both with the reason.

    Args:
      path: .png or .jpg.
      rows: iterable of `results.Row`; those of video frames are left out.
      draw: "axes" or "cube".
      max_pixels: as for `pictures.read`.

    Returns:
      Number of tiles on it; 0 if there were none and nothing was written.
    """
    tiles = list(itertools.islice(_tiles(rows, draw, max_pixels), TILES))
    if tiles:
        drawings.write_picture(path, drawing.grid(tiles, min(_COLUMNS, len(tiles))))
    return len(tiles)


def _tiles(rows, draw, max_pixels):
    """Yields the tile of each row of a picture; those of one picture are neighbours."""
    of_pictures = (row for row in rows if row.frame is None)
    for path, group in itertools.groupby(of_pictures, lambda row: row.path):
        try:
            image = pictures.read(path, max_pixels)
        except pictures.PictureError:
            image = None
        for row in group:
            yield _tile(image, row, draw)


def _tile(image, row, draw):
    """(side + two strips, side, 3): the face, the name below it, and its angles or the reason."""
    strip = lettering.strip_size("", _LETTER)[1]
    tile = np.zeros((_SIDE + 2 * strip, _SIDE, 3), np.uint8)
    name = lettering.shortened(pathlib.Path(row.path).name, _LETTER, _SIDE)
    lettering.draw_strip(tile, name, 0, _SIDE, _LETTER)
    last = _SIDE + strip
    if image is not None:
        shown, box = _cut_out(image, row.box)
        doubted = row.errors is not None and ExpectedError(*row.errors).doubted
        face = drawings.DrawnFace(box, row.angles, doubted=doubted)
        faces = [] if row.angles is None else [face]
        tile[:_SIDE] = drawings.with_poses(shown, faces, draw)
    if row.angles is not None:
        lettering.draw_strip(tile, labels.text_of(row.angles), 0, last, _LETTER)
    elif image is not None:
        reason = lettering.shortened(row.reason or "", _LETTER, _SIDE)
        lettering.draw_strip(tile, reason, 0, last, _LETTER, _REASON)
    else:
        for index, line in enumerate(lettering.wrapped(row.reason or "", _LETTER, _SIDE)):
            lettering.draw_strip(tile[:_SIDE], line, 0, (2 + index) * strip, _LETTER, _REASON)
    return tile


def _cut_out(image, box):
    """The square around a box, or the whole picture, at the tile's size; and the box in it."""
    height, width = image.shape[:2]
    around = (0, 0, width, height) if box is None else box
    square = crop.square_around(around, 1.0 if box is None else _AROUND)
    shown = np.rint(crop.crop_and_resize(image, square, _SIDE)).astype(np.uint8)
    if box is None:
        return shown, None
    scale = _SIDE / (square[2] - square[0])
    return shown, (np.array(box, np.float64) - np.tile(square[:2], 2)) * scale
