"""AFLW2000-3D (Zhu et al., CVPR 2016): a folder, or the zip as distributed.

Pictures are image#####.jpg, each beside a .mat with Pose_Para and pt3d_68. The box is that of
pt3d_68: pt2d of these files has 21 points and -1 for the hidden ones, and a box from it is wrong
(it costs FSA-Net 5.07 -> 7.79 degrees of MAE). Every picture is an identity of one view.

Other protocols use pt2d all the same, so `LANDMARKS` has it too, for a test under theirs.
"""

import dataclasses
import io
import pathlib
import re

import numpy as np

from rankpose_tf.data import records
from rankpose_tf.preparation import sources, w300lp

USUAL_LANDMARKS = "pt3d_68"
# pt2d: hidden points at -1 are taken for points, as Hopenet and 6DRepNet do. pt2d_visible: they
# are left out, as FSA-Net does. pt2d_hopenet: the square that Hopenet cuts, from pt2d.
LANDMARKS = (USUAL_LANDMARKS, "pt2d_visible", "pt2d", "pt2d_hopenet")

# How many .mat files to look at before the layout counts as another one; the first may be broken.
_PROBES = 10


def is_layout(source, names):
    """Whether a source is AFLW2000-3D: it has an image#####.mat with pt3d_68.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      names: names of all files in it.
    """
    from scipy import io as scipy_io

    labels = [n for n in sorted(names) if re.search(r"(^|/)image\d+\.mat$", n)]
    for name in labels[:_PROBES]:
        try:
            variables = scipy_io.whosmat(io.BytesIO(source.read(name)))
        except Exception:  # scipy reports damage by many types, from TypeError to zlib.error.
            continue
        return any(variable[0] == "pt3d_68" for variable in variables)
    return False


def list_identities(names, top):
    """One identity for each picture.

    Args:
      names: names of all files in the source.
      top: unused; what the source is called.

    Returns:
      List of `sources.ListedIdentity`, and list of (path, reason) of pictures without a .mat.
    """
    del top
    listed, skipped = w300lp.pictures_with_labels(names)
    identities = []
    for picture, label in listed:
        path = pathlib.PurePosixPath(picture)
        view = sources.ListedView(picture, path.name, label)
        identities.append(sources.ListedIdentity(path.stem, path.stem, (view,)))
    return identities, skipped


def with_landmarks(identities, landmarks):
    """The same identities, whose boxes `read_view` draws around other landmarks.

    Args:
      identities: list of `sources.ListedIdentity` from `list_identities`.
      landmarks: one of `LANDMARKS`.
    """
    return [
        dataclasses.replace(
            identity,
            views=tuple(
                dataclasses.replace(view, label=(view.label, landmarks)) for view in identity.views
            ),
        )
        for identity in identities
    ]


def read_view(source, listed):
    """Reads one view; as `w300lp.read_view`, but its box is the tight box of pt3d_68.

    Where the label names other landmarks, as from `with_landmarks`, it is theirs.
    """
    if isinstance(listed.label, str):
        pose, box = w300lp.read_label(source, listed.label, USUAL_LANDMARKS)
    else:
        pose, box = _read_pt2d(source, *listed.label)
    return records.View(listed.name, sources.read_picture(source, listed.path), pose, box)


def _read_pt2d(source, name, landmarks):
    """Pose and box of pt2d as `w300lp.read_label` returns them; two of the files have 23 points."""
    pose, points = w300lp.read_points(source, name, "pt2d", None)
    if landmarks == "pt2d_visible":
        points = points[:, np.all(points > 0, axis=0)]
    if not points.size:
        raise sources.SkippedView(sources.BAD_BOX)
    box = np.concatenate([points.min(axis=1), points.max(axis=1)])
    if landmarks == "pt2d_hopenet":
        box = hopenet_square(box)
    return pose, sources.checked_box(box)


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
