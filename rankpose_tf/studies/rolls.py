"""What a roll in the plane costs: near-frontal faces of a set, rolled, found and predicted anew.

Whole pictures are rolled about their middle on a black square as large as their diagonal, so that
nothing of them is lost; then `predict_faces` finds the faces, and the one near the middle and large
counts, without a look at the label. The error is the angle of the rotation between its pose and
the label rolled by as much. A picture without a face is a miss, which is counted.
"""

import math

import cv2
import numpy as np

from rankpose_tf.core import tables, upright
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import geodesic_distance, rotation_from_angles
from rankpose_tf.inference import detection
from rankpose_tf.inference.loading import load
from rankpose_tf.studies.detector_rule import test_pictures

ROLLS = (0, 15, 30, 45, 60, 75, 90, 120, 150, 180, -150, -120, -90, -75, -60, -45, -30, -15)
# Of each angle of the label, degrees.
NEAR_FRONTAL = 20.0
# An error beyond it is a face that was taken for one that is another way up.
_WRONG = 40.0


def rolled(image, degrees):
    """(H, W, 3) turned clockwise on a black square of the side of its diagonal."""
    height, width = image.shape[:2]
    side = math.ceil(math.hypot(height, width))
    centre = np.array([width, height]) / 2
    turned = upright.rotation(-degrees)
    shift = centre - turned @ np.full(2, (side - 1) / 2) - 0.5
    affine = np.column_stack([turned, shift])
    return cv2.warpAffine(
        image, affine, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )


def near_frontal(data, count):
    """Yields image and pose (3,) radians of the first near-frontal pictures of a prepared set."""
    limit = math.radians(NEAR_FRONTAL)
    for name, image, pose, _ in test_pictures(data):
        # Of a pair, the photo: the other is rendered from it.
        if count > 0 and np.all(np.abs(pose) < limit) and "_1." not in name:
            count -= 1
            yield image, pose
        if count == 0:
            return


def measure(data, model=None, count=200, detector=None, rolls=ROLLS):
    """Errors at each roll.

    Args:
      data: prepared set.
      model: as for `load`.
      count: pictures.
      detector: as for `PoseEstimator.predict_faces`, with boxes and turns; BlazeFace by default.
      rolls: degrees, clockwise.

    Returns:
      Dict: roll -> dict of pictures, missed, mean (geodesic error, degrees) and wrong (over 40).

    Raises:
      RankPoseError: for a set without such pictures, and a model that can't be read.
    """
    estimator, detector = load(model), detector or detection.blazeface()
    photos = list(near_frontal(data, count))
    if not photos:
        raise RankPoseError(f"data: {str(data)!r} has no face within {NEAR_FRONTAL:g} degrees")
    return {str(roll): _at(estimator, detector, photos, roll) for roll in rolls}


def _at(estimator, detector, photos, roll):
    errors = []
    for image, pose in photos:
        found = _pose_of_main_face(estimator, detector, rolled(image, roll))
        if found is not None:
            about_z = rotation_from_angles([0.0, 0.0, math.radians(roll)])
            distance = geodesic_distance(found.matrix, about_z @ rotation_from_angles(pose))
            errors.append(math.degrees(distance))
    return {
        "pictures": len(photos),
        "missed": len(photos) - len(errors),
        "mean": float(np.mean(errors)) if errors else None,
        "wrong": int(np.sum(np.array(errors) > _WRONG)),
    }


def _pose_of_main_face(estimator, detector, image):
    faces = detector(image)
    if not faces:
        return None
    main = detection.main_face(faces, image.shape[1], image.shape[0])
    return estimator.predict_faces(image, lambda picture: [main])[0].pose


def table(results):
    """Markdown of what `measure` gives."""
    rows = [
        (roll, "-" if of["mean"] is None else f"{of['mean']:.2f}", of["wrong"], of["missed"])
        for roll, of in results.items()
    ]
    count = next(iter(results.values()))["pictures"]
    header = (f"{count} pictures rolled by", "mean error", f"over {_WRONG:g}", "no face")
    return tables.markdown(header, rows) + "\n"
