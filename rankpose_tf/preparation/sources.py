"""What the readers of all sources share: a folder or a zip read alike, listings, picture checks.

A reader module has two functions. `list_identities` looks at names only and says which views
there are; `read_view` reads one of them and raises `SkippedView` where it is unusable. The first
runs once, the second in many processes.
"""

import dataclasses
import hashlib
import os
import pathlib
import zipfile
import zlib

import numpy as np

from rankpose_tf.core.errors import RankPoseError

BROKEN_PICTURE = "broken picture"
MISSING_PICTURE = "missing picture"
MISSING_LABEL = "missing label"
CORRUPT_LABEL = "corrupt label"
NAN_LABEL = "NaN label"
OUT_OF_RANGE_LABEL = "out-of-range label"
BAD_BOX = "box without area"
DUPLICATE_ROW = "duplicate row"
DUPLICATE_FRAME = "duplicate frame"
LISTED_ONLY = "in the list, not in the source"
NO_FACE = "no face found by MTCNN"
TOO_FEW_VIEWS = "too few views"
HARMLESS = (NO_FACE, TOO_FEW_VIEWS)  # The source is not damaged.

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
# Half a turn, and what float32 adds to pi.
_LARGEST_ANGLE = np.pi + 1e-6
# Pixels; float32 still tells halves of them apart there.
_LARGEST_COORDINATE = 2.0**22


class SkippedView(Exception):
    """A view that cannot be used; its only argument is the reason, one of the names above."""


@dataclasses.dataclass(frozen=True)
class ListedView:
    """A view that is known by name only.

    Attributes:
      path: where the source holds the picture.
      name: what the view is called in records.
      label: what `read_view` of its source needs besides: path of a .mat, or the row's values.
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


class Folder:
    """Files below a folder, by relative path with `/`."""

    def __init__(self, path):
        self._path = pathlib.Path(path)

    def stamps(self):
        """Dict of name -> text that changes with the content, without reading it."""
        found = {}
        for folder, _, names in os.walk(self._path):
            for name in names:
                path = pathlib.Path(folder, name)
                relative = path.relative_to(self._path).as_posix()
                if _is_wanted(relative):
                    found[relative] = file_stamp(path)
        return found

    def read(self, name):
        """Content of one file, bytes.

        Raises:
          OSError: if it cannot be read.
        """
        try:
            return (self._path / name).read_bytes()
        except ValueError as error:  # A NUL in the name.
            raise FileNotFoundError(name) from error

    def close(self):
        """Nothing is held open."""


class Zip:
    """Files in a zip, by their name in it."""

    def __init__(self, path):
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
            raise RankPoseError(
                f"source: {str(path)!r} is no readable zip ({error}); it may be cut short: "
                "download it again"
            ) from error

    def stamps(self):
        """Dict of name -> text that changes with the content, without reading it."""
        return {
            entry.filename: f"{entry.file_size} {entry.CRC:08x}"
            for entry in self._zip.infolist()
            if not entry.is_dir() and _is_wanted(entry.filename)
        }

    def read(self, name):
        """Content of one file, bytes.

        Raises:
          OSError: if the zip is damaged there.
        """
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(f"{name}: {error}") from error
        except RuntimeError as error:
            raise RankPoseError(
                f"source: {name!r} in the zip is encrypted; unpack it with its password and pass "
                "the folder"
            ) from error

    def close(self):
        """Closes the zip."""
        self._zip.close()


def open_source(path):
    """A `Folder` or a `Zip`.

    Raises:
      RankPoseError: if there is nothing at `path`, or it is neither; a tar is not read.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return Folder(path)
    if path.name.lower().endswith((".tar", ".tgz", ".tar.gz")):
        raise RankPoseError(
            f"source: {str(path)!r} is a tar archive, in which no file can be looked up; unpack it "
            "with tar xf, and pass the folder"
        )
    if path.is_file():
        return Zip(path)
    raise RankPoseError(
        f"source: there is nothing at {str(path)!r}; pass a folder, a zip or a manifest"
    )


def _is_wanted(name):
    """Not what a file system or an archiver added: __MACOSX/, ._NAME, .DS_Store."""
    return not any(part == "__MACOSX" or part.startswith(".") for part in name.split("/"))


def file_stamp(path):
    """Size and time of a file, as text; "absent" where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "absent"
    return f"{status.st_size} {status.st_mtime_ns}"


def fingerprint(*parts):
    """Hash of a source's stamps and options; another one means another data set."""
    return hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()


def read_picture(source, name):
    """Picture bytes that the training's decoder reads in full.

    Args:
      source: `Folder` or `Zip`.
      name: of the picture in it.

    Returns:
      Bytes, a JPEG or PNG: the file as it is, or made of another format without loss.

    Raises:
      SkippedView: if the file is absent, cut short or no picture.
    """
    try:
        content = source.read(name)
    except FileNotFoundError as error:
        raise SkippedView(MISSING_PICTURE) from error
    except OSError as error:
        raise SkippedView(BROKEN_PICTURE) from error
    if not content.startswith((_JPEG, _PNG)):
        content = _encoded(content, ".png")
    require_decodable(content)
    return content


def require_decodable(content):
    """Raises SkippedView unless TensorFlow decodes `content`.

    Its decoder is the one that training stops on; OpenCV 4 accepts pictures that are cut short.
    """
    import tensorflow as tf

    from rankpose_tf.data import augment

    try:
        with tf.device("CPU"):
            augment.decode(content)
    except tf.errors.OpError as error:
        raise SkippedView(BROKEN_PICTURE) from error


def upright(content):
    """Applies a picture's EXIF orientation, which TensorFlow's decoder ignores.

    Args:
      content: JPEG or PNG bytes.

    Returns:
      `content` itself where it is upright already; otherwise turned and encoded anew.
    """
    if b"Exif\x00\x00" not in content and b"eXIf" not in content:
        return content
    if np.array_equal(_decoded(content, turned=False), _decoded(content)):
        return content
    return _encoded(content, ".jpg" if content.startswith(_JPEG) else ".png")


def size_of(content):
    """Width and height in pixels of an encoded, upright picture."""
    height, width = _decoded(content).shape[:2]
    return width, height


def _decoded(content, turned=True):
    """(H, W, 3) uint8 BGR, turned as EXIF says or not; SkippedView where it is no picture."""
    # Few pictures come here; without it a process needs less memory.
    import cv2

    flags = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise SkippedView(BROKEN_PICTURE) from error
    if image is None:
        raise SkippedView(BROKEN_PICTURE)
    return image


def _encoded(content, suffix):
    """Decodes and encodes again; at quality 95 a JPEG's second loss is below its first."""
    import cv2

    parameters = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    done, encoded = cv2.imencode(suffix, _decoded(content), parameters)
    if not done:
        raise SkippedView(BROKEN_PICTURE)
    return encoded.tobytes()


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
    """Box as (4,) float32 left, top, right, bottom, or SkippedView where it has no area."""
    box = np.asarray(box, np.float64)
    # NaN is not below the bound either.
    if not np.all(np.abs(box) < _LARGEST_COORDINATE) or np.any(box[2:] <= box[:2]):
        raise SkippedView(BAD_BOX)
    return box.astype(np.float32)
