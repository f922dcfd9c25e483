"""A prepared folder as a whole: what it is, its shards, its table of identities, its fingerprint.

It holds shard-00000-of-00032.tfrecord and so on, dataset.json (what it is, counts, histograms),
identities.csv (one row per identity) and skipped.csv (what was left out, and why). Nothing here
needs TensorFlow.
"""

import csv
import hashlib
import json
import os
import pathlib
import shlex

from rankpose_tf.core import damage, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import tfrecord

FORMAT_VERSION = 1
PREPARE_AGAIN = "prepare the data again into a new folder"
_STRUCTURE = {
    "kind": str,
    "protocol_set": str,
    "box_source": str,
    "identities": int,
    "views": int,
    "views_within_limit": int,
    "skipped": dict,
    "shards": list,
}
# Bytes of a file's name; no disk has longer ones.
_LONGEST_NAME = 255
_COLUMNS = ("identity", "group", "shard", "views", "views_within_limit")


def checksum(path):
    """SHA-256 of a file, as text."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(directory):
    """What tells two prepared sets apart: equal for copies of one set, wherever they lie.

    Args:
      directory: folder written by `rankpose_tf.prepare`.

    Returns:
      Text: a hash of the checksums of all shards, as dataset.json has them; for a set that was
      prepared before there were any, of dataset.json and the table of identities.

    Raises:
      RankPoseError: as `read_description`.
    """
    description = read_description(directory)
    content = sorted((row["file"], row.get("checksum")) for row in description["shards"])
    if not all(known for _, known in content):
        content = [description, read_identity_table(directory)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def shard_name(index, count):
    """File name of shard `index` of `count`."""
    return f"shard-{index:05d}-of-{count:05d}.tfrecord"


def list_shards(directory):
    """Sorted paths of the shards of a prepared folder, as strings.

    Raises:
      RankPoseError: as `read_description`, and for a shard that is cut short, or in which a record
        claims to be longer than it is.
    """
    description = read_description(directory)
    paths = sorted(str(pathlib.Path(directory, row["file"])) for row in description["shards"])
    for path in paths:
        if not tfrecord.is_whole(path):
            raise RankPoseError(
                f"data: the shards in {str(directory)!r} can't be read "
                f"({pathlib.Path(path).name} is cut short or damaged); {PREPARE_AGAIN}"
            )
    return paths


def read_description(directory):
    """What dataset.json says of a prepared folder.

    Args:
      directory: folder written by `rankpose_tf.prepare`.

    Returns:
      Dict: format_version, kind, source, protocol_set, box_source, identities, views,
      views_within_limit, skipped, histogram_degrees, shards (file, identities, views, bytes,
      checksum), minimum_views, fingerprint (of the source and options).

    Raises:
      RankPoseError: if the folder is missing, not prepared or not to the end, of another format
        version, empty, or lacks a shard.
    """
    directory = pathlib.Path(directory)
    path = directory / "dataset.json"
    if directory.is_file():
        raise RankPoseError(
            f"data: {str(directory)!r} is a file, not a prepared folder; run python -m "
            f"rankpose_tf.prepare --source={shlex.quote(str(directory))} --out=DIR, then pass "
            "--data=DIR"
        )
    if not directory.is_dir():
        raise RankPoseError(
            f"data: there is no folder {str(directory)!r}; pass one that "
            "`python -m rankpose_tf.prepare` wrote"
        )
    if not path.is_file():
        raise RankPoseError(
            f"data: {str(directory)!r} holds no dataset.json, so it is no finished data set; run "
            "`python -m rankpose_tf.prepare --source=PATH --out=DIR` first, to its end"
        )
    description = damage.json_object("data", path, PREPARE_AGAIN)
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise RankPoseError(
            f"data: {str(directory)!r} has format version {version}, this package reads "
            f"{FORMAT_VERSION}; prepare it again into a new folder"
        )
    with damage.told("data", path, PREPARE_AGAIN):
        _require_structure(description)
    missing = [r["file"] for r in description["shards"] if not (directory / r["file"]).is_file()]
    if missing:
        raise RankPoseError(
            f"data: {str(directory)!r} lacks {len(missing)} of its shards, such as {missing[0]}; "
            "copy them back, or prepare it again into a new folder"
        )
    if not description["identities"]:
        raise RankPoseError(f"data: {str(directory)!r} holds no identity; prepare another source")
    return description


def _require_structure(description):
    """Raises ValueError for a description of which a part is absent or of another type."""
    for name, kind in _STRUCTURE.items():
        if type(description.get(name)) is not kind:
            raise ValueError(f"{name} is {description.get(name)!r}")
    for row in description["shards"]:
        name = row.get("file") if isinstance(row, dict) else None
        # A name alone: what lies elsewhere is no shard of this folder.
        if not isinstance(name, str) or name != pathlib.PurePath(name).name or "\0" in name:
            raise ValueError(f"shards holds {name!r}")
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise ValueError(f"a name of a shard has over {_LONGEST_NAME} bytes")


def write_identity_table(directory, rows):
    """Writes identities.csv; `rows` are dicts as `read_identity_table` returns them."""
    with files.replaced(pathlib.Path(directory, "identities.csv")) as beside:
        with open(beside, "w", newline="", encoding="utf-8", errors="replace") as stream:
            writer = csv.DictWriter(stream, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


def read_identity_table(directory):
    """Every identity of a prepared folder, without opening the shards.

    Returns:
      List of dicts: identity, group (str); shard, views, views_within_limit (int).

    Raises:
      RankPoseError: if there is no table, or it is damaged.
    """
    path = pathlib.Path(directory, "identities.csv")
    if not path.is_file():
        raise RankPoseError(f"data: there is no table {str(path)!r}; {PREPARE_AGAIN}")
    with damage.told("data", path, PREPARE_AGAIN):
        with open(path, newline="", encoding="utf-8") as stream:
            return [identity_row(row) for row in csv.DictReader(damage.lines(stream))]


def identity_row(row):
    """A row of `read_identity_table`, checked, from a dict of text or numbers."""
    return {
        "identity": _text(row["identity"]),
        "group": _text(row["group"]),
        **{name: int(row[name]) for name in _COLUMNS[2:]},
    }


def _text(value):
    """A cell that a shortened row lacks is None."""
    if value is None:
        raise ValueError("a row has too few cells")
    return value
