"""300W-LP (Zhu et al., CVPR 2016): a folder, or the zip as distributed.

Pictures are SUBSET/STEM_VIEW.jpg below any leading folder, each beside a .mat with Pose_Para
(pitch, yaw, roll in radians, then translation and scale) and pt2d (68 landmarks). All views of
one SUBSET/STEM are one face. SUBSET_Flip holds the mirrored copies: identities of their own, but
of the same group, so that a face and its mirror image are never on two sides of a split.
"""

import io
import pathlib
import re

import numpy as np

from rankpose_tf.core import pictures
from rankpose_tf.data import records
from rankpose_tf.preparation import sources

SUBSETS = ("AFW", "HELEN", "IBUG", "LFPW")
# Beside the subsets lie the authors' program and files of landmarks alone.
_OTHER_FOLDERS = ("Code", "landmarks")
_LANDMARKS = 68


def list_identities(names, top):
    """Groups the pictures of a source by face.

    Args:
      names: names of all files in the source.
      top: what the source itself is called: the subset of pictures without a folder.

    Returns:
      List of `sources.ListedIdentity`, views in the order of their numbers, and list of
      (path, reason) of pictures without a .mat.
    """
    listed, skipped = pictures_with_labels(names)
    faces = {}
    for picture, label in listed:
        path = pathlib.PurePosixPath(picture)
        subset = path.parent.name or top
        stem, view = _split_view(path.stem)
        view = (view, sources.ListedView(picture, f"{subset}/{path.name}", label))
        faces.setdefault((subset, stem), []).append(view)
    identities = []
    for (subset, stem), views in faces.items():
        views = tuple(view for _, view in sorted(views, key=lambda v: (v[0], v[1].path)))
        group = f"{subset.removesuffix('_Flip')}/{stem}"
        identities.append(sources.ListedIdentity(f"{subset}/{stem}", group, views))
    return identities, skipped


def pictures_with_labels(names):
    """Pairs every picture with the .mat beside it.

    Returns:
      List of (picture, .mat) names, and list of (picture, reason) of those without one.
    """
    labels = {name[:-4]: name for name in names if name.lower().endswith(".mat")}
    listed, skipped = [], []
    for name in sorted(filter(pictures.is_jpeg_or_png, names)):
        if any(part in _OTHER_FOLDERS for part in name.split("/")[:-1]):
            continue
        label = labels.get(name.rpartition(".")[0])
        if label:
            listed.append((name, label))
        else:
            skipped.append((name, sources.MISSING_LABEL))
    return listed, skipped


def _split_view(stem):
    """`IBUG_image_008_1_0` -> (`IBUG_image_008_1`, 0); a stem may contain a space."""
    match = re.fullmatch(r"(.+)_(\d+)", stem)
    return (match[1], int(match[2])) if match else (stem, 0)


def read_view(source, listed):
    """Reads one view.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      listed: `sources.ListedView`.

    Returns:
      `records.View`; its box is the tight box of pt2d.

    Raises:
      sources.SkippedView: if its picture or label is unusable.
    """
    pose, box = read_label(source, listed.label, "pt2d")
    return records.View(listed.name, sources.read_picture(source, listed.path), pose, box)


def read_label(source, name, landmarks):
    """Pose and box from a .mat file.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      name: of the .mat in it.
      landmarks: its variable with the 68 landmarks, one column each: x, y first.

    Returns:
      pose (3,) float32 yaw, pitch, roll, radians; box (4,) float32 left, top, right, bottom,
      pixels.

    Raises:
      sources.SkippedView: if the file is corrupt, or its values are no pose or no box.
    """
    pose, points = read_points(source, name, landmarks, _LANDMARKS)
    box = np.concatenate([points.min(axis=1), points.max(axis=1)])
    return pose, sources.checked_box(box)


def read_points(source, name, landmarks, count):
    """Pose and landmarks from a .mat file.

    Args:
      source, name, landmarks: as for `read_label`.
      count: how many landmarks there have to be; None for any number.

    Returns:
      pose (3,) float32 yaw, pitch, roll, radians; points (2, K) float64 x, y, pixels.

    Raises:
      sources.SkippedView: if the file is corrupt, or its values are no pose.
    """
    from scipy import io as scipy_io

    wanted = ("Pose_Para", landmarks)
    try:
        content = scipy_io.loadmat(io.BytesIO(source.read(name)), variable_names=wanted)
        pitch, yaw, roll = np.asarray(content["Pose_Para"], np.float64).reshape(-1)[:3]
        points = np.asarray(content[landmarks], np.float64)
    except Exception as error:  # scipy reports damage by many types, from TypeError to zlib.error.
        raise sources.SkippedView(sources.CORRUPT_LABEL) from error
    if points.ndim != 2 or points.shape[0] not in (2, 3) or count not in (None, points.shape[1]):
        raise sources.SkippedView(sources.CORRUPT_LABEL)
    return sources.checked_pose((yaw, pitch, roll)), points[:2]
