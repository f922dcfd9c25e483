"""BIWI Kinect Head Pose (Fanelli et al., IJCV 2013): the folder hpdb, or a zip of it.

Frames are NN/frame_NNNNN_rgb.png (640x480) below any leading folder, each beside a
frame_NNNNN_pose.txt: the head's rotation (3x3), a blank line, and its centre in mm, both in the
axes of the depth camera (x right, y down, z away). Beside them lie rgb.cal and depth.cal.

With M the transposed rotation, as all peers read it:

    roll = -atan2(M10, M00),  yaw = -atan2(-M20, hypot(M21, M22)),  pitch = atan2(M21, M22)

which is the convention of `pose.py` once the axes point the same way. `calibration` turns the
rotation into the axes of the colour camera, which took the picture. Most published figures are
without it, so it is off by default, and the protocol's name tells.

A sequence has about 650 frames of 370 KB, too many for one record. So its frames are dealt out to
identities of up to 5 views, which lie evenly over the whole sequence: a pair of one identity shows
two different poses. All identities of one person are one group: four people sit for two sequences.
"""

import re
from typing import NamedTuple

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records
from rankpose_tf.preparation import biwi_boxes, biwi_cameras, sources

FRAMES = 15678

_VIEWS = 5
_RGB, _POSE = "_rgb.png", "_pose.txt"
_NAME = re.compile(r"(?:.*/)?(\d\d/frame_\d{5})(_rgb\.png|_pose\.txt)")
_CALIBRATION = re.compile(r"(?:.*/)?(\d\d)/(rgb|depth)\.cal")
# Sequence -> person: 6 women and 14 men.
_PEOPLE = dict(
    zip(
        (f"{number:02d}" for number in range(1, 25)),
        (
            "F01 F02 F03 F04 F05 F06 M01 M02 M03 M04 M05 M06 "
            "M07 M08 F03 M09 M10 F05 M11 M12 F02 M01 M13 M14"
        ).split(),
        strict=True,
    )
)


class Label(NamedTuple):
    """What `read_view` needs besides the picture.

    Attributes:
      pose: name of the pose.txt.
      box: row of a `biwi_boxes.FrameList`; or `biwi_boxes.MTCNN` or `biwi_boxes.HEAD`.
      camera: `biwi_cameras.Camera` of the sequence; None where none is needed.
      calibration: turn the rotation into the colour camera's axes.
    """

    pose: str
    box: object
    camera: object
    calibration: bool


def is_wanted(name):
    """Whether a file of the source plays a part: a frame, its pose, or a calibration."""
    return bool(_NAME.fullmatch(name) or _CALIBRATION.fullmatch(name))


def is_layout(names):
    """Whether a source is BIWI: it has a NN/frame_NNNNN_rgb.png or its pose."""
    return any(_NAME.fullmatch(name) for name in names)


def list_identities(source, names, boxes, calibration):
    """Deals the frames out to identities.

    Args:
      source: `sources.Folder` or `sources.Zip`; only its .cal files are read.
      names: names of all files in it.
      boxes: `biwi_boxes.FrameList`, `biwi_boxes.MTCNN` or `biwi_boxes.HEAD`.
      calibration: turn the rotations into the colour camera's axes.

    Returns:
      List of `sources.ListedIdentity` with a `Label` each view, and list of (path, reason) of
      frames that cannot be used, as names alone tell.

    Raises:
      RankPoseError: if a calibration is needed and absent, or is broken.
    """
    found, skipped = _files(names)
    of_list = isinstance(boxes, biwi_boxes.FrameList)
    skipped += boxes.skipped if of_list else []
    sequences = {}
    for frame in sorted(boxes.boxes if of_list else found):
        files = found.get(frame, {})
        reason = _reason(files)
        if reason:
            skipped.append((files.get(_RGB) or files.get(_POSE) or frame + _RGB, reason))
        else:
            sequences.setdefault(frame[:2], []).append(frame)
    needed = "boxes" if boxes == biwi_boxes.HEAD else "calibration" if calibration else ""
    cameras = _cameras(source, names, sequences, needed) if needed else {}

    def view(frame):
        box = boxes.boxes[frame] if of_list else boxes
        label = Label(found[frame][_POSE], box, cameras.get(frame[:2]), calibration)
        return sources.ListedView(found[frame][_RGB], frame + _RGB, label)

    return [
        identity
        for sequence, frames in sequences.items()
        for identity in _dealt(sequence, [view(frame) for frame in frames])
    ], skipped


def _files(names):
    """Dict of frame -> dict of suffix -> path; and (path, reason) of second copies of a frame."""
    found, skipped = {}, []
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if not match:
            continue
        files = found.setdefault(match[1], {})
        if match[2] not in files:
            files[match[2]] = name
        elif match[2] == _RGB:
            skipped.append((name, sources.DUPLICATE_FRAME))
    return found, skipped


