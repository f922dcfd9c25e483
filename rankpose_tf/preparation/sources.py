"""Where files are read from: a folder, a zip, or a table with pictures beside it, all read alike.

Names are relative, with `/`, and without a leading `./`, however an archiver wrote them.
"""

import hashlib
import lzma
import os
import pathlib
import posixpath
import zipfile

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")

# Bytes of a file: a picture of 100 million pixels, of 4 bytes each, is not compressed.
_LARGEST = 500_000_000
_READ = f"a folder, a zip or a table ({', '.join(TABLE_SUFFIXES)})"
_UNPACK = "unpack it, and pass the folder or a zip of it"
_EXPORT = f"which is not read; save it as one of {', '.join(TABLE_SUFFIXES)}"
# Suffixes of what people have instead, and what is said of it.
_NOT_READ = {
    (".tar", ".tgz", ".tar.gz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst"): (
        f"a tar archive, in which no file can be looked up; {_UNPACK} (tar xf unpacks it)"
    ),
    (".rar",): f"a RAR archive, which is not read; {_UNPACK}",
    (".7z",): f"a 7-Zip archive, which is not read; {_UNPACK}",
    (".gz", ".bz2", ".xz", ".zst"): "a compressed file; unpack it, and pass what was in it",
    (".txt", ".dat"): f"a text of no known form, {_EXPORT}",
    (".xlsx", ".xls", ".ods", ".parquet"): f"a table of another program, {_EXPORT}",
    (".json",): f"a JSON file, {_EXPORT} (.jsonl: one object a line)",
}


class NoFiles:
    """The source of what is rendered here."""

    name = ""

    def stamps(self):
        """No name."""
        return {}

    def close(self):
        """Nothing is held open."""


class Folder:
    """Files below a folder."""

    def __init__(self, path, only=""):
        """Opens a folder; with `only`, the name of a file in it, no other file is listed."""
        self._path, self._only = pathlib.Path(path), only
        self.name = only or self._path.name

    def stamps(self):
        """Dict of name -> text that changes with the content, without reading it."""
        if self._only:
            return {self._only: self.stamp(self._only)}
        return {name: self.stamp(name) for name in files.walk(self._path) if _is_wanted(name)}

    def stamp(self, name):
        """Size and time of one file, as text; "absent" where there is none."""
        try:
            status = os.stat(os.path.join(self._path, name))
        except (OSError, ValueError):
            return "absent"
        return f"{status.st_size} {status.st_mtime_ns}"

    def read(self, name):
        """Content of one file, bytes.

        Raises:
          OSError: if it cannot be read.
        """
        try:
            _require_regular(self._path / name)
            _require_small(name, os.path.getsize(self._path / name))
            return (self._path / name).read_bytes()
        except ValueError as error:  # A NUL in the name.
            raise FileNotFoundError(name) from error

    def close(self):
        """Nothing is held open."""


class Zip:
    """Files in a zip."""

    def __init__(self, path):
        self.name = pathlib.Path(path).name
        cut = _begins_like_a_zip(path)
        advice = "it may be cut short: download it again" if cut else f"pass {_READ}"
        try:
            with damage.told("source", path, advice, "is no readable zip"):
                self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise RankPoseError(
                f"source: {str(path)!r} can't be opened ({error.strerror}); pass {_READ}"
            ) from error
        self._entries = {
            posixpath.normpath(entry.filename.replace("\\", "/")): entry
            for entry in self._zip.infolist()
            # A folder that Windows wrote ends with the other slash.
            if not entry.filename.endswith(("/", "\\"))
        }

    def stamps(self):
        """Dict of name -> text that changes with the content, without reading it."""
        return {name: self.stamp(name) for name in self._entries if _is_wanted(name)}

    def stamp(self, name):
        """Size and checksum of one file, as text; "absent" where there is none."""
        entry = self._entries.get(name)
        return f"{entry.file_size} {entry.CRC:08x}" if entry else "absent"

    def read(self, name):
        """Content of one file, bytes.

        Raises:
          OSError: if there is none, or the zip is damaged there.
        """
        if name not in self._entries:
            raise FileNotFoundError(name)
        entry = self._entries[name]
        _require_small(name, entry.file_size)
        try:
            return self._zip.read(entry)
        except (lzma.LZMAError, *damage.OF_CONTENT) as error:
            raise OSError(f"{name}: {error}") from error
        except RuntimeError as error:
            raise RankPoseError(
                f"source: {name!r} in the zip is encrypted; unpack it with its password and pass "
                "the folder"
            ) from error

    def close(self):
        """Closes the zip."""
        self._zip.close()


def _require_regular(path):
    """Raises OSError for a pipe or a device, or a link to one: it might be waited for for ever."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path.name}: no regular file")


def _require_small(name, size):
    """Raises OSError for a file that claims more bytes than a picture or a table has."""
    if size > _LARGEST:
        raise OSError(f"{name}: it has {size:,} bytes, and at most {_LARGEST:,} are read")


def open_source(path):
    """A `Folder` or a `Zip`; `NoFiles` where the path is empty.

    Args:
      path: of a folder, a zip, or a table: its folder is opened, and only the table listed.

    Raises:
      RankPoseError: if there is nothing at `path`, or something that is not read.
    """
    if not path:
        return NoFiles()
    path = pathlib.Path(path).absolute()
    # A link's own name says what it is, and where the pictures are: a store of files has other
    # names. A folder has no suffix that counts, and neither has a link without one.
    if path.is_dir() or not path.suffix:
        path = pathlib.Path(os.path.realpath(path))
    if path.is_dir():
        return Folder(path)
    for suffixes, what in _NOT_READ.items():
        if path.name.lower().endswith(suffixes):
            raise RankPoseError(f"source: {str(path)!r} is {what}")
    if not path.is_file():
        raise RankPoseError(f"source: there is nothing at {str(path)!r}; pass {_READ}")
    if is_table(path.name):
        return Folder(path.parent, only=path.name)
    return Zip(path)


def _begins_like_a_zip(path):
    try:
        with open(path, "rb") as stream:
            return stream.read(2) == b"PK"
    except OSError:
        return False


def is_table(name):
    """Whether a name ends like a table's."""
    return name.lower().endswith(TABLE_SUFFIXES)


def _is_wanted(name):
    """Not what a file system or an archiver added: __MACOSX/, ._NAME, .DS_Store."""
    return not any(part == "__MACOSX" or part.startswith(".") for part in name.split("/"))


def fingerprint(*parts):
    """Hash of a source's stamps and options; another one means another data set."""
    return hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()
