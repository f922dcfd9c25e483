"""Protocols of head-pose tests that have a name; docs/protocols.md says where each comes from.

An MAE is comparable only with another of the same set, boxes, crop and filter. A name fixes all
four; `boxes` is the landmark source of `rankpose_tf.prepare`, which no later step can change.
"""

from typing import NamedTuple

from rankpose_tf.core.errors import RankPoseError


class Protocol(NamedTuple):
    """What a name fixes.

    Attributes:
      set: as in dataset.json.
      boxes: of which landmarks; None where the set's name says where they come from.
      crop_scale: side of the square crop over the box's longer side; None is the model's own.
      filter_angles: leave out pictures with an angle over 99 degrees.
    """

    set: str
    boxes: str | None
    crop_scale: float | None
    filter_angles: bool = True


_AFLW2000 = "AFLW2000-3D"
_BIWI = "BIWI ({}, depth-frame angles)"
_MTCNN = "all 15,678 frames but those where MTCNN finds no face"
PROTOCOLS = {
    "aflw2000": Protocol(_AFLW2000, "pt3d_68", None),
    "rankpose": Protocol(_AFLW2000, "pt3d_68", 1.4),
    "aflw2000_all_angles": Protocol(_AFLW2000, "pt3d_68", 1.4, False),
    "hopenet": Protocol(_AFLW2000, "pt2d_hopenet", 1.0),
    "6drepnet": Protocol(_AFLW2000, "pt2d_hopenet", 0.875),
    "fsanet_square": Protocol(_AFLW2000, "pt2d_visible", 2.2),
    "biwi_13219": Protocol(_BIWI.format("13,219 frames of the usual list"), None, 1.4),
    "biwi_mtcnn": Protocol(_BIWI.format(_MTCNN), None, 1.4),
    "biwi_all": Protocol(_BIWI.format("all 15,678 frames"), None, 1.4),
}


def settings(name, dataset, crop_scale=None, filter_angles=None, own_crops=True):
    """Crop and filter of a test, after a look at whether the data and the caller agree with them.

    Args:
      name: one of `PROTOCOLS`; None for the caller's own choice.
      dataset: content of dataset.json.
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
    _check_data(name, protocol, dataset, own_crops)
    given = {"crop_scale": crop_scale, "filter_angles": filter_angles}
    for argument, value in given.items():
        fixed = getattr(protocol, argument)
        if value is not None and value != fixed:
            expected = "the model's own" if fixed is None else fixed
            raise RankPoseError(
                f"{argument}: the protocol {name!r} has {expected}, received {value}; leave out "
                f"--{argument} or --protocol"
            )
    return protocol.crop_scale, protocol.filter_angles


def _check_data(name, protocol, dataset, own_crops):
    if dataset["protocol_set"] != protocol.set:
        raise RankPoseError(
            f"protocol: {name!r} is for {protocol.set!r}, and the data are "
            f"{dataset['protocol_set']!r}; pass another protocol, or other data"
        )
    boxes = dataset["box_source"]
    if own_crops and protocol.boxes not in (None, boxes):
        raise RankPoseError(
            f"protocol: {name!r} takes the boxes of {protocol.boxes}, and the data were "
            f"prepared with {boxes}; prepare them again into another folder: python -m "
            f"rankpose_tf.prepare --source=PATH --landmarks={protocol.boxes} --out=DIR"
        )
