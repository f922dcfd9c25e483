"""HEIC, the pictures of iPhones: told from other files, and read with the extra [heic]."""

from rankpose_tf.core.errors import RankPoseError

# Bytes of a file's beginning that hold the brands of its container.
HEAD = 64
MISSING = 'pip install "rankpose_tf[heic]"'

_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
# The same container, which Pillow itself reads.
_AVIF_BRANDS = {b"avif", b"avis"}


def is_heic(head):
    """Whether a file that begins with these `HEAD` bytes is one."""
    end = min(int.from_bytes(head[:4], "big"), HEAD)
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}
    return head[4:8] == b"ftyp" and bool(brands & _BRANDS) and not brands & _AVIF_BRANDS


def open_picture(stream):
    """A picture of Pillow's, of which the header is read; upright whatever its EXIF says.

    Raises:
      RankPoseError: if the package of the extra is not installed.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise RankPoseError(
            f"is a HEIC picture: {MISSING} to read it, or save it as JPEG"
        ) from error
    return pillow_heif.HeifImageFile(stream)
