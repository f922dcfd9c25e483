"""What a user names on the command line -> pictures, videos and cameras, in a fixed order."""

import collections
import contextlib
import glob
import io
import os
import pathlib
import sys
from typing import NamedTuple

from absl import logging

from rankpose_tf.core import files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import streams

PICTURE_SUFFIXES = (
    ".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .bmp .webp .tif .tiff .gif .ppm .pgm .pbm .pnm "
    ".avif .avifs .heic .heif .hif .jp2 .j2k .jpf .jpx".split()
)
VIDEO_SUFFIXES = (
    ".mp4 .m4v .mov .qt .avi .mkv .webm .mpg .mpeg .mpe .m2v .wmv .asf .ts .mts .m2ts .3gp .3g2 "
    ".flv .f4v .ogv .vob .mxf".split()
)
# Of what a folder holds besides, so many suffixes are named.
_NAMED = 8

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
    """Lists what `inputs` name, every path once; warns of files in folders that are not read.

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
    if not text:
        return _nothing("an empty path names no file")
    if text == "-":
        sources = [_file(name) for name in _listed(listing or _standard_input())]
        return sources or _nothing("no line on standard input")
    # These two take what no file can be called, as a text over 255 letters, for absent.
    if os.path.isdir(text):
        return _folder(pathlib.Path(text)) or _nothing(
            f"folder {text!r} holds no picture and no video"
        )
    if os.path.exists(text) or streams.is_stream(text):
        return [_file(text)]
    if text.isdecimal():
        return [Source(CAMERA, text, f"camera-{text}")]
    if glob.has_magic(text):
        names = [n for n in sorted(glob.glob(text, recursive=True)) if not pathlib.Path(n).is_dir()]
        known = [name for name in names if _is_known(name)]
        _tell_passed_over(text, set(names) - set(known))
        return [_file(name) for name in known] or _nothing(f"{text!r} matches no file")
    return _nothing(f"there is no {text!r}")


def _standard_input():
    # Of a name every byte counts, also a carriage return and what is no UTF-8. Streams of other
    # kinds, and one that was read before, are taken as they are.
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        sys.stdin.reconfigure(errors="surrogateescape", newline="")
    return sys.stdin


def _listed(stream):
    """Names, one a line, or those of `find -print0`; a mark before the first is left out."""
    text = stream.read().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    # A name may hold ends of lines, which is what NULs are for.
    names = text.split("\0") if "\0" in text else [n.rstrip("\r") for n in text.split("\n")]
    return [name for name in names if name.strip("\r\n")]


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
    """Pictures and videos in and below a folder, linked ones too, but for hidden ones."""
    names = [name for name in files.walk(folder) if not _is_hidden(name)]
    known = sorted(filter(_is_known, names))
    _tell_passed_over(folder, set(names) - set(known))
    return [_file(str(folder / name))._replace(name=name) for name in known]


def _is_hidden(name):
    return any(part.startswith(".") for part in name.split("/"))


def _is_known(path):
    return _suffix(path) in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES)


def _suffix(path):
    return pathlib.PurePath(path).suffix.lower()


def _tell_passed_over(where, names):
    """Says how many files of which suffixes are not read."""
    if not names:
        return
    counts = collections.Counter(_suffix(name) or "without a suffix" for name in names)
    told = [f"{count} {suffix}" for suffix, count in counts.most_common(_NAMED)]
    more = len(counts) - _NAMED
    told += [f"and {more} more suffixes"] if more > 0 else []
    files_are = "file is" if len(names) == 1 else "files are"
    logging.warning("%s: %d %s not read: %s", where, len(names), files_are, ", ".join(told))
