"""AFLW2000-3D (Zhu et al., CVPR 2016): a folder, or the zip as distributed.

Pictures are image#####.jpg, each beside a .mat with Pose_Para and pt3d_68. The box is that of
pt3d_68: pt2d of these files has 21 points and -1 for the hidden ones, and a box from it is wrong
(it costs FSA-Net 5.07 -> 7.79 degrees of MAE). Every picture is an identity of one view.
"""

import io
import pathlib
import re

from rankpose_tf.data import records, sources, w300lp

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


def read_view(source, listed):
    """Reads one view; as `w300lp.read_view`, but its box is the tight box of pt3d_68."""
    pose, box = w300lp.read_label(source, listed.label, "pt3d_68")
    return records.View(listed.name, sources.read_picture(source, listed.path), pose, box)
