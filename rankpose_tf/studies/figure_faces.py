"""The faces that a figure of the paper is made of: the same pictures, cut alike, for all models."""

import contextlib
import tempfile

import numpy as np

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs, prepared_folder
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.preparation import prepare

SYNTHETIC = "synthetic"
_HEADS = 200


@contextlib.contextmanager
def prepared(data):
    """Yields a prepared folder and the content of its dataset.json.

    Args:
      data: the folder, or "synthetic" for heads that are rendered now and removed afterwards.

    Raises:
      RankPoseError: for a folder that is not prepared.
    """
    with contextlib.ExitStack() as stack:
        if data == SYNTHETIC:
            data = stack.enter_context(tempfile.TemporaryDirectory())
            prepare.prepare(
                None,
                data,
                kind=SYNTHETIC,
                shards=1,
                workers=1,
                synthetic_identities=_HEADS,
                progress=False,
            )
        description = prepared_folder.read_description(data)
        if description["kind"] == SYNTHETIC:
            description["protocol_set"] = "rendered heads"
        yield data, description


def views(towers, folder, description, crop_scale, filter_angles, batch_size):
    """A function of a size in pixels -> batches of `pairs.views`; and what is seen, in one line.

    Args:
      towers: dict of name -> tower and its description, see `activations.load`.
      folder: prepared.
      description: content of its dataset.json.
      crop_scale: side of the square crop over the box's longer side; None is the towers' own.
      filter_angles: leave out pictures with an angle over 99 degrees.
      batch_size: pictures at once.

    Raises:
      RankPoseError: for models that were made for different crops, or none that says for which.
    """
    if crop_scale is None:
        scales = {own["crop_scale"] for _, own in towers.values() if "crop_scale" in own}
        if len(scales) > 1 or (towers and not scales):
            received = f"they have {', '.join(map(str, sorted(scales)))}" if scales else "none says"
            raise RankPoseError(
                f"crop_scale: the models are to see the same crops, and {received}; pass "
                "--crop_scale, 1.4 is that of the paper's tests"
            )
        crop_scale = scales.pop() if scales else None
    elif not 0 < crop_scale < float("inf"):
        raise RankPoseError(f"crop_scale: expected a number over 0, received {crop_scale}")
    count = evaluation.count_pictures(folder, description, filter_angles)
    line = evaluation.protocol_name(
        description["protocol_set"], description["box_source"], crop_scale, filter_angles
    )

    def batches(size):
        return pairs.views(folder, size, crop_scale, batch_size, filter_angles)

    return batches, f"{line}; {count:,} pictures"


def spread_over_yaw(yaw, count):
    """Pictures at the middles of `count` equal parts of a set that is ordered by yaw.

    Args:
      yaw: (N,) degrees.
      count: how many to choose.

    Returns:
      (count,) indices, the least yaw first; a function of the labels alone.

    Raises:
      RankPoseError: if there are fewer pictures.
    """
    if not 1 <= count <= len(yaw):
        raise RankPoseError(
            f"faces: expected 1 to {len(yaw)}, the pictures of the set, received {count}"
        )
    middles = (np.arange(count) + 0.5) / count * len(yaw)
    return np.argsort(yaw, kind="stable")[middles.astype(int)]
