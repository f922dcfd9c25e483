"""What a source holds, known from names alone: its kind, its identities and their order.

Nothing is written, and no picture read, before a plan stands.
"""

import contextlib
import dataclasses
import hashlib
import pathlib

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import aflw2000, biwi, biwi_boxes, manifest, sources, w300lp

READERS = {"w300lp": w300lp, "aflw2000": aflw2000, "biwi": biwi, "manifest": manifest}
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
      landmarks: what boxes of aflw2000 are drawn around, if not the usual.
      box_source: what reports call the boxes, if the kind alone does not tell.
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
    landmarks: str = ""
    box_source: str = ""


def of_source(source, kind, shards, minimum_views, landmarks="", boxes="", calibration=False):
    """Lists a folder, zip or manifest.

    Args:
      source: its path.
      kind: one of `KINDS`, not synthetic; auto looks at the source.
      shards: part of the fingerprint.
      minimum_views: 0 is 1 for the test sets aflw2000 and biwi, 2 for the others.
      landmarks: one of `aflw2000.LANDMARKS`, for aflw2000 only; empty for the usual.
      boxes: path of a list, or one of biwi_boxes' names, for BIWI only; empty for `HEAD`.
      calibration: for BIWI only; see `biwi`.

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
    name, protocol_set, box_source = path.name, "", ""
    if kind == "manifest":
        identities, skipped = manifest.list_identities(path)
        stamps, path = manifest.stamps(path, identities), path.parent
    else:
        kind, stamps = _stamps(path, kind)
        if kind == "biwi":
            identities, skipped, protocol_set, box_source = _list_biwi(
                path, stamps, boxes, calibration
            )
        else:
            identities, skipped = READERS[kind].list_identities(stamps, path.stem)
    if kind != "biwi" and (boxes or calibration):
        raise RankPoseError(
            f"boxes: --boxes and --calibration are for BIWI, and {str(source)!r} is of the kind "
            f"{kind}; leave them out"
        )
    if not identities and not skipped:
        raise RankPoseError(
            f"source: {str(source)!r} holds no picture; expected 300W-LP, AFLW2000-3D, BIWI, or a "
            ".csv or .jsonl manifest with rows"
        )
    if landmarks:
        landmarks, identities = _with_landmarks(kind, identities, landmarks)
    minimum_views = minimum_views or (1 if kind in ("aflw2000", "biwi") else 2)
    return Plan(
        kind=kind,
        path=str(path),
        name=name,
        protocol_set=protocol_set or _protocol_set(kind, name, identities),
        identities=sorted(identities, key=_hash),
        skipped=skipped,
        minimum_views=minimum_views,
        seed=0,
        fingerprint=sources.fingerprint(
            name, kind, shards, minimum_views, sorted(stamps.items()), *filter(None, [landmarks])
        ),
        landmarks=landmarks,
        box_source=box_source,
    )


def _with_landmarks(kind, identities, landmarks):
    """The landmarks, empty for the usual, and the identities with boxes around them."""
    if kind != "aflw2000" or landmarks not in aflw2000.LANDMARKS:
        raise RankPoseError(
            f"landmarks: expected one of {', '.join(aflw2000.LANDMARKS)} and AFLW2000-3D, received "
            f"{landmarks!r} and the kind {kind}; leave it out"
        )
    if landmarks == aflw2000.USUAL_LANDMARKS:
        return "", identities
    return landmarks, aflw2000.with_landmarks(identities, landmarks)


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


def _stamps(path, kind):
    """The kind of a source of pictures, auto no more, and its stamps."""
    with contextlib.closing(sources.open_source(path)) as source:
        stamps = source.stamps()
        if kind == "auto" and biwi.is_layout(stamps):
            kind = "biwi"
        if kind == "biwi":
            return kind, {name: stamp for name, stamp in stamps.items() if biwi.is_wanted(name)}
        stamps = {
            name: stamp
            for name, stamp in stamps.items()
            if pictures.is_jpeg_or_png(name) or name.lower().endswith(".mat")
        }
        if kind == "auto":
            kind = "aflw2000" if aflw2000.is_layout(source, stamps) else "w300lp"
    return kind, stamps


def _list_biwi(path, stamps, boxes, calibration):
    """Identities, skipped, protocol_set and box_source; adds the options to `stamps`."""
    boxes = boxes or biwi_boxes.HEAD
    option = boxes
    if boxes == biwi_boxes.MTCNN:
        biwi_boxes.require_mtcnn()
    elif boxes != biwi_boxes.HEAD:
        boxes = biwi_boxes.read_list(boxes)
        option = boxes.fingerprint
    with contextlib.closing(sources.open_source(path)) as source:
        identities, skipped = biwi.list_identities(source, list(stamps), boxes, calibration)
    stamps["--boxes"] = f"{option} {calibration}"
    return identities, skipped, *biwi.protocol(identities, boxes, calibration)


def _protocol_set(kind, name, identities):
    """A set that only has 300W-LP's layout keeps its own name."""
    if kind == "aflw2000":
        return "AFLW2000-3D"
    subsets = {identity.group.partition("/")[0] for identity in identities}
    if kind == "w300lp" and subsets and subsets <= set(w300lp.SUBSETS):
        return "300W-LP"
    return pathlib.PurePath(name).stem
