"""What a source holds, known from names alone: its kind, its identities and their order.

Nothing is written, and no picture read, before a plan stands.
"""

import contextlib
import dataclasses
import hashlib
import pathlib

from rankpose_tf.data import aflw2000, manifest, sources, w300lp
from rankpose_tf.errors import RankPoseError

READERS = {"w300lp": w300lp, "aflw2000": aflw2000, "manifest": manifest}
KINDS = ("auto", *READERS, "synthetic")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be prepared.

    Attributes:
      kind: one of `KINDS`, not auto.
      path: of the folder or zip that pictures are read from; empty for synthetic.
      name: of the source, without its folder.
      protocol_set: what reports call the data set.
      identities: list of `sources.ListedIdentity`; for synthetic, of numbers.
      skipped: list of (path, reason) of what cannot be used, as names alone tell.
      minimum_views: identities with fewer usable views are left out.
      seed: of synthetic heads.
      fingerprint: differs if the source's content or an option differs.
    """

    kind: str
    path: str
    name: str
    protocol_set: str
    identities: list
    skipped: list
    minimum_views: int
    seed: int
    fingerprint: str


def of_source(source, kind, shards, minimum_views):
    """Lists a folder, zip or manifest.

    Args:
      source: its path.
      kind: one of `KINDS`, not synthetic; auto looks at the source.
      shards: part of the fingerprint.
      minimum_views: 0 is 1 for aflw2000, where each picture is an identity, 2 for the others.

    Returns:
      `Plan`; identities are ordered by a hash of their names, so that every shard is a fair
      mixture, the same on every machine.

    Raises:
      RankPoseError: if there is no source, it is unreadable, or holds no picture.
    """
    if not source:
        raise RankPoseError("source: pass a folder, a zip or a manifest, as in --source=PATH")
    path = pathlib.Path(source).resolve()
    if kind == "auto" and path.suffix.lower() in manifest.SUFFIXES and not path.is_dir():
        kind = "manifest"
    name = path.name
    if kind == "manifest":
        identities, skipped = manifest.list_identities(path)
        stamps, path = manifest.stamps(path, identities), path.parent
    else:
        kind, stamps, identities, skipped = _list_pictures(path, kind)
    if not identities and not skipped:
        raise RankPoseError(
            f"source: {str(source)!r} holds no picture; expected 300W-LP, AFLW2000-3D, or a .csv "
            "or .jsonl manifest with rows"
        )
    minimum_views = minimum_views or (1 if kind == "aflw2000" else 2)
    return Plan(
        kind=kind,
        path=str(path),
        name=name,
        protocol_set=_protocol_set(kind, name, identities),
        identities=sorted(identities, key=_hash),
        skipped=skipped,
        minimum_views=minimum_views,
        seed=0,
        fingerprint=sources.fingerprint(name, kind, shards, minimum_views, sorted(stamps.items())),
    )


def of_synthetic(count, seed, shards, minimum_views):
    """Plans rendered heads, `count` of them.

    Raises:
      RankPoseError: for a count below 1.
    """
    if count < 1:
        raise RankPoseError(f"synthetic_identities: expected a number from 1, received {count}")
    minimum_views = minimum_views or 2
    return Plan(
        kind="synthetic",
        path="",
        name=f"synthetic, seed {seed}",
        protocol_set="synthetic",
        identities=list(range(count)),
        skipped=[],
        minimum_views=minimum_views,
        seed=seed,
        fingerprint=sources.fingerprint("synthetic", shards, minimum_views, count, seed),
    )


def _hash(identity):
    return hashlib.md5(identity.name.encode(errors="replace"), usedforsecurity=False).digest()


def _list_pictures(path, kind):
    with contextlib.closing(sources.open_source(path)) as source:
        stamps = {
            name: stamp
            for name, stamp in source.stamps().items()
            if sources.is_picture(name) or name.lower().endswith(".mat")
        }
        if kind == "auto":
            kind = "aflw2000" if aflw2000.is_layout(source, stamps) else "w300lp"
    identities, skipped = READERS[kind].list_identities(stamps, path.stem)
    return kind, stamps, identities, skipped


def _protocol_set(kind, name, identities):
    """A set that only has 300W-LP's layout keeps its own name."""
    if kind == "aflw2000":
        return "AFLW2000-3D"
    subsets = {identity.group.partition("/")[0] for identity in identities}
    if kind == "w300lp" and subsets and subsets <= set(w300lp.SUBSETS):
        return "300W-LP"
    return pathlib.PurePath(name).stem
