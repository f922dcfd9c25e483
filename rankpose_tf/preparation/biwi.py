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
from rankpose_tf.preparation import biwi_boxes, biwi_cameras, views

OPTIONS = {"boxes": "", "calibration": False}

_FRAMES = 15678
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


def claims(source, names):
    """Whether a source has a NN/frame_NNNNN_rgb.png or its pose."""
    del source
    return any(_NAME.fullmatch(name) for name in names)


def read_options(given):
    """(boxes, calibration), boxes being a `biwi_boxes.FrameList`, `MTCNN` or `HEAD`; and a mark.

    Raises:
      RankPoseError: if MTCNN is asked for and not installed, or a list is unreadable.
    """
    boxes = given["boxes"] or biwi_boxes.HEAD
    mark = boxes
    if boxes == biwi_boxes.MTCNN:
        biwi_boxes.require_mtcnn()
    elif boxes != biwi_boxes.HEAD:
        boxes = biwi_boxes.read_list(boxes)
        mark = boxes.fingerprint
    return (boxes, given["calibration"]), f"{mark} {given['calibration']}"


def list_identities(source, names, options):
    """Deals the frames out to identities; a view's label is a `Label`. See `readers.Reader`.

    Raises:
      RankPoseError: if a calibration is needed and absent, or is broken.
    """
    boxes, calibration = options
    files, skipped = _files(names)
    of_list = isinstance(boxes, biwi_boxes.FrameList)
    skipped += boxes.skipped if of_list else []
    sequences = {}
    for frame in sorted(boxes.boxes if of_list else files):
        of_frame = files.get(frame, {})
        reason = _reason(of_frame)
        if reason:
            skipped.append((of_frame.get(_RGB) or of_frame.get(_POSE) or frame + _RGB, reason))
        else:
            sequences.setdefault(frame[:2], []).append(frame)
    needed = "boxes" if boxes == biwi_boxes.HEAD else "calibration" if calibration else ""
    cameras = _cameras(source, names, sequences, needed) if needed else {}

    def view(frame):
        box = boxes.boxes[frame] if of_list else boxes
        label = Label(files[frame][_POSE], box, cameras.get(frame[:2]), calibration)
        return views.ListedView(files[frame][_RGB], frame + _RGB, label)

    identities = [
        identity
        for sequence, frames in sequences.items()
        for identity in _dealt(sequence, [view(frame) for frame in frames])
    ]
    stamps = {n: names[n] for n in names if _NAME.fullmatch(n) or _CALIBRATION.fullmatch(n)}
    return views.Listing(identities, skipped, stamps)


def _files(names):
    """Dict of frame -> dict of suffix -> path; and (path, reason) of second copies of a frame."""
    files, skipped = {}, []
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if not match:
            continue
        of_frame = files.setdefault(match[1], {})
        if match[2] not in of_frame:
            of_frame[match[2]] = name
        elif match[2] == _RGB:
            skipped.append((name, views.DUPLICATE_FRAME))
    return files, skipped


def _reason(files):
    """Why a frame cannot be used, or None."""
    if not files:
        return views.LISTED_ONLY
    if _RGB not in files:
        return views.MISSING_PICTURE
    return None if _POSE in files else views.MISSING_LABEL


def _cameras(source, names, sequences, needed):
    """Dict of sequence -> `biwi_cameras.Camera`."""
    calibrations = {}
    for name in sorted(names):
        match = _CALIBRATION.fullmatch(name)
        if match:
            calibrations.setdefault(match.groups(), name)
    missing = [sequence for sequence in sequences if (sequence, "rgb") not in calibrations]
    if missing:
        raise RankPoseError(
            f"{needed}: rgb.cal is needed and missing in sequence {', '.join(missing)} of the "
            "source; copy it from the original set, or pass --boxes=FILE.csv or --boxes=mtcnn "
            "without --calibration"
        )
    return {
        sequence: biwi_cameras.read(
            source, calibrations[sequence, "rgb"], calibrations.get((sequence, "depth"))
        )
        for sequence in sequences
    }


def _dealt(sequence, listed):
    """Identities of up to `_VIEWS` views; each has views of the whole sequence."""
    count = -(-len(listed) // _VIEWS)
    person = _PEOPLE.get(sequence, sequence)
    return [
        views.ListedIdentity(f"{sequence}/{index:03d}", person, tuple(listed[index::count]))
        for index in range(count)
    ]


def describe(source, identities, options):
    """Which frames of how many, which angles and which boxes."""
    del source
    boxes, calibration = options
    held = sum(len(identity.views) for identity in identities)
    angles = "colour-frame angles by rgb.cal" if calibration else "depth-frame angles"
    if isinstance(boxes, biwi_boxes.FrameList):
        listed = len(boxes.boxes) + len(boxes.skipped)
        frames = f"{listed:,} frames of {boxes.name}"
        frames = frames if held == listed else f"{held:,} of the {frames}"
        box_source = f"of {boxes.name}, 0.4 margin undone"
    else:
        frames = f"all {_FRAMES:,}" if held == _FRAMES else f"{held:,} of {_FRAMES:,}"
        frames, box_source = f"{frames} frames", "150 mm around the labelled head centre"
        if boxes == biwi_boxes.MTCNN:
            frames += " but those where MTCNN finds no face"
            box_source = "MTCNN, run here"
    return views.Description(f"BIWI ({frames}, {angles})", box_source, 1)


def read_view(source, listed):
    """Reads one view. See `readers.Reader`."""
    label = listed.label
    rotation, centre = read_pose(source, label.pose)
    if label.calibration:
        rotation = label.camera.rotation @ rotation
    pose = views.checked_pose(angles(rotation))
    image = views.read_picture(source, listed.path)
    return views.view(listed, image, pose, views.checked_box(_box(label, centre, image)))


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
      views.SkippedView: if the file holds anything else.
    """
    try:
        numbers = np.array([float(text) for text in source.read(name).split()])
    except (OSError, ValueError) as error:
        raise views.SkippedView(views.CORRUPT_LABEL) from error
    if numbers.shape != (12,):
        raise views.SkippedView(views.CORRUPT_LABEL)
    if not np.all(np.isfinite(numbers)):
        raise views.SkippedView(views.NAN_LABEL)
    rotation = numbers[:9].reshape(3, 3)
    if not biwi_cameras.is_rotation(rotation):
        raise views.SkippedView(views.CORRUPT_LABEL)
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