def _reason(files):
    """Why a frame cannot be used, or None."""
    if not files:
        return sources.LISTED_ONLY
    if _RGB not in files:
        return sources.MISSING_PICTURE
    return None if _POSE in files else sources.MISSING_LABEL


def _cameras(source, names, sequences, needed):
    """Dict of sequence -> `biwi_cameras.Camera`."""
    found = {}
    for name in sorted(names):
        match = _CALIBRATION.fullmatch(name)
        if match:
            found.setdefault(match.groups(), name)
    missing = [sequence for sequence in sequences if (sequence, "rgb") not in found]
    if missing:
        raise RankPoseError(
            f"{needed}: rgb.cal is needed and missing in sequence {', '.join(missing)} of the "
            "source; copy it from the original set, or pass --boxes=FILE.csv or --boxes=mtcnn "
            "without --calibration"
        )
    return {
        sequence: biwi_cameras.read(source, found[sequence, "rgb"], found.get((sequence, "depth")))
        for sequence in sequences
    }


def _dealt(sequence, views):
    """Identities of up to `_VIEWS` views; each has views of the whole sequence."""
    count = -(-len(views) // _VIEWS)
    person = _PEOPLE.get(sequence, sequence)
    return [
        sources.ListedIdentity(f"{sequence}/{index:03d}", person, tuple(views[index::count]))
        for index in range(count)
    ]


def protocol(identities, boxes, calibration):
    """What reports call the frames and angles, and the boxes.

    Args:
      identities: from `list_identities`.
      boxes, calibration: as given to it.

    Returns:
      protocol_set and box_source of dataset.json.
    """
    held = sum(len(identity.views) for identity in identities)
    angles = "colour-frame angles by rgb.cal" if calibration else "depth-frame angles"
    if isinstance(boxes, biwi_boxes.FrameList):
        listed = len(boxes.boxes) + len(boxes.skipped)
        frames = f"{listed:,} frames of {boxes.name}"
        frames = frames if held == listed else f"{held:,} of the {frames}"
        return f"BIWI ({frames}, {angles})", f"of {boxes.name}, 0.4 margin undone"
    frames = f"all {FRAMES:,} frames" if held == FRAMES else f"{held:,} of {FRAMES:,} frames"
    if boxes == biwi_boxes.MTCNN:
        return f"BIWI ({frames} but those where MTCNN finds no face, {angles})", "MTCNN, run here"
    return f"BIWI ({frames}, {angles})", "150 mm around the labelled head centre"


def read_view(source, listed):
    """Reads one view.

    Args:
      source: `sources.Folder` or `sources.Zip`.
      listed: `sources.ListedView` with a `Label`.

    Returns:
      `records.View`.

    Raises:
      sources.SkippedView: if its picture or pose is unusable, or MTCNN finds no face.
    """
    label = listed.label
    rotation, centre = read_pose(source, label.pose)
    if label.calibration:
        rotation = label.camera.rotation @ rotation
    pose = sources.checked_pose(angles(rotation))
    image = sources.read_picture(source, listed.path)
    box = _box(label, centre, image)
    return records.View(listed.name, image, pose, sources.checked_box(box))


def _box(label, centre, image):
    """(4,) landmark box of a view, pixels."""
    if label.box == biwi_boxes.MTCNN:
        return biwi_boxes.from_mtcnn(image)
    if label.box == biwi_boxes.HEAD:
        return biwi_boxes.around_head(centre, label.camera)
    return biwi_boxes.from_list(*label.box)


def read_pose(source, name):
    """Rotation (3, 3) of the head and its centre (3,) in mm, in the depth camera's axes.

    Raises:
      sources.SkippedView: if the file holds anything else.
    """
    try:
        numbers = np.array([float(text) for text in source.read(name).split()])
    except (OSError, ValueError) as error:
        raise sources.SkippedView(sources.CORRUPT_LABEL) from error
    if numbers.shape != (12,):
        raise sources.SkippedView(sources.CORRUPT_LABEL)
    if not np.all(np.isfinite(numbers)):
        raise sources.SkippedView(sources.NAN_LABEL)
    rotation = numbers[:9].reshape(3, 3)
    if not biwi_cameras.is_rotation(rotation):
        raise sources.SkippedView(sources.CORRUPT_LABEL)
    return rotation, numbers[9:]


def angles(rotation):
    """The rule of the module's docstring.

    Args:
      rotation: (3, 3), as in pose.txt.

    Returns:
      (3,) float64 yaw, pitch, roll, radians.
    """
    m = np.transpose(rotation)
    yaw = -np.arctan2(-m[2, 0], np.hypot(m[2, 1], m[2, 2]))
    return np.array([yaw, np.arctan2(m[2, 1], m[2, 2]), -np.arctan2(m[1, 0], m[0, 0])])
