"""AFLW2000-3D (Zhu et al., CVPR 2016): a folder, or the zip as distributed.

Pictures are image#####.jpg, each beside a .mat with Pose_Para and pt3d_68. The box is that of
pt3d_68: pt2d of these files has 21 points and -1 for the hidden ones, and a box from it is wrong
(it costs FSA-Net 5.07 -> 7.79 degrees of MAE). Every picture is an identity of one view.

Other protocols use pt2d all the same, so `LANDMARKS` has it too, for a test under theirs.
"""

import pathlib
import re

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import mat_labels, views

USUAL_LANDMARKS = "pt3d_68"
# pt2d: hidden points at -1 are taken for points, as Hopenet and 6DRepNet do. pt2d_visible: they
# are left out, as FSA-Net does. pt2d_hopenet: the square that Hopenet cuts, from pt2d.
LANDMARKS = (USUAL_LANDMARKS, "pt2d_visible", "pt2d", "pt2d_hopenet")
OPTIONS = {"landmarks": ""}

_COUNT = 68
# How many .mat files to look at before the layout counts as another one; the first may be broken.
_PROBES = 10


def claims(source, names):
    """Whether a source has an image#####.mat that is no label of 300W-LP.

    That has 68 points in pt2d; here they are in pt3d_68, and pt2d has 21.
    """
    labels = [n for n in sorted(names) if mat_labels.is_label(n) and is_named_alike(n)]
    for name in labels[:_PROBES]:
        shapes = mat_labels.shapes(source, name)
        if shapes:
            return "pt3d_68" in shapes or shapes.get("pt2d", (2, _COUNT))[-1] != _COUNT
    return False


def is_named_alike(name):
    """Whether a picture or label is called image##### as in this set."""
    return bool(re.fullmatch(r"image\d+", pathlib.PurePosixPath(name).stem, re.IGNORECASE))


def read_options(given):
    """The landmarks to draw boxes around, and the same as a mark, empty for the usual."""
    landmarks = given["landmarks"] or USUAL_LANDMARKS
    if landmarks not in LANDMARKS:
        raise RankPoseError(
            f"landmarks: expected one of {', '.join(LANDMARKS)}, received {landmarks!r}"
        )
    return landmarks, "" if landmarks == USUAL_LANDMARKS else landmarks


def list_identities(source, names, options):
    """One identity for each picture. See `readers.Reader`."""
    del source
    listed, skipped = mat_labels.pictures_with_labels(names)
    listed, copies = mat_labels.first_copies(listed, lambda path: path.stem)
    identities = []
    for picture, label in listed:
        path = pathlib.PurePosixPath(picture)
        view = views.ListedView(picture, path.name, (label, options))
        identities.append(views.ListedIdentity(path.stem, path.stem, (view,)))
    return views.Listing(identities, skipped + copies, mat_labels.stamps(names))


def read_view(source, listed):
    """Reads one view; its box is drawn around the landmarks of its label. See `readers.Reader`."""
    name, landmarks = listed.label
    if landmarks == USUAL_LANDMARKS:
        pose, points = mat_labels.read(source, name, landmarks, _COUNT)
    else:  # Two of the files have 23 points.
        pose, points = mat_labels.read(source, name, "pt2d")
    if landmarks == "pt2d_visible":
        points = points[:, np.all(points > 0, axis=0)]
    box = mat_labels.tight_box(points)
    if landmarks == "pt2d_hopenet":
        box = views.checked_box(hopenet_square(box))
    return views.view(listed, views.read_picture(source, listed.path), pose, box)


def describe(source, identities, options):
    """The set under its name, and its landmarks."""
    del source, identities
    return views.Description("AFLW2000-3D", options, 1)


def hopenet_square(box):
    """What is left of a picture after Hopenet's crop, resize and centre crop (its datasets.py).

    With width w and height h of the box, its rectangle reaches 0.4 w beyond the left, 0.4 h
    beyond the top, then 0.4 * 1.4 w beyond the right and 0.12 * 1.4 h beyond the bottom, because
    the left and top edges have moved by then; the square is the largest in its middle.

    Args:
      box: (4,) left, top, right, bottom, pixels.

    Returns:
      (4,) float64 left, top, right, bottom of the square.
    """
    left, top, right, bottom = np.asarray(box, np.float64)
    width, height = right - left, bottom - top
    start = np.array([left - 0.4 * width, top - 0.4 * height])
    end = np.array([right + 0.56 * width, bottom + 0.168 * height])
    centre, half = (start + end) / 2, (end - start).min() / 2
    return np.concatenate([centre - half, centre + half])
