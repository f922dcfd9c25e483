"""Picture files -> upright RGB arrays, or the reason why not.

Pillow reads them: it tells the size before anything is decoded, refuses files that are cut short,
and knows EXIF, CMYK, palettes and 16 bits. What comes out is always (H, W, 3) uint8 RGB:

    EXIF rotation        applied, the picture is upright
    greyscale            three equal channels
    transparency         over black, which is also what training sees beside a picture
    CMYK                 converted without a colour profile
    16 bits              the upper 8
    animations           the first frame
    several pages        the first page

Refused: a file that is absent, damaged or cut short, of another format than `FORMATS`, of
floating-point or 32-bit values, or of more than `max_pixels`.
"""

import io
import os
import pathlib

import numpy as np

from rankpose_tf.core.errors import RankPoseError

MAX_PIXELS = 100_000_000
# Named, because Pillow also knows formats that run other programs, such as PostScript.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")
_NAMES = "JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF or JPEG 2000"

# What the face sets hold.
_JPEG_OR_PNG = (".jpg", ".jpeg", ".png")


def is_jpeg_or_png(name):
    """Whether a name ends like a picture of the face sets."""
    return name.lower().endswith(_JPEG_OR_PNG)


class PictureError(RankPoseError):
    """A picture that can't be read.

    Attributes:
      reason: why, in words that fit into a table.
    """

    def __init__(self, where, reason):
        super().__init__(f"image: {where}: {reason}")
        self.reason = reason


def read(source, max_pixels=MAX_PIXELS):
    """Reads a picture file.

    Args:
      source: path, or the file's content as bytes.
      max_pixels: nothing larger is decoded.

    Returns:
      (H, W, 3) uint8 RGB.

    Raises:
      PictureError: if it can't be read; `reason` says why.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(io.BytesIO(source), f"{len(source)} bytes", max_pixels)
    path = pathlib.Path(source)
    if str(source).startswith("~") and not path.exists():
        path = path.expanduser()
    try:
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
    return np.array(_rgb(_upright(image), argument))


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
            f"{array.dtype}; {_advice(array)}"
        )
    return array


def _advice(array):
    """What to do about an array that is no picture."""
    if array.dtype == object:
        return "pass an array or the path of a file"
    if array.ndim == 2:
        return "of a grey picture make np.stack([image] * 3, axis=-1)"
    if array.ndim == 3 and array.shape[2] == 1:
        return "of a grey picture make np.repeat(image, 3, axis=2)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "leave the fourth channel (transparency) away: image[..., :3]"
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype != np.uint8:
        return (
            "round values of 0..255 with np.rint(image).astype(np.uint8), and multiply values of "
            "0..1 by 255 before"
        )
    return "several pictures of one size are (B, H, W, 3), of many sizes a list"


def _read(stream, where, max_pixels):
    """As `read`, from an open file."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        known = f"is empty or no {_NAMES} picture, or its header is damaged"
        raise PictureError(where, known) from error
    except Image.DecompressionBombError as error:
        raise PictureError(where, f"is too large: {_sentence(error)}") from error
    except Exception as error:  # Decoders report damage by many types.
        raise PictureError(where, f"is damaged: {_sentence(error)}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise PictureError(
            where, f"has {width} x {height} pixels, more than the limit of {max_pixels}"
        )
    try:
        image.load()
    except Exception as error:
        raise PictureError(where, f"is damaged: {_sentence(error)}") from error
    return np.array(_rgb(_upright(image), where))


def _sentence(error):
    return " ".join(str(error).split()) or type(error).__name__


def _upright(image):
    """Turned as its EXIF says; a picture whose EXIF can't be read is taken as it is."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # The colours are whole; a damaged note about them is no reason to refuse.
        return image


def _rgb(image, where):
    """Any mode of Pillow's -> mode RGB."""
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PictureError(
            where, "has values of 32 bits or floating point, whose black and white are unknown"
        )
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
