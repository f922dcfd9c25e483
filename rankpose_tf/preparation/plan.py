"""What a source holds, known from names and tables alone: its kind, its identities, their order.

Nothing is written, and no picture read, before a plan stands.
"""

import contextlib
import dataclasses
import hashlib

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import readers, sources


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be prepared.

    Attributes:
      kind: one of `readers.READERS`.
      path: of the source; None where it is made here.
      name: of the source, without its folder.
      protocol_set: what reports call the data set.
      box_source: what reports call its boxes.
      identities: list of `views.ListedIdentity`.
      skipped: list of (path, reason) of what cannot be used, as names and tables tell.
      minimum_views: identities with fewer usable views are left out.
      fingerprint: differs if the source's content or an option differs.
    """

    kind: str
    path: str
    name: str
    protocol_set: str
    box_source: str
    identities: list
    skipped: list
    minimum_views: int
    fingerprint: str


def make(source, kind="auto", shards=32, minimum_views=0, **options):
    """Lists a source.

    Args:
      source: path of a folder, zip or table; None for a kind that is made here.
      kind: one of `readers.KINDS`; auto looks at the source.
      shards: part of the fingerprint.
      minimum_views: 0 is what the set's reader says.
      **options: some of `readers.OPTIONS`.

    Returns:
      `Plan`; identities of a source are ordered by a hash of their names, so that every shard is a
      fair mixture, the same on every machine.

    Raises:
      RankPoseError: if there is no source, it is unreadable, or holds no picture.
    """
    if source and kind in readers.MADE_HERE:
        raise RankPoseError(f"source: the {kind} kind takes none, received {str(source)!r}")
    if not source and kind not in readers.MADE_HERE:
        raise RankPoseError("source: pass a folder, a zip or a table, as in --source=PATH")
    with contextlib.closing(sources.open_source(source)) as opened:
        names = opened.stamps()
        kind = _kind_of(opened, names) if kind == "auto" else kind
        reader = readers.READERS[kind]
        read, mark = reader.read_options(readers.own_options(kind, source, options))
        identities, skipped, stamps = reader.list_identities(opened, names, read)
        if not identities and not skipped:
            raise _no_picture(opened, names)
        description = reader.describe(opened, identities, read)
    minimum_views = minimum_views or description.minimum_views
    name = opened.name or f"{kind}, {mark}"
    return Plan(
        kind=kind,
        path=source and str(source),
        name=name,
        protocol_set=description.protocol_set,
        box_source=description.box_source,
        identities=sorted(identities, key=_hash) if source else identities,
        skipped=skipped,
        minimum_views=minimum_views,
        fingerprint=sources.fingerprint(
            name, kind, shards, minimum_views, sorted(stamps.items()), *filter(None, [mark])
        ),
    )


def _kind_of(source, names):
    kinds = [kind for kind, reader in readers.READERS.items() if reader.claims(source, names)]
    if len(kinds) > 1:
        raise RankPoseError(
            f"kind: {source.name!r} holds {' and '.join(kinds)} side by side; pass the folder of "
            f"one as --source, or --kind={kinds[0]} to read that alone"
        )
    if not kinds:
        raise _no_picture(source, names)
    return kinds[0]


def _no_picture(source, names):
    tables = sorted(filter(sources.is_table, names))
    why = f"; pass its table {tables[0]} as --source to see what that lacks" if tables else ""
    return RankPoseError(
        f"source: {source.name!r} holds no picture with a label; expected 300W-LP or AFLW2000-3D "
        "(a .mat beside each), BIWI (a _pose.txt), or a table with rows "
        f"({', '.join(sources.TABLE_SUFFIXES)}){why}"
    )


def _hash(identity):
    return hashlib.md5(identity.name.encode(errors="replace"), usedforsecurity=False).digest()
