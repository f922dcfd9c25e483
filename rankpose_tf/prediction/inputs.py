"""What a user names on the command line -> pictures, videos and cameras, in a fixed order."""

import glob
import pathlib
import sys
from typing import NamedTuple

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import streams

PICTURE_SUFFIXES = (
    ".jpg .jpeg .jpe .png .bmp .webp .tif .tiff .gif .ppm .pgm .pnm .avif .jp2".split()
)
VIDEO_SUFFIXES = ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .ts .3gp".split()

PICTURE, VIDEO, CAMERA = "picture", "video", "camera"


class Source(NamedTuple):
    """One thing to predict on.

    Attributes:
      kind: PICTURE, VIDEO or CAMERA.
      path: as the results name it; a camera's is its index or device, a stream's its address.
      name: what a drawing of it is called: its path below the folder that was named.
    """

    kind: str
    path: str
    name: str


def expand(inputs, listing=None):
    """Lists what `inputs` name, every path once.

    Args:
      inputs: strings; a file, a folder (all pictures and videos in and below it, by name), a glob
        pattern, a camera's index or device, a stream's address, or "-" for a list of files, one a
        line. What is named itself counts as a picture unless its suffix is a video's.
      listing: text stream that "-" reads; standard input by default.

    Returns:
      List of `Source`.

    Raises:
      RankPoseError: if one of them names nothing.
    """
    if not inputs:
        raise RankPoseError(
            "input: pass --input=PATH, a picture, folder, video, glob or camera index, or - for a "
            "list on standard input"
        )
    sources = {}
    for text in inputs:
        for source in _sources(str(text), listing):
            sources.setdefault((source.kind, source.path), source)
    return list(sources.values())


def _sources(text, listing):
    path = pathlib.Path(text)
    if text == "-":
        lines = (line.rstrip("\r\n") for line in listing or sys.stdin)
        sources = [_file(line) for line in lines if line]
        return sources or _nothing("no line on standard input")
    if path.is_dir():
        return _folder(path) or _nothing(f"folder {text!r} holds no picture and no video")
    if path.exists() or streams.is_stream(text):
        return [_file(text)]
    if text.isdecimal():
        return [Source(CAMERA, text, f"camera-{text}")]
    if glob.has_magic(text):
        files = [name for name in sorted(glob.glob(text, recursive=True)) if _is_known(name)]
        return [_file(name) for name in files] or _nothing(f"{text!r} matches no file")
    return _nothing(f"there is no {text!r}")


def _nothing(what):
    raise RankPoseError(
        f"input: {what}; pass pictures, videos, folders of them, globs in quotes, a camera index, "
        "or - and a list of files on standard input"
    )


def _file(path):
    if streams.is_stream(path):
        return Source(CAMERA, path, streams.file_stem(path))
    kind = VIDEO if pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES else PICTURE
    return Source(kind, path, pathlib.Path(path).name)


def _folder(folder):
    """Pictures and videos in and below a folder, but for hidden ones."""
    files = []
    for path in folder.rglob("*"):
        below = path.relative_to(folder)
        if not any(part.startswith(".") for part in below.parts) and _is_known(path):
            files.append((below.as_posix(), path))
    return [_file(str(path))._replace(name=name) for name, path in sorted(files)]


def _is_known(path):
    known = pathlib.Path(path).suffix.lower() in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES)
    return known and pathlib.Path(path).is_file()
