"""Where the face is in a frame of BIWI, which itself says only where the head's centre is.

Three sources, named by `--boxes`:

FILE.csv   a list of frames with the boxes that peers publish, such as the usual 13,219:

               image,x,y,width,height
               01/frame_00003_rgb.png,270,177,146,180

           x and y are the left and upper edge in pixels; further columns are not read. Each box is
           one of MTCNN with a margin of 0.4 of its width and height on every side. The margin is
           taken off again, and the rest becomes a landmark box by the rule for MTCNN's boxes
           without its points (docs/detection.md): moved down 0.112 of the longer side, and a
           square of 0.815 of it.
mtcnn      MTCNN run here, with the rule of `landmark_rule.MTCNN_RULE`. Frames without a face
           are left out and counted.
head       a square of 150 mm around the head's centre from pose.txt, projected by rgb.cal. It
           looks at the label, and is there so that no frame has to be left out.
"""

import functools
import hashlib
import math
import pathlib
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import extras, pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import detection
from rankpose_tf.preparation import table_rows, views

MTCNN, HEAD = "mtcnn", "head"

_MARGIN = 0.4
_LIST_RULE = detection.Rule(((0.0, 0.112, 0.815),))
# Side of the landmark box over the distance of the head's centre, as MTCNN's rule gives it.
_FACE_MM = 150.0
_COLUMNS = ("image", "x", "y", "width", "height")
# Of the frames and boxes of the list that FSA-Net's authors and most since them test on.
_USUAL_LIST = "c3106ffd7179707ab54f33630d15136a"


class FrameList(NamedTuple):
    """A list of frames with their boxes.

    Attributes:
      boxes: dict of frame, `01/frame_00003` -> (x, y, width, height) of its row, pixels.
      skipped: list of (image, reason) of rows that cannot be used.
      name: what reports call the list.
      fingerprint: differs if a frame or box differs.
    """

    boxes: dict
    skipped: list
    name: str
    fingerprint: str


def read_list(path):
    """Reads a list of frames; the module's docstring has its format.

    Args:
      path: of the .csv file.

    Returns:
      `FrameList`.

    Raises:
      RankPoseError: if it is no such file, or a column is missing.
    """
    path = pathlib.Path(path)
    try:
        table = table_rows.parse(path.name, path.read_bytes())
    except (OSError, ValueError) as error:
        raise RankPoseError(
            f"boxes: {str(path)!r} could not be read as a table ({error}); pass a list of frames, "
            f"--boxes={MTCNN} or --boxes={HEAD}"
        ) from error
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        raise RankPoseError(
            f"boxes: {str(path)!r} lacks {', '.join(missing)}; expected {', '.join(_COLUMNS)}, "
            f"received {', '.join(table.columns) or 'nothing'}"
        )
    return _frame_list(path.name, [row for _, row in table.rows])


def _frame_list(name, rows):
    boxes, skipped, seen = {}, [], hashlib.md5(usedforsecurity=False)
    for row in rows:
        values = [table_rows.text(row, column) for column in _COLUMNS]
        seen.update((" ".join(values) + "\n").encode(errors="replace"))
        frame = frame_of(values[0])
        try:
            if frame in boxes:
                raise views.SkippedView(views.DUPLICATE_ROW)
            boxes[frame] = _box(table_rows.numbers(values[1:], views.BAD_BOX))
        except views.SkippedView as reason:
            skipped.append((values[0], str(reason)))
    fingerprint = seen.hexdigest()
    name = "the usual list" if fingerprint == _USUAL_LIST else name
    return FrameList(boxes, skipped, name, fingerprint)


def frame_of(image):
    """`hpdb/01/frame_00003_rgb.png` -> `01/frame_00003`."""
    return "/".join(image.replace("\\", "/").split("/")[-2:]).removesuffix("_rgb.png")


def _box(values):
    """(x, y, width, height) of a row; SkippedView where they are no box."""
    x, y, width, height = values
    if not (math.isfinite(x + y) and 0 < width < math.inf and 0 < height < math.inf):
        raise views.SkippedView(views.BAD_BOX)
    return x, y, width, height


def from_list(x, y, width, height):
    """Landmark box of a row of the list.

    Args:
      x, y: left and upper edge of its box, with the margin; pixels.
      width, height: of that box.

    Returns:
      (4,) float64 left, top, right, bottom, pixels.
    """
    margin = np.array([width, height]) * _MARGIN / (1 + 2 * _MARGIN)
    tight = np.concatenate([(x, y) + margin, (x + width, y + height) - margin])
    return detection.landmark_box(tight, np.zeros((0, 2)), _LIST_RULE)


def around_head(centre, camera):
    """Square around the projected centre of the head.

    Args:
      centre: (3,) mm, in the depth camera's frame.
      camera: `biwi_cameras.Camera`.

    Returns:
      (4,) float64 left, top, right, bottom, pixels.

    Raises:
      views.SkippedView: if the head is not in front of the camera.
    """
    pixels, distance = camera.project(centre)
    if not distance > 0:
        raise views.SkippedView(views.BAD_BOX)
    half = 0.5 * _FACE_MM * camera.intrinsics[0, 0] / distance
    return np.concatenate([pixels - half, pixels + half])


def require_mtcnn():
    """Tells of a missing package before any file is begun.

    Raises:
      RankPoseError: if mtcnn is not installed.
    """
    extras.find("mtcnn", "detect", "boxes", "pass a list of frames")


def from_mtcnn(content):
    """Landmark box of the main face that MTCNN finds.

    Args:
      content: picture bytes.

    Returns:
      (4,) float64 left, top, right, bottom, pixels.

    Raises:
      views.SkippedView: if it finds none.
    """
    image = pictures.read(content)
    detections = _detector()(image)
    if not detections:
        raise views.SkippedView(views.NO_FACE)
    return detection.main_face(detections, image.shape[1], image.shape[0]).box


@functools.lru_cache(maxsize=1)
def _detector():
    """One network for all frames of a process."""
    return detection.mtcnn()
