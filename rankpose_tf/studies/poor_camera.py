"""Pictures as a poor camera would have taken them, to show what fine-tuning is worth.

They are of identities that the model was not trained on: those its training held out. One part of
them is for training, the other for testing, as a table of pictures each, as a user would bring
them. The pictures to train on are there once more beside those as they were, and the test pictures
as they were.
"""

import csv
import pathlib

import cv2
import numpy as np

from rankpose_tf.core import files, pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.data import identity_split, prepared_folder, records, shards
from rankpose_tf.studies.conditions import darkened
from rankpose_tf.training import stages

PARTS = 4
# What the camera does: side of the square crop around a face, pixels; share of the light; JPEG.
_CROP_PIXELS = 28
_LIGHT = 1 / 4
_JPEG_QUALITY = 50
_COLUMNS = ("image", "identity", *ANGLES, "left", "top", "right", "bottom")


def write(data, folder, part=0, validation_identities=None):
    """Writes own/, mixed/, test/ and clean/, each pictures and their faces.csv.

    own and test are of the poor camera, clean is test as it was, and mixed is own in both ways.

    Args:
      data: prepared shards that the model was trained on.
      folder: a new one.
      part: which of the `PARTS` parts of the identities is for testing.
      validation_identities: how many the model's training held out; None is as many as training
        does where nothing else is asked for.

    Returns:
      Dict of table -> how many pictures it has.

    Raises:
      RankPoseError: for a part that is none, or data or a folder that can't be used.
    """
    if not 0 <= part < PARTS:
        raise RankPoseError(f"part: expected 0 to {PARTS - 1}, received {part}")
    folder = files.new_folder("folder", folder)
    rows = {"own": [], "mixed": [], "test": [], "clean": []}
    parts = {}
    for number, record in enumerate(_held_out(data, validation_identities)):
        # A face and its mirrored copy are one group, and on one side.
        group = record["group"].numpy()
        of_group = parts.setdefault(group, len(parts) % PARTS)
        for view in _views(record, number):
            poor = _poor(view)
            if of_group == part:
                rows["test"].append(poor)
                rows["clean"].append(view)
            else:
                rows["own"].append(poor)
                rows["mixed"] += [{**poor, "name": f"poor_{view['name']}"}, view]
    for name, views in rows.items():
        _write_table(folder / name, views)
    return {f"{name}/faces.csv": len(views) for name, views in rows.items()}


def _held_out(data, count):
    """Yields parsed records of the held-out identities, in the order of the shards."""
    table = prepared_folder.read_identity_table(data)
    count = stages.held_out_count(-1 if count is None else count, table)
    threshold = identity_split.held_out_threshold(table, count)
    parsed = identity_split.held_out_records(data, threshold).map(records.parse_identity)
    return shards.readable(parsed, data)


def _views(record, number):
    """Usable views of an identity: name, identity, content (bytes), box, pose (degrees).

    A name begins with the identity's number and the view's: two sets' folders may hold one name.
    """
    names, images, boxes, poses = (
        record[key].numpy() for key in ("names", "images", "boxes", "poses")
    )
    usable = records.within_limit(record["poses"]).numpy()
    for index in np.flatnonzero(usable):
        yield {
            "name": f"{number}_{index}_{pathlib.PurePath(names[index].decode()).name}",
            "identity": record["group"].numpy().decode(),
            "content": images[index],
            "box": boxes[index],
            "pose": np.degrees(poses[index]),
        }


def _poor(view):
    """The view as the poor camera sees it, its box with it."""
    left, top, right, bottom = view["box"]
    image = pictures.read(view["content"])
    height, width = image.shape[:2]
    scale = _CROP_PIXELS / (1.4 * max(right - left, bottom - top))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    dark = darkened(small[np.newaxis].astype(np.float32), _LIGHT)[0].astype(np.uint8)
    box = view["box"] * np.array([size[0] / width, size[1] / height] * 2)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    content = cv2.imencode(".jpg", dark[..., ::-1], quality)[1].tobytes()
    return {**view, "content": content, "box": box}


def _write_table(folder, views):
    folder.mkdir(parents=True)
    with open(folder / "faces.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for view in views:
            numbers = (f"{value:.3f}" for value in (*view["pose"], *view["box"]))
            writer.writerow((view["name"], view["identity"], *numbers))
            (folder / view["name"]).write_bytes(view["content"])
