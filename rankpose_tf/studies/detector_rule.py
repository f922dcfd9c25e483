"""Fits the rule that turns a detector's box into a landmark box, and measures what it costs.

The weights for `rankpose_tf.inference.landmark_rule` are fitted on view 0 (the photo) of training
identities, never on a test set. Training photos are tight crops of faces, so they get a black
border of a quarter of their side first; most detectors look for a face with surroundings.
`measure` finds the faces of a prepared test set, takes `detection.main_face` of each picture
(chosen without a look at the labels) and scores the model on its box and on the landmark box of
the same pictures. A picture without a face is a miss; one whose box overlaps the landmark square
by less than 0.4 is a wrong face; both are counted and named, and are no part of the two MAEs.
"""

import contextlib

import numpy as np

from rankpose_tf.core import boxes, crop
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records, shards
from rankpose_tf.evaluation import metrics
from rankpose_tf.inference import blazeface, detection, landmark_rule, mtcnn
from rankpose_tf.preparation import plan as plans
from rankpose_tf.preparation import readers, sources, views

_BACKENDS = {"blazeface": blazeface.backend, "mtcnn": mtcnn.backend}
_RULES = {"blazeface": landmark_rule.BLAZEFACE_RULE, "mtcnn": landmark_rule.MTCNN_RULE}
# Which point each point becomes when the picture is mirrored.
_MIRRORED = {"blazeface": (1, 0, 2, 3, 5, 4), "mtcnn": (1, 0, 2, 4, 3)}
_WRONG_FACE_OVERLAP = 0.4
_REWEIGHTINGS = 50


def fit_rule(name, source, count, border, seed, use_points):
    """Fits the rule of a detector on the photos of training identities.

    Args:
      name: "blazeface" or "mtcnn".
      source, count, seed: see `training_photos`.
      border, use_points: see `samples`.

    Returns:
      Two lines: what was found, with the median error of dx, dy, f; and the `Rule`.
    """
    pictures = training_photos(source, count, seed)
    features, targets, missed = samples(_BACKENDS[name](), pictures, border, use_points)
    weights = fit(*with_mirrored(features, targets, _MIRRORED[name] if use_points else ()))
    left = np.median(np.abs(features @ weights - targets), axis=0)
    rows = ", ".join(f"({x:.4f}, {y:.4f}, {f:.4f})" for x, y, f in weights)
    return (
        f"{len(features)} faces, {missed} missed; median error of dx, dy, f: {left.round(4)}\n"
        f"Rule(({rows}))"
    )


def measure_rule(name, data, model):
    """`measure` of a detector by its name, which stands first in the result."""
    find = _BACKENDS[name]()
    return {"detector": name, **measure(detection.from_backend(find, _RULES[name]), data, model)}


def training_photos(source, count, seed):
    """View 0 of randomly chosen identities, of those within the 99-degree filter.

    Args:
      source: what `prepare` reads, whose view 0 is a photo.
      count: pictures wanted.
      seed: of the choice.

    Yields:
      image (H, W, 3) uint8 RGB, box (4,) left, top, right, bottom of the landmarks, pixels.
    """
    plan = plans.make(source)
    reader = readers.READERS[plan.kind]
    with contextlib.closing(sources.open_source(source)) as opened:
        for index in np.random.default_rng(seed).permutation(len(plan.identities)):
            if count == 0:
                return
            try:
                view = reader.read_view(opened, plan.identities[index].views[0])
            except views.SkippedView:
                continue
            if records.within_limit(view.pose[np.newaxis])[0]:
                count -= 1
                yield decoded(view.image), view.box


def decoded(image):
    """Picture bytes -> (H, W, 3) uint8 RGB."""
    import cv2

    return cv2.cvtColor(cv2.imdecode(np.frombuffer(image, np.uint8), 1), cv2.COLOR_BGR2RGB)


def samples(find, pictures, border, use_points):
    """What the rule sees and what it should say, for each picture with a face.

    Args:
      find: a backend, see `detection.from_backend`.
      pictures: of `training_photos`.
      border: black to add on each side, share of the longer side.
      use_points: whether the points are part of what the rule sees.

    Returns:
      features (N, F) of `landmark_rule.relative`, targets (N, 3) dx, dy, f, and the count of
      pictures without a face. The best face counts: a training photo is a crop of one.
    """
    features, targets, missed = [], [], 0
    for image, truth in pictures:
        width = round(border * max(image.shape[:2]))
        padded = np.pad(image, [(width, width), (width, width), (0, 0)])
        boxes, points, scores = find(np.ascontiguousarray(padded))
        if len(scores) == 0:
            missed += 1
            continue
        best = int(np.argmax(scores))
        chosen = points[best] if use_points else points[best][:0]
        row, centre, side = landmark_rule.relative(boxes[best], chosen)
        shift = (truth[:2] + truth[2:]) / 2 + width - centre
        features.append(row)
        targets.append([*(shift / side), (truth[2:] - truth[:2]).max() / side])
    return np.array(features), np.array(targets), missed


