"""A source of faces -> a prepared folder of identity shards; see `records` for what lies in it.

A run that was killed leaves finished shards and progress/, and the next one does the rest.
dataset.json is written last: a folder without it is no data set yet.
"""

import csv
import os
import pathlib
import shutil

import numpy as np
from absl import logging

from rankpose_tf.core import damage, files, leftovers, locks
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.data import prepared_folder
from rankpose_tf.preparation import plan as plans
from rankpose_tf.preparation import readers, tasks, views


def prepare(
    source,
    out,
    kind="auto",
    shards=32,
    workers=None,
    minimum_views=0,
    max_skipped_fraction=0.05,
    progress=True,
    **options,
):
    """Writes a source of faces as identity shards; goes on where a killed run stopped.

    Views of an identity with too few of them, and frames in which MTCNN finds no face, are left out
    and named in skipped.csv, but they are no damage: `max_skipped_fraction` does not count them.

    Args:
      source: folder, zip or table; None for the synthetic kind.
      out: folder to write; absent, empty, or of an earlier run with the same source and options.
      kind: one of `readers.KINDS`.
      shards: files to cut the identities into; never more than there are identities.
      workers: processes; None is one a core, 1 is none but this one.
      minimum_views: identities with fewer usable views are left out; 0 is 1 for the test
        sets aflw2000 and biwi and for tables without identities, and 2 for the others.
      max_skipped_fraction: share of all views that may be unusable.
      progress: show a progress bar.
      **options: of the kind alone, see `readers.OPTIONS`:
        landmarks: what the boxes of AFLW2000-3D are drawn around, see `aflw2000.LANDMARKS`.
        boxes: for BIWI: path of a list, "mtcnn", or "head" (also if empty); see `biwi_boxes`.
        calibration: for BIWI: angles in the colour camera's frame.
        label_unit: of a table's angles: degrees or radians; empty is degrees, unless the table
          looks like radians: then it is asked for.
        synthetic_identities: heads to render, for the synthetic kind.
        seed: of the rendered heads.

    Returns:
      The content of dataset.json.

    Raises:
      RankPoseError: if the source is missing, unreadable or without pictures, `out` holds
        something else, too much was skipped, or nothing remains.
    """
    _check_options(kind, shards, workers, minimum_views, max_skipped_fraction)
    plan = plans.make(source, kind, shards, minimum_views, **options)
    out = pathlib.Path(out)
    if _claim(out, plan):
        logging.info("%s is finished already; nothing was done", out)
        shutil.rmtree(out / "progress", ignore_errors=True)
        return prepared_folder.read_description(out)
    with locks.folder("out", out, "writing to"):
        leftovers.sweep(out)
        leftovers.sweep(out / "progress")
        work = tasks.cut(plan, out, shards)
        tasks.run(plan, work, workers or os.cpu_count() or 1, progress)
        description = _finish(plan, work, out, max_skipped_fraction)
    shutil.rmtree(out / "progress", ignore_errors=True)
    return description


def _check_options(kind, shards, workers, minimum_views, max_skipped_fraction):
    if kind not in readers.KINDS:
        raise RankPoseError(f"kind: expected one of {', '.join(readers.KINDS)}, received {kind!r}")
    if not 0.0 <= max_skipped_fraction <= 1.0:
        raise RankPoseError(
            f"max_skipped_fraction: expected 0 to 1, received {max_skipped_fraction}"
        )
    counts = (("shards", shards, 1), ("workers", workers, 1), ("minimum_views", minimum_views, 0))
    for name, value, least in counts:
        if value is not None and value < least:
            raise RankPoseError(f"{name}: expected a number from {least}, received {value}")


def _claim(out, plan):
    """Makes `out` this data set's folder; returns whether it is finished already.

    Raises:
      RankPoseError: if it holds anything else.
    """
    for record in (out / "dataset.json", out / "progress" / "plan.json"):
        if record.is_file():
            before = damage.json_object("out", record, "remove the folder, or pass a new one")
            if before.get("fingerprint") != plan.fingerprint:
                raise RankPoseError(
                    f"out: {str(out)!r} holds a data set made from {before.get('source')!r} with "
                    "other content or options; pass a new folder, or the same source and options"
                )
            return record.name == "dataset.json"
    begun = out.is_dir() and {path.name for path in out.iterdir()} == {"progress"}
    files.new_folder("out", out, resumed=begun, own="data set of ours")
    (out / "progress").mkdir(parents=True, exist_ok=True)
    record = {"source": plan.name, "fingerprint": plan.fingerprint}
    files.write_json(out / "progress" / "plan.json", record)
    return False


def _finish(plan, work, out, max_skipped_fraction):
    """Writes the tables, and dataset.json if the data set is good enough."""
    parts = [tasks.read_statistics(task) for task in work]
    skipped = sorted([*plan.skipped, *(tuple(row) for part in parts for row in part["skipped"])])
    rows = [row for part in parts for row in part["rows"]]
    _write_skipped(out / "skipped.csv", skipped)
    prepared_folder.write_identity_table(out, rows)
    reasons = [reason for _, reason in skipped]
    counts = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    listed = len(plan.skipped) + sum(task.views for task in work)
    _require_enough(out, rows, counts, listed, max_skipped_fraction)
    histogram = np.sum([part["histogram"] for part in parts], axis=0)
    description = {
        "format_version": prepared_folder.FORMAT_VERSION,
        "kind": plan.kind,
        "source": plan.name,
        "protocol_set": plan.protocol_set,
        "box_source": plan.box_source,
        "identities": len(rows),
        "views": sum(row["views"] for row in rows),
        "views_within_limit": sum(row["views_within_limit"] for row in rows),
        "minimum_views": plan.minimum_views,
        "skipped": counts,
        "histogram_degrees": {
            angle: {"edges": list(tasks.HISTOGRAM_EDGES), "counts": row.tolist()}
            for angle, row in zip(ANGLES, histogram, strict=True)
        },
        "fingerprint": plan.fingerprint,
        "shards": [part["shard"] for part in parts],
    }
    files.write_json(out / "dataset.json", description)
    return description


def _write_skipped(path, skipped):
    with files.replaced(path) as beside:
        with open(beside, "w", newline="", encoding="utf-8", errors="replace") as stream:
            writer = csv.writer(stream)
            writer.writerow(("path", "reason"))
            writer.writerows(skipped)


def _require_enough(out, rows, counts, listed, max_skipped_fraction):
    told = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    unusable = sum(n for reason, n in counts.items() if reason not in views.HARMLESS)
    if unusable > max_skipped_fraction * listed + 1e-9:
        raise RankPoseError(
            f"max_skipped_fraction: {unusable} of {listed} views are unusable, more than "
            f"{max_skipped_fraction:g} of them ({told}); {str(out / 'skipped.csv')!r} names them: "
            "mend the source, or pass a larger --max_skipped_fraction"
        )
    if not rows:
        raise RankPoseError(
            f"source: no identity has enough usable views ({told}); see "
            f"{str(out / 'skipped.csv')!r}"
            + (", or pass --minimum_views=1" if views.TOO_FEW_VIEWS in counts else "")
        )
