"""What to say about what is no picture: an array of another kind, a file of another format."""

import numpy as np

# How files begin that people take for pictures.
_BEGINNINGS = (
    (b"%PDF", "is a PDF; save its page as JPEG or PNG"),
    (b"PK\x03\x04", "is a zip; unpack it, and pass the pictures in it"),
    (b"8BPS", "is a file of Photoshop; save it as JPEG or PNG"),
    (b"\x93NUMPY", "is an array of NumPy; pass np.load(path)"),
    (b"version https://git-lfs", "is a pointer of Git LFS, without the picture; git lfs pull"),
    (b"gimp xcf", "is a file of GIMP; export it as JPEG or PNG"),
    (b"\x00\x00\x00\x0cJXL ", "is a JPEG XL picture, which is not read; save it as JPEG or PNG"),
    (b"\xff\x0a", "is a JPEG XL picture, which is not read; save it as JPEG or PNG"),
)
# The same in text, which may begin with spaces, capitals or an XML line.
_TEXTS = (
    (b"<html", "is a web page; the download may have asked for a login"),
    (b"<!doctype html", "is a web page; the download may have asked for a login"),
    (b"<svg", "is a drawing in SVG; save it as PNG"),
)
# What a TIFF's first picture may be, and the marks of raw files.
_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_REDUCED = 1


def of_file(head):
    """What a file is that can't be read as a picture; empty where that is not known.

    Args:
      head: its first few hundred bytes.
    """
    if not head:
        return "is empty"
    for beginning, told in _BEGINNINGS:
        if head.startswith(beginning):
            return told
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    told = [told for mark, told in _TEXTS if text.startswith(b"<") and mark in text]
    return told[0] if told else ""


def of_raw(image):
    """Why the first picture of a TIFF of Pillow's is not what its camera saw; empty where it is."""
    tags = getattr(image, "tag_v2", None) or {}
    kind = tags.get(_SUBFILE_TYPE)
    if (isinstance(kind, int) and kind & _REDUCED) or _DNG_VERSION in tags:
        return "is a raw file of a camera, and begins with a small preview; save it as JPEG"
    return ""


def of_array(image, array):
    """What to do about an array that is no picture.

    Args:
      image: what was received.
      array: the same as an array.
    """
    if image is None:
        return "cv2.imread gives None for a file that it can't read; pass the path, and see why"
    if array.dtype == object or array.dtype.kind in "US":
        return "pass an array or the path of a file, or of several a list"
    if array.ndim == 2 and array.dtype != np.uint8:
        return "of a grey picture make 0..255 in uint8, then np.stack([image] * 3, axis=-1)"
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
    if array.ndim == 3 and array.shape[0] == 3:
        return "its colours come first: np.moveaxis(image, 0, -1) makes them last"
    return "several pictures of one size are (B, H, W, 3), of many sizes a list"
