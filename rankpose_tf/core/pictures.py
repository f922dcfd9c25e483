"""Pictures of every kind -> upright RGB arrays, or the reason why not: the package's one reader.

Pillow reads files: it tells the size before anything is decoded, refuses files that are cut short,
and knows EXIF, CMYK, palettes and 16 bits. What comes out is always (H, W, 3) uint8 RGB:

    EXIF rotation        applied, the picture is upright
    greyscale            three equal channels
    transparency         over black, which is also what training sees beside a picture
    CMYK                 converted without a colour profile
    16 bits, colours     the upper 8
    16 bits, grey        the upper 8 of the least of 8, 10, 12, 14 or 16 that hold its values:
                         cameras of 12 bits, say, leave the upper 4 empty
    HEIC                 with the extra [heic], which brings pillow-heif
    animations           the first frame
    several pages        the first page

Refused: a file that is absent, damaged or cut short, of another format than `FORMATS`, of
floating-point or 32-bit values, or of more than `max_pixels`.
"""

import io
import math
import os
import pathlib
import re
import urllib.parse
import urllib.request

import numpy as np

from rankpose_tf.core import advice, heic
from rankpose_tf.core.errors import RankPoseError

MAX_PIXELS = 100_000_000
# What Pillow refuses by itself begins above it. To lift that is to lift it for the whole process,
# and so for files that a program reads without us.
LARGEST_MAX_PIXELS = 178_956_970
# Named, because Pillow also knows formats that run other programs, such as PostScript.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")
_NAMES = "JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF, HEIC or JPEG 2000"
# Bits that cameras and microscopes fill of 16.
_GREY_BITS = (8, 10, 12, 14, 16)
# Modes of a JPEG or PNG that every decoder makes the same 8-bit RGB of.
_PLAIN_MODES = ("RGB", "L", "P", "1")
_ORIENTATION = 0x0112
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|data):", re.IGNORECASE)

# Letters of a path in Linux, and those that a message has of a longer text.
_LONGEST_PATH, _LONG = 4096, 80
# Pixels that are copied at a time.
_STRIP = 4_000_000
# Bytes that tell what a file is.
_HEAD = 512

# Why a picture can't be read, in words that all such files share.
BROKEN = "broken picture"
TOO_LARGE = "picture of too many pixels"
UNKNOWN_WHITE = "picture of 32 bits or floating point"
NO_HEIC = f"HEIC picture ({heic.MISSING} to read it)"

# What the face sets hold.
_JPEG_OR_PNG = (".jpg", ".jpeg", ".png")


def is_jpeg_or_png(name):
    """Whether a name ends like a picture of the face sets."""
    return name.lower().endswith(_JPEG_OR_PNG)


class PictureError(RankPoseError):
    """A picture that can't be read.

    Attributes:
      reason: why, in words that fit into a table.
      kind: the same in words that all such files share, to count them by.
    """

    def __init__(self, where, reason, kind=BROKEN):
        super().__init__(f"image: {where}: {reason}")
        self.reason = reason
        self.kind = kind


