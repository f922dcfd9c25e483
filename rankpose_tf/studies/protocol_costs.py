"""What each choice of a protocol costs: one model, one test set, a row a choice, as Markdown."""

import pathlib

import numpy as np
from scipy.spatial.transform import Rotation

from rankpose_tf.core import damage, pose, tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, prepared_folder
from rankpose_tf.evaluation import metrics, protocols
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.models.saving import load_model, read_description

CROP_SCALES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
_BATCH_SIZE = 64
_TIGHT_BOXES = {
    "pt2d_visible": "hidden points left out",
    "pt2d": "hidden points at -1 taken for points",
}
# SciPy's letters for the order of turns of the transposed rotation; ours is ZYX.
_ORDERS = {
    "R = Rz Ry Rx, as Hopenet reads BIWI": "XYZ",
    "R = Rz Rx Ry, yaw before pitch": "YXZ",
}


def measure(model, data, misses=()):
    """The rows of the table.

    Args:
      model: workdir or .keras file.
      data: prepared folders of the same pictures; the first has boxes of pt3d_68.
      misses: JSON files of `detector_rule`.

    Returns:
      List of (group, title, figures): figures as from `figures_of`; the first row is ours.

    Raises:
      RankPoseError: for a model, data or files that can't be read, or other boxes in the first.
    """
    sets = {folder: prepared_folder.read_description(folder) for folder in data}
    folders = {description["box_source"]: folder for folder, description in sets.items()}
    if next(iter(folders)) != "pt3d_68":
        raise RankPoseError(
            f"data: expected boxes of pt3d_68 in the first folder, received {next(iter(folders))}; "
            "pass the one that was prepared without --landmarks first"
        )
    missed = {pathlib.Path(path).stem: read_misses(path) for path in misses}
    scale = read_description(model)["crop_scale"]
    network, description = load_model(model)

    def run(boxes, crop_scale, filter_angles=True):
        folder = folders[boxes]
        count = evaluation.count_pictures(folder, sets[folder], filter_angles)
        size = description["input_size"]
        views = pairs.views(folder, size, crop_scale, _BATCH_SIZE, filter_angles)
        return evaluation.predict(network, views, folder, count)

    ours, unfiltered = run("pt3d_68", scale), run("pt3d_68", scale, False)
    title = f"pt3d_68, crop {scale:g}, within 99 degrees, plain errors"
    return [
        ("ours", title, figures_of(_errors(ours))),
        *other_crops(run, scale, folders),
        ("filter", "off: angles over 99 degrees too", figures_of(_errors(unfiltered))),
        *flattering(ours, unfiltered, missed),
        *rotations(ours),
    ]


def other_crops(run, scale, boxes):
    """Rows of other crop factors, landmarks and named protocols.

    Args:
      run: function of boxes and crop factor -> dict with true and predicted, (N, 3) degrees.
      scale: our crop factor.
      boxes: which are there, as in dataset.json.
    """
    rows = [("crop factor", f"{s:g}", ("pt3d_68", s)) for s in CROP_SCALES if s != scale]
    rows += [
        ("landmarks", f"{name}: {why}", (name, scale))
        for name, why in _TIGHT_BOXES.items()
        if name in boxes
    ]
    rows += [
        (
            "named protocol",
            f"{name}: {p.boxes}, crop {p.crop_scale:g}",
            (p.boxes, p.crop_scale),
        )
        for name, p in protocols.PROTOCOLS.items()
        if p.boxes in boxes and p.boxes != "pt3d_68"
    ]
    return [(group, title, figures_of(_errors(run(*crop)))) for group, title, crop in rows]


def _errors(angles):
    return np.abs(angles["predicted"] - angles["true"])


def figures_of(errors):
    """Number of pictures, and MAE of yaw, pitch, roll and their mean; errors (N, 3) degrees."""
    return (len(errors), *errors.mean(axis=0), errors.mean())


def flattering(filtered, unfiltered, missed):
    """Rows of the two ways to flatter a result, which we do not use.

    Args:
      filtered: names; true and predicted, (N, 3) degrees.
      unfiltered: the same with the angles over 99 degrees.
      missed: dict of a detector's name -> set of names of pictures.
    """
    rows = {"least of e, e +- 180, e +- 360": turned(_errors(filtered))}
    rows["the same, filter off"] = turned(_errors(unfiltered))
    for detector, names in missed.items():
        kept = np.array([name not in names for name in filtered["names"]])
        rows[f"without the pictures where {detector} finds no face"] = _errors(filtered)[kept]
    return [("flattering", title, figures_of(errors)) for title, errors in rows.items()]


def turned(errors):
    """The least that is left of absolute errors after a turn by 0, 180 or 360 degrees."""
    return np.minimum.reduce([np.abs(errors - turn) for turn in (0.0, 180.0, 360.0)])


def rotations(angles):
    """Rows of other orders of the three turns, and of the rotation's angle.

    Args:
      angles: true and predicted, (N, 3) degrees; yaw, pitch, roll.
    """
    true, predicted = angles["true"], angles["predicted"]
    rows = []
    for title, order in _ORDERS.items():
        errors = np.abs(in_order(predicted, order) - in_order(true, order))
        rows.append(("rotation order", f"{title}: labels and predictions", figures_of(errors)))
    errors = np.abs(predicted - in_order(true, "XYZ"))
    rows.append(("rotation order", "the first, labels alone: a mistake", figures_of(errors)))
    mean = metrics.summarise(true, predicted)["geodesic"]["mean"]
    return [*rows, ("metric", "geodesic: angle of one turn", (len(true), None, None, None, mean))]


def in_order(angles, order):
    """The same rotations, as angles of another order of turns.

    Args:
      angles: (N, 3) degrees; yaw, pitch, roll of R = Rx Ry Rz, as `rankpose_tf.core.pose`.
      order: SciPy's letters for the transposed rotation, x pitch, y yaw, z roll; "ZYX" is ours.

    Returns:
      (N, 3) degrees; yaw, pitch, roll.
    """
    matrices = np.swapaxes(pose.rotation_from_angles(np.radians(angles)), -1, -2)
    turns = Rotation.from_matrix(matrices).as_euler(order, degrees=True)
    return turns[:, [order.index(axis) for axis in "YXZ"]]


def read_misses(path):
    """Names of the pictures in which a detector found no face.

    Args:
      path: JSON file of `rankpose_tf.study detector_fit --out`.

    Raises:
      RankPoseError: if it is none.
    """
    advice = (
        "pass a file that `python -m rankpose_tf.study detector_fit --data=... --out=FILE` wrote"
    )
    if not pathlib.Path(path).is_file():
        raise RankPoseError(f"misses: there is no file {str(path)!r}; {advice}")
    found = damage.json_object("misses", path, advice)
    with damage.told("misses", path, advice):
        return set(found["missed"])


def table(rows, model):
    """The rows as Markdown.

    Args:
      rows: from `measure`.
      model: what the model is called.
    """
    ours = rows[0][2][-1]
    header = ("What", "", "Images", "Yaw", "Pitch", "Roll", "Mean", "Against ours")
    lines = []
    for group, title, (images, *angles, mean) in rows:
        cells = ["-" if angle is None else f"{angle:.2f}" for angle in angles]
        # The angle of one turn is no MAE of three.
        against = "-" if angles[0] is None else f"{mean - ours:+.2f}"
        lines.append((group, title, images, *cells, f"{mean:.2f}", against))
    return f"Model `{model}`: {ours:.2f}.\n\n{tables.markdown(header, lines)}\n"
