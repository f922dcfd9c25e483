"""Labels as 300W-LP and AFLW2000-3D have them: a .mat beside each picture.

Pose_Para holds pitch, yaw, roll in radians, then translation and scale; further variables hold
landmarks, a column each.
"""

import pathlib

import numpy as np

from rankpose_tf.core import pictures
from rankpose_tf.preparation import mat_files, views

# Beside the subsets lie the authors' program and files of landmarks alone.
_OTHER_FOLDERS = ("Code", "landmarks")
_NEW_MATLAB = (b"MATLAB 7.3 MAT-file", b"\x89HDF")


def pictures_with_labels(names):
    """Pairs every picture with the .mat beside it.

    Returns:
      List of (picture, .mat) names, and list of (picture, reason) of those without one.
    """
    labels = {name[:-4]: name for name in names if is_label(name)}
    listed, skipped = [], []
    for name in sorted(filter(pictures.is_jpeg_or_png, names)):
        if any(part in _OTHER_FOLDERS for part in name.split("/")[:-1]):
            continue
        label = labels.get(name.rpartition(".")[0])
        if label:
            listed.append((name, label))
        else:
            skipped.append((name, views.MISSING_LABEL))
    return listed, skipped


def first_copies(listed, name_of):
    """Leaves out what is in a source twice, below two folders or as .jpg and as .png.

    Args:
      listed: (picture, .mat) names, as `pictures_with_labels` gives them.
      name_of: function from the path of a picture to what its copies share.

    Returns:
      List of (picture, .mat) names, the first of each, and list of (picture, reason) of the others.
    """
    first, skipped = {}, []
    for picture, label in listed:
        name = name_of(pathlib.PurePosixPath(picture))
        if name in first:
            skipped.append((picture, views.DUPLICATE_PICTURE))
        else:
            first[name] = (picture, label)
    return list(first.values()), skipped


def is_label(name):
    """Whether a name ends like a label's."""
    return name.lower().endswith(".mat")


def stamps(names):
    """Those of `names`, a dict, that are pictures or labels."""
    return {n: names[n] for n in names if is_label(n) or pictures.is_jpeg_or_png(n)}


def shapes(source, name):
    """Dict of variable -> shape of a .mat; empty where it can't be read.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      name: of the .mat in it.
    """
    try:
        found = dict(mat_files.variables(source.read(name)))
    except Exception:  # Damage has many types, of the archive's too.
        return {}
    return {variable: array.shape for variable, array in found.items() if array is not None}


def read(source, name, landmarks, count=None):
    """Pose and landmarks from a .mat file.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      name: of the .mat in it.
      landmarks: its variable with the landmarks, one column each: x, y first.
      count: how many landmarks there have to be; None for any number.

    Returns:
      pose (3,) float32 yaw, pitch, roll, radians; points (2, K) float64 x, y, pixels.

    Raises:
      views.SkippedView: if the file is corrupt, lacks a variable, or its values are no pose.
    """
    content = _variables(source, name, ("Pose_Para", landmarks))
    if any(array is None for array in content.values()) or content["Pose_Para"].size < 3:
        raise views.SkippedView(views.CORRUPT_LABEL)
    pitch, yaw, roll = content["Pose_Para"].reshape(-1)[:3]
    points = content[landmarks]
    if points.ndim != 2 or points.shape[0] not in (2, 3):
        raise views.SkippedView(views.CORRUPT_LABEL)
    if count not in (None, points.shape[1]):
        raise views.SkippedView(views.label_without(f"{count} points in {landmarks}"))
    return views.checked_pose((yaw, pitch, roll)), points[:2]


def _variables(source, name, wanted):
    """Dict of the wanted variables of a .mat; what lies behind the last of them is not read."""
    content, read = b"", {}
    try:
        content = source.read(name)
        for variable, array in mat_files.variables(content):
            if variable in wanted:
                read.setdefault(variable, array)
            if len(read) == len(wanted):
                return read
    except Exception as error:  # As above.
        new = content.startswith(_NEW_MATLAB)
        reason = views.NEW_MATLAB_LABEL if new else views.CORRUPT_LABEL
        raise views.SkippedView(reason) from error
    missing = next(variable for variable in wanted if variable not in read)
    raise views.SkippedView(views.label_without(missing))


def tight_box(points):
    """(4,) float32 left, top, right, bottom of (2, K) points; SkippedView where it has no area."""
    if not points.size:
        raise views.SkippedView(views.BAD_BOX)
    return views.checked_box(np.concatenate([points.min(axis=1), points.max(axis=1)]))
