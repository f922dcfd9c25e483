"""A made-up BIWI in its own layout, and short ways to read it, for the tests of its reader."""

import math

import cv2
import numpy as np

from rankpose_tf.core import pose
from rankpose_tf.preparation import biwi, plan, sources
from rankpose_tf.preparation import prepare as shards

# From the camera's axes of pose.py (y up, z to the viewer) to BIWI's (y down, z away).
AXES = np.diag([1.0, -1.0, -1.0])
PNG = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
FOCAL = 500.0


def rows_text(matrix):
    return "".join(" ".join(f"{value:.9f}" for value in row) + " \n" for row in matrix)


def pose_text(angles=(0.3, -0.2, 0.1), centre=(0.0, 0.0, 1000.0)):
    rotation = AXES @ pose.rotation_from_angles(angles) @ AXES
    return f"{rows_text(rotation)}\n{rows_text([centre])}"


NO_TURN = np.eye(3)


def cal_text(rotation=NO_TURN, translation=(0.0, 0.0, 0.0)):
    matrix = [[FOCAL, 0, 32], [0, FOCAL, 24], [0, 0, 1]]
    parts = (matrix, [[0, 0, 0, 0]], rotation, [translation], [[64, 48]])
    return "\n".join(rows_text(part) for part in parts)


def frame(folder, name, picture=PNG, label=None, cal=None):
    """Writes hpdb/NAME_rgb.png and its pose; either may be None or b"" to leave it out."""
    path = folder / "hpdb" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if picture:
        path.with_name(path.name + "_rgb.png").write_bytes(picture)
    label = pose_text() if label is None else label
    if label:
        path.with_name(path.name + "_pose.txt").write_text(label)
    if cal:
        (path.parent / "rgb.cal").write_text(cal)
    return folder


def list_file(folder, *rows, header="image,x,y,width,height"):
    path = folder / "list.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def turn(degrees):
    """Turns about the camera's y axis; BIWI's axes."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def plan_of(folder, boxes="", calibration=False):
    return plan.make(folder, shards=4, boxes=str(boxes), calibration=calibration)


def views(folder, boxes="", calibration=False):
    source = sources.open_source(folder)
    listed = plan_of(folder, boxes, calibration).identities
    return {v.name: biwi.read_view(source, v) for identity in listed for v in identity.views}


def prepare(source, out, **options):
    return shards.prepare(source, out, workers=1, progress=False, **options)