def read(source, max_pixels=MAX_PIXELS):
    """Reads a picture file.

    Args:
      source: path or file: URL, the file's content as bytes, or a file that is open for bytes.
      max_pixels: nothing larger is decoded, and nothing above `LARGEST_MAX_PIXELS`.

    Returns:
      (H, W, 3) uint8 RGB.

    Raises:
      PictureError: if it can't be read; `reason` says why.
    """
    if hasattr(source, "read"):
        where = type(source).__name__
        try:
            source = source.read()
        except (OSError, ValueError) as error:  # It is closed, or was opened to write.
            raise PictureError(where, f"gives no bytes: {error}") from error
        if not isinstance(source, bytes):
            raise PictureError(where, "gives no bytes; open the file with 'rb', or pass its path")
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(io.BytesIO(source), f"{len(source)} bytes", max_pixels)
    path = _path(source)
    try:
        if path.is_symlink() and not path.exists():
            raise PictureError(path, "is a link to nothing")
        # A pipe or a device would be waited for, perhaps for ever.
        if path.exists() and not path.is_file():
            raise PictureError(path, "is a folder" if path.is_dir() else "is no regular file")
        with open(path, "rb") as stream:
            return _read(stream, path, max_pixels)
    except (OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        reason = os.strerror(error.errno) if getattr(error, "errno", None) else str(error)
        raise PictureError(path, f"can't be opened: {reason}") from error


def _path(source):
    """`pathlib.Path` of the text of a path or of a file: URL; PictureError where it is neither."""
    text = os.fsdecode(source)
    if not text:
        raise PictureError("''", "is no path")
    if _ADDRESS.match(text):
        reason = "is an address, and nothing is fetched; download it, and pass the file"
        raise PictureError(text[:_LONG], reason)
    if len(text) > _LONGEST_PATH:
        reason = f"is a text of {len(text)} letters, no path; of base64 pass base64.b64decode(text)"
        raise PictureError(f"{text[:_LONG]}...", reason)
    if text.lower().startswith("file:"):
        text = urllib.request.url2pathname(urllib.parse.urlsplit(text).path)
    if text.startswith("~") and "\0" not in text and not os.path.exists(text):
        # The method of pathlib raises where there is no such user.
        text = os.path.expanduser(text)
    return pathlib.Path(text)


def is_file(image):
    """Whether it is what `read` takes: a path, a file's content, or an open file."""
    known = isinstance(image, str | os.PathLike | bytes | bytearray | memoryview)
    return known or hasattr(image, "read")


def to_array(image, argument):
    """A picture of any kind that the package takes.

    Args:
      image: what `read` takes, a picture of Pillow's, or an array as for `checked`.
      argument: the name under which the caller received it.

    Returns:
      (H, W, 3) uint8 RGB.

    Raises:
      PictureError: for a file that can't be read.
      RankPoseError: for an array of another shape or type, or something else.
    """
    if is_file(image):
        return read(image)
    return of_pillow(image, argument) if is_pillow(image) else checked(image, argument)


def is_plain(content):
    """Whether any decoder makes of a file what `read` makes of it.

    Args:
      content: of the file, bytes.

    Returns:
      True for a JPEG or PNG of RGB, grey or a palette, upright, opaque, and within `MAX_PIXELS`,
      as its header says; whether it is whole is not looked at.
    """
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
        plain = image.mode in _PLAIN_MODES and not image.has_transparency_data
    except Exception:  # Decoders report damage by many types.
        return False
    return plain and math.prod(image.size) <= MAX_PIXELS and not _is_turned(image)


def size(content):
    """Width and height in pixels of a file for which `is_plain` holds, by its header alone."""
    from PIL import Image

    return Image.open(io.BytesIO(content)).size


def is_pillow(image):
    """Whether it is a picture of Pillow's, which is not imported for it."""
    return hasattr(image, "getbands") and hasattr(image, "info")


def of_pillow(image, argument):
    """(H, W, 3) uint8 RGB of a picture of Pillow's, taken as a file is: upright, over black.

    Raises:
      PictureError: as for `read`.
    """
    try:
        image.load()
    except Exception as error:  # Decoders report damage by many types.
        raise PictureError(argument, f"is damaged: {_sentence(error)}") from error
    return _pixels(_rgb(image, argument))


def checked(image, argument):
    """A picture that was given as an array.

    Args:
      image: (H, W, 3) uint8 RGB.
      argument: the name under which the caller received it.

    Returns:
      The array.

    Raises:
      RankPoseError: for another shape or type, or no pixels; it says how to convert it.
    """
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape or array.dtype != np.uint8:
        raise RankPoseError(
            f"{argument}: expected RGB of shape (H, W, 3) and type uint8, received {array.shape} "
            f"{array.dtype}; {advice.of_array(image, array)}"
        )
    return array


def _read(stream, where, max_pixels):
    """As `read`, from an open file."""
    from PIL import Image, UnidentifiedImageError

    try:
        is_heic = heic.is_heic(stream.read(heic.HEAD))
        stream.seek(0)
        image = heic.open_picture(stream) if is_heic else Image.open(stream, formats=FORMATS)
    except RankPoseError as error:
        raise PictureError(where, str(error), NO_HEIC) from error
    except UnidentifiedImageError as error:
        stream.seek(0)
        known = advice.of_file(stream.read(_HEAD))
        unknown = f"is no {_NAMES} picture, or its header is damaged"
        raise PictureError(where, known or unknown) from error
    except Image.DecompressionBombError as error:
        raise PictureError(where, f"is too large: {_sentence(error)}", TOO_LARGE) from error
    except Exception as error:  # Decoders report damage by many types.
        raise PictureError(where, f"is damaged: {_sentence(error)}") from error
    if told := advice.of_raw(image):
        raise PictureError(where, told)
    width, height = image.size
    if width * height > max_pixels:
        reason = f"has {width} x {height} pixels, more than the limit of {max_pixels}"
        raise PictureError(where, reason, TOO_LARGE)
    try:
        image.load()
    except Exception as error:
        raise PictureError(where, f"is damaged: {_sentence(error)}") from error
    return _pixels(_rgb(image, where))


def _pixels(image):
    """(H, W, 3) uint8 of a picture of mode RGB, copied in strips: NumPy alone copies it thrice."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        end = min(top + rows, height)
        pixels[top:end] = image.crop((0, top, width, end))
    return pixels


def _sentence(error):
    return " ".join(str(error).split()) or type(error).__name__


def _upright(image):
    """Turned as its EXIF says; a picture whose EXIF can't be read is taken as it is."""
    from PIL import ImageOps

    # Pillow would copy one that is upright.
    if not _is_turned(image):
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # The colours are whole; a damaged note about them is no reason to refuse.
        return image


def _is_turned(image):
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except Exception:  # Then it is taken as it is.
        return False


def _rgb(image, where):
    """Any mode of Pillow's -> mode RGB, upright."""
    from PIL import Image

    # A PPM says itself what is white, and Pillow makes 65535 of it.
    is_ppm, image = image.format == "PPM", _upright(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and is_ppm):
        grey = _upper_bits(np.asarray(image), 16 if is_ppm else None)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        reason = "has values of 32 bits or floating point, whose black and white are unknown"
        raise PictureError(where, reason, UNKNOWN_WHITE)
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _upper_bits(values, bits=None):
    """(H, W) grey of `bits` bits -> uint8; by default the least of `_GREY_BITS` that do."""
    bits = bits or next(bits for bits in _GREY_BITS if values.max() < 2**bits)
    return (values >> (bits - 8)).astype(np.uint8)
