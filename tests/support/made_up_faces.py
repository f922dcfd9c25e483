"""Made-up pictures and labels in the layouts of the face sets, for the tests of the readers."""

import io
import struct

import cv2
import numpy as np
from scipy import io as scipy_io

POSE = (0.3, -0.2, 0.1)  # yaw, pitch, roll, radians


def jpeg(width=24, height=24, seed=0):
    """Noise as a JPEG, bytes."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def with_orientation(picture, orientation):
    """The same JPEG with an EXIF orientation: 6 is `turn it clockwise to see it upright`."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\0"
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + picture[2:]


def landmarks(left=2.0, top=3.0, right=20.0, bottom=22.0, rows=2):
    """(rows, 68) points whose tight box is the one given; a third row is depth."""
    points = np.full((rows, 68), 0.5 * (left + right))
    points[1] = 0.5 * (top + bottom)
    points[:2, 0], points[:2, 1] = (left, top), (right, bottom)
    return points


def label(pose=POSE, **variables):
    """Bytes of a .mat with Pose_Para as the face sets order it, and pt2d unless told; None: not."""
    yaw, pitch, roll = pose
    content = {"Pose_Para": np.array([[pitch, yaw, roll, 7.0, 8.0, 9.0, 1e-3]], np.float32)}
    content |= variables or {"pt2d": landmarks()}
    content = {name: value for name, value in content.items() if value is not None}
    stream = io.BytesIO()
    scipy_io.savemat(stream, content)
    return stream.getvalue()


def write_300w_lp(folder, faces=6, views=2, picture=None):
    """Writes `faces` identities AFW/face_I of `views` views each; returns the folder."""
    subset = folder / "300W_LP" / "AFW"
    subset.mkdir(parents=True)
    for face in range(faces):
        for view in range(views):
            stem = subset / f"face_{face}_{view}"
            stem.with_suffix(".jpg").write_bytes(picture or jpeg(seed=face * views + view))
            stem.with_suffix(".mat").write_bytes(label((0.1 * view, 0.01 * face, 0.0)))
    return folder
