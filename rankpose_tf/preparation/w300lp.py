"""300W-LP (Zhu et al., CVPR 2016): a folder, or the zip as distributed.

Pictures are SUBSET/STEM_VIEW.jpg below any leading folder, each beside a .mat with Pose_Para and
pt2d (68 landmarks). All views of one SUBSET/STEM are one face. SUBSET_Flip holds the mirrored
copies: identities of their own, but of the same group, so that a face and its mirror image are
never on two sides of a split.
"""

import pathlib
import re

from rankpose_tf.preparation import aflw2000, mat_labels, views

OPTIONS = {}

_SUBSETS = ("AFW", "HELEN", "IBUG", "LFPW")
_LANDMARKS = 68


def claims(source, names):
    """Whether a source has pictures with a .mat that are not of AFLW2000-3D."""
    listed, _ = mat_labels.pictures_with_labels(names)
    if not aflw2000.claims(source, names):
        return bool(listed)
    return not all(aflw2000.is_named_alike(picture) for picture, _ in listed)


def read_options(given):
    """No option, and no mark of one."""
    del given
    return None, ""


def list_identities(source, names, options):
    """Groups the pictures of a source by face, views in the order of their numbers.

    Pictures without a folder are of a subset called like the source. See `readers.Reader`.
    """
    del options
    listed, skipped = mat_labels.pictures_with_labels(names)
    own = pathlib.PurePath(source.name).stem
    listed, copies = mat_labels.first_copies(
        listed, lambda path: (path.parent.name or own, path.stem)
    )
    faces = {}
    for picture, label in listed:
        path = pathlib.PurePosixPath(picture)
        subset = path.parent.name or own
        stem, number = _split_view(path.stem)
        listed_view = views.ListedView(picture, f"{subset}/{path.name}", label)
        faces.setdefault((subset, stem), []).append((number, listed_view))
    identities = []
    for (subset, stem), numbered in faces.items():
        ordered = tuple(v for _, v in sorted(numbered, key=lambda pair: (pair[0], pair[1].path)))
        group = f"{subset.removesuffix('_Flip')}/{stem}"
        identities.append(views.ListedIdentity(f"{subset}/{stem}", group, ordered))
    return views.Listing(identities, skipped + copies, mat_labels.stamps(names))


def _split_view(stem):
    """`IBUG_image_008_1_0` -> (`IBUG_image_008_1`, 0); a stem may contain a space."""
    match = re.fullmatch(r"(.+)_(\d+)", stem)
    return (match[1], int(match[2])) if match else (stem, 0)


def read_view(source, listed):
    """Reads one view; its box is the tight box of pt2d. See `readers.Reader`."""
    pose, points = mat_labels.read(source, listed.label, "pt2d", _LANDMARKS)
    box = mat_labels.tight_box(points)
    return views.view(listed, views.read_picture(source, listed.path), pose, box)


def describe(source, identities, options):
    """A set that only has 300W-LP's layout keeps its own name."""
    del options
    subsets = {identity.group.partition("/")[0] for identity in identities}
    own = subsets and subsets <= set(_SUBSETS)
    name = "300W-LP" if own else pathlib.PurePath(source.name).stem
    return views.Description(name, "pt2d", 2)
