"""What the readers of all sets share: views as they are listed, reasons, checks of pictures.

A view that can't be used is left out with a reason and counted; nothing stops for it.
"""

import dataclasses
import io
from typing import NamedTuple

import numpy as np

from rankpose_tf.core import boxes, pictures
from rankpose_tf.data import records

BROKEN_PICTURE = pictures.BROKEN
MISSING_PICTURE = "missing picture"
MISSING_LABEL = "missing label"
CORRUPT_LABEL = "corrupt label"
NEW_MATLAB_LABEL = "label in MATLAB's 7.3 format (save it with -v7)"
LONG_ROW = "more cells than columns (a comma as decimal sign?)"
NAN_LABEL = "NaN label"
OUT_OF_RANGE_LABEL = "out-of-range label"
BAD_BOX = "box without area"
SHARE_BOX = "box in shares of the picture (expected pixels)"
THOUSANDS_BOX = "box like 1,024, of thousands or of decimals (write 1024 or 1.024)"
OUTSIDE_BOX = "box outside the picture"
DUPLICATE_ROW = "duplicate row"
DUPLICATE_FRAME = "duplicate frame"
DUPLICATE_PICTURE = "duplicate picture"
LISTED_ONLY = "in the list, not in the source"
NO_FACE = "no face found by MTCNN"
TOO_FEW_VIEWS = "too few views"
HARMLESS = (NO_FACE, TOO_FEW_VIEWS)  # The source is not damaged.

# Half a turn, and what float32 adds to pi.
_LARGEST_ANGLE = np.pi + 1e-6


class SkippedView(Exception):
    """A view that cannot be used; its only argument is the reason, one of the names above."""


def label_without(what):
    """The reason of a label that lacks a variable."""
    return f"label without {what}"


@dataclasses.dataclass(frozen=True)
class ListedView:
    """A view that is known by name only.

    Attributes:
      path: where the source holds the picture.
      name: what the view is called in records.
      label: what `read_view` of its reader needs besides: path of a .mat, or the row's values.
    """

    path: str
    name: str
    label: object


@dataclasses.dataclass(frozen=True)
class ListedIdentity:
    """An identity and its listed views; see `records.Identity`."""

    name: str
    group: str
    views: tuple


class Listing(NamedTuple):
    """What a source holds, as names and tables tell.

    Attributes:
      identities: list of `ListedIdentity`.
      skipped: list of (path, reason) of what cannot be used.
      stamps: dict of name -> text that changes with the content, of all files that play a part.
    """

    identities: list
    skipped: list
    stamps: dict


class Description(NamedTuple):
    """What dataset.json says of a set, beside counts.

    Attributes:
      protocol_set: what reports call the set.
      box_source: what reports call its boxes.
      minimum_views: identities with fewer usable views are left out, unless the user says so.
    """

    protocol_set: str
    box_source: str
    minimum_views: int


def view(listed, image, pose, box):
    """A `records.View`, whose box is checked against its picture.

    Args:
      listed: `ListedView`.
      image: upright, decodable JPEG or PNG bytes.
      pose: (3,) float32 yaw, pitch, roll, radians.
      box: (4,) left, top, right, bottom, pixels; may reach outside the picture.

    Raises:
      SkippedView: if no part of the box is inside.
    """
    if boxes.is_outside(box, *pictures.size(image)):
        raise SkippedView(OUTSIDE_BOX)
    return records.View(listed.name, image, pose, box)


def read_picture(source, name):
    """Picture bytes of which the training's decoder makes what `pictures.read` makes of the file.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      name: of the picture in it.

    Returns:
      Bytes, an upright and opaque JPEG or PNG: the file as it is, or made of another one without
      loss; but a JPEG that is turned stays one: at quality 95 its second loss is below its first.

    Raises:
      SkippedView: if the file is absent, cut short or no picture.
    """
    try:
        content = source.read(name)
        if not pictures.is_plain(content):
            content = _encoded(pictures.read(content), "JPEG" if _is_jpeg(content) else "PNG")
    except FileNotFoundError as error:
        raise SkippedView(MISSING_PICTURE) from error
    except OSError as error:
        raise SkippedView(BROKEN_PICTURE) from error
    except pictures.PictureError as error:
        raise SkippedView(error.kind) from error
    require_decodable(content)
    return content


def require_decodable(content):
    """Raises SkippedView unless TensorFlow decodes `content`.

    A header is all that was looked at. Its decoder is evaluation's and validation's; OpenCV's, with
    which training reads, takes what it takes.
    """
    import tensorflow as tf

    from rankpose_tf.data import square_crops

    try:
        with tf.device("CPU"):
            square_crops.decode(content)
    except tf.errors.OpError as error:
        raise SkippedView(BROKEN_PICTURE) from error


def _is_jpeg(content):
    return content.startswith(b"\xff\xd8\xff")


def _encoded(image, kind):
    """(H, W, 3) uint8 RGB as a file."""
    from PIL import Image

    stream = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def checked_pose(pose):
    """Pose as (3,) float32, or SkippedView where it is no angle.

    Args:
      pose: (3,) yaw, pitch, roll, radians.
    """
    pose = np.asarray(pose, np.float64)
    if not np.all(np.isfinite(pose)):
        raise SkippedView(NAN_LABEL)
    if np.any(np.abs(pose) > _LARGEST_ANGLE):
        raise SkippedView(OUT_OF_RANGE_LABEL)
    return pose.astype(np.float32)


def checked_box(box):
    """Box as (4,) float32 left, top, right, bottom, or SkippedView where it is none in pixels."""
    box = np.asarray(box, np.float64)
    # NaN is not below the bound either.
    if not np.all(np.abs(box) < boxes.LARGEST_COORDINATE) or np.any(box[2:] <= box[:2]):
        raise SkippedView(BAD_BOX)
    if boxes.in_shares(box):
        raise SkippedView(SHARE_BOX)
    return box.astype(np.float32)
