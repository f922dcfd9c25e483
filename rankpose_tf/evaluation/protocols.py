"""Protocols of head-pose tests that have a name; docs/protocols.md says where each comes from.

An MAE is comparable only with another of the same set, boxes, crop and filter. A name fixes all
four; `boxes` is the landmark source of `rankpose_tf.prepare`, which no later step can change.
"""

from rankpose_tf.core.errors import RankPoseError

# crop_scale None is the model's own. boxes None: the set's name says where they come from. Sets are
# called as in dataset.json.
PROTOCOLS = {
    "aflw2000": {
        "set": "AFLW2000-3D",
        "boxes": "pt3d_68",
        "crop_scale": None,
        "filter_angles": True,
    },
    "rankpose": {
        "set": "AFLW2000-3D",
        "boxes": "pt3d_68",
        "crop_scale": 1.4,
        "filter_angles": True,
    },
    "aflw2000_all_angles": {
        "set": "AFLW2000-3D",
        "boxes": "pt3d_68",
        "crop_scale": 1.4,
        "filter_angles": False,
    },
    "hopenet": {
        "set": "AFLW2000-3D",
        "boxes": "pt2d_hopenet",
        "crop_scale": 1.0,
        "filter_angles": True,
    },
    "6drepnet": {
        "set": "AFLW2000-3D",
        "boxes": "pt2d_hopenet",
        "crop_scale": 0.875,
        "filter_angles": True,
    },
    "fsanet_square": {
        "set": "AFLW2000-3D",
        "boxes": "pt2d_visible",
        "crop_scale": 2.2,
        "filter_angles": True,
    },
    "biwi_13219": {
        "set": "BIWI (13,219 frames of the usual list, depth-frame angles)",
        "boxes": None,
        "crop_scale": 1.4,
        "filter_angles": True,
    },
    "biwi_mtcnn": {
        "set": "BIWI (all 15,678 frames less those without a face by MTCNN, depth-frame angles)",
        "boxes": None,
        "crop_scale": 1.4,
        "filter_angles": True,
    },
    "biwi_all": {
        "set": "BIWI (all 15,678 frames, depth-frame angles)",
        "boxes": None,
        "crop_scale": 1.4,
        "filter_angles": True,
    },
}


def settings(name, about_data, crop_scale=None, filter_angles=None, own_crops=True):
    """Crop and filter of a test, after a look at whether the data and the caller agree with them.

    Args:
      name: one of `PROTOCOLS`; None for the caller's own choice.
      about_data: content of dataset.json.
      crop_scale: side of the square crop over the box's longer side; None to leave it open.
      filter_angles: leave out pictures with an angle over 99 degrees; None to leave it open,
        which is to leave them out.
      own_crops: False where another system made the crops: only set and filter are looked at.

    Returns:
      crop_scale (None for the model's own) and filter_angles.

    Raises:
      RankPoseError: for an unknown name, data of another set or other boxes, or an argument that
        contradicts the protocol.
    """
    if name is None:
        return crop_scale, filter_angles is None or bool(filter_angles)
    if name not in PROTOCOLS:
        raise RankPoseError(f"protocol: expected one of {', '.join(PROTOCOLS)}, received {name!r}")
    protocol = PROTOCOLS[name]
    _check_data(name, protocol, about_data, own_crops)
    given = {"crop_scale": crop_scale, "filter_angles": filter_angles}
    for argument, value in given.items():
        if value is not None and value != protocol[argument]:
            expected = "the model's own" if protocol[argument] is None else protocol[argument]
            raise RankPoseError(
                f"{argument}: the protocol {name!r} has {expected}, received {value}; leave out "
                f"--{argument} or --protocol"
            )
    return protocol["crop_scale"], protocol["filter_angles"]


def _check_data(name, protocol, about_data, own_crops):
    if about_data["protocol_set"] != protocol["set"]:
        raise RankPoseError(
            f"protocol: {name!r} is for {protocol['set']!r}, and the data are "
            f"{about_data['protocol_set']!r}; pass another protocol, or other data"
        )
    boxes = about_data["box_source"]
    if own_crops and protocol["boxes"] not in (None, boxes):
        raise RankPoseError(
            f"protocol: {name!r} takes the boxes of {protocol['boxes']}, and the data were "
            f"prepared with {boxes}; prepare them again into another folder: python -m "
            f"rankpose_tf.prepare --source=PATH --landmarks={protocol['boxes']} --out=DIR"
        )