def with_mirrored(features, targets, order):
    """Adds every sample's mirror image, so that the rule favours no side.

    Args:
      features: (N, 2K + 1); targets: (N, 3).
      order: K indices: which point each point becomes.

    Returns:
      The same for 2N samples.
    """
    points = features[:, :-1].reshape(len(features), -1, 2)[:, list(order)] * (-1.0, 1.0)
    flipped = np.concatenate([points.reshape(len(features), -1), features[:, -1:]], axis=1)
    return np.concatenate([features, flipped]), np.concatenate([targets, targets * (-1, 1, 1)])


def fit(features, targets):
    """Weights of the least absolute error, by iteratively reweighted least squares.

    Args:
      features: (N, F); targets: (N, 3).

    Returns:
      (F, 3) float64.
    """
    ridge = 1e-6 * len(features) * np.eye(features.shape[1])
    columns = []
    for target in targets.T:
        importance = np.ones(len(features))
        for _ in range(_REWEIGHTINGS):
            weighted = features * importance[:, np.newaxis]
            column = np.linalg.solve(features.T @ weighted + ridge, weighted.T @ target)
            importance = 1.0 / np.maximum(np.abs(features @ column - target), 1e-3)
        columns.append(column)
    return np.stack(columns, axis=1)


def measure(detector, data, model):
    """Misses, and the model's MAE on a detector's boxes and on landmark boxes.

    Args:
      detector: as `rankpose_tf.inference.detection` makes them.
      data: prepared test set; pictures with an angle over 99 degrees are left out.
      model: workdir or .keras file.

    Returns:
      JSON-able dict; MAEs in degrees: yaw, pitch, roll, mean, of the pictures where the right
      face was found.
    """
    found = ((*picture, detector(picture[1])) for picture in test_pictures(data))
    return scored(found, model)


def scored(found, model):
    """What `measure` says, of faces that are found already.

    Args:
      found: iterable of what `test_pictures` yields, each with its list of `Detection` behind.
      model: workdir or .keras file.

    Returns:
      As `measure`.
    """
    from rankpose_tf.models.saving import load_model

    network, description = load_model(model)
    rows, missed, wrong = [], [], []
    for name, image, pose, truth, detections in found:
        if not detections:
            missed.append(name)
            continue
        box = detection.main_face(detections, image.shape[1], image.shape[0]).box
        if boxes.overlaps([box], [crop.square_around(truth, 1.0)])[0, 0] < _WRONG_FACE_OVERLAP:
            wrong.append(name)
            continue
        squares = [crop.square_around(chosen, description["crop_scale"]) for chosen in (box, truth)]
        size = description["input_size"]
        rows.append((pose, *(crop.crop_and_resize(image, square, size) for square in squares)))
    if not rows:
        raise RankPoseError("data: no face was found in any picture")
    poses, *crops = (np.stack(column) for column in zip(*rows, strict=True))
    errors = [np.degrees(np.abs(network.predict(c, verbose=0) - poses)).mean(axis=0) for c in crops]
    return {
        "pictures": len(rows) + len(missed) + len(wrong),
        "missed": missed,
        "wrong_face": wrong,
        "mae_detector_box": _named(errors[0]),
        "mae_landmark_box": _named(errors[1]),
    }


def _named(errors):
    return metrics.by_column(np.round((*errors, errors.mean()), 3))


def test_pictures(data):
    """Yields name, image (H, W, 3) uint8 RGB, pose (3,) radians and box (4,) of a prepared set."""
    import tensorflow as tf

    parsed = tf.data.TFRecordDataset(prepared_folder.list_shards(data)).map(records.parse_identity)
    for record in shards.readable(parsed, data):
        record = {key: value.numpy() for key, value in record.items()}
        for index in np.flatnonzero(records.within_limit(record["poses"])):
            yield (
                record["names"][index].decode(),
                decoded(record["images"][index]),
                record["poses"][index],
                record["boxes"][index],
            )
