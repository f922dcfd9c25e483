"""Fits the rule that turns a detector's box into a landmark box, and measures what it costs.

    python -m rankpose_tf.studies.detector_rule --detector=blazeface --source=aflw_lp.zip
    python -m rankpose_tf.studies.detector_rule --detector=blazeface --data=prepared/aflw2000 --model=run

The first prints the weights for `rankpose_tf.inference.detection`: fitted on view 0 (the photo) of training
identities, never on a test set. The pictures of aflw_lp are tight crops of faces, so they get a
black border of a quarter of their side first; most detectors look for a face with surroundings.
The second finds the faces of a prepared test set, takes `detection.main_face` of each picture (chosen
without a look at the labels) and scores the model on its box and on the landmark box of the same
pictures. A picture without a face is a miss; one whose box overlaps the landmark square by less
than 0.4 is a wrong face; both are counted and named, and are no part of the two MAEs.
"""

import pathlib

import numpy as np
from absl import flags

from rankpose_tf.core import command, crop, files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import records
from rankpose_tf.evaluation import metrics
from rankpose_tf.inference import blazeface, detection
from rankpose_tf.prediction import tracking
from rankpose_tf.preparation import sources, w300lp

_DETECTOR = flags.DEFINE_enum("detector", "blazeface", ("blazeface", "mtcnn"), "Which to take.")
_SOURCE = flags.DEFINE_string("source", "", "300W-LP's layout, folder or zip: fit on view 0.")
_PICTURES = flags.DEFINE_integer("pictures", 1500, "How many to fit on.", lower_bound=20)
_BORDER = flags.DEFINE_float("border", 0.25, "Black around them, share of the longer side.", 0.0)
_SEED = flags.DEFINE_integer("seed", 0, "Chooses the pictures to fit on.")
_POINTS = flags.DEFINE_boolean("points", True, "Use the detector's points; else the box alone.")
_DATA = flags.DEFINE_string("data", "", "Prepared test set: measure.")
_MODEL = flags.DEFINE_string("model", "", "Workdir or .keras file to measure with.")
_OUT = flags.DEFINE_string("out", "", "JSON file for the figures of --data; none if empty.")

_BACKENDS = {"blazeface": blazeface.backend, "mtcnn": detection.mtcnn_backend}
_RULES = {"blazeface": detection.BLAZEFACE_RULE, "mtcnn": detection.MTCNN_RULE}
# Which point each point becomes when the picture is mirrored.
_MIRRORED = {"blazeface": (1, 0, 2, 3, 5, 4), "mtcnn": (1, 0, 2, 4, 3)}
_WRONG_FACE_OVERLAP = 0.4
_REWEIGHTINGS = 50


def main(argv):
    del argv
    if bool(_SOURCE.value) == bool(_DATA.value):
        raise RankPoseError("source, data: pass one: --source to fit, or --data to measure")
    find = _BACKENDS[_DETECTOR.value]()
    if _SOURCE.value:
        pictures = training_photos(_SOURCE.value, _PICTURES.value, _SEED.value)
        features, targets, missed = samples(find, pictures, _BORDER.value, _POINTS.value)
        mirrored = _MIRRORED[_DETECTOR.value] if _POINTS.value else ()
        weights = fit(*with_mirrored(features, targets, mirrored))
        left = np.median(np.abs(features @ weights - targets), axis=0)
        print(f"{len(features)} faces, {missed} missed; median error of dx, dy, f: {left.round(4)}")
        print("Rule((" + ", ".join(f"({x:.4f}, {y:.4f}, {f:.4f})" for x, y, f in weights) + "))")
        return
    if not _MODEL.value:
        raise RankPoseError("model: pass --model=WORKDIR to measure with")
    result = measure(detection.from_backend(find, _RULES[_DETECTOR.value]), _DATA.value, _MODEL.value)
    print("\n".join(f"{name}: {value}" for name, value in result.items()))
    if _OUT.value:
        files.write_json(pathlib.Path(_OUT.value), {"detector": _DETECTOR.value, **result})


def training_photos(source, count, seed):
    """View 0 of randomly chosen identities, of those within the 99-degree filter.

    Args:
      source: folder or zip in 300W-LP's layout.
      count: pictures wanted.
      seed: of the choice.

    Yields:
      image (H, W, 3) uint8 RGB, box (4,) left, top, right, bottom of the landmarks, pixels.
    """
    opened = sources.open_source(source)
    try:
        identities, _ = w300lp.list_identities(opened.stamps(), pathlib.Path(source).stem)
        order = np.random.default_rng(seed).permutation(len(identities))
        for index in order:
            if count == 0:
                return
            try:
                view = w300lp.read_view(opened, identities[index].views[0])
            except sources.SkippedView:
                continue
            if records.within_limit(view.pose[np.newaxis])[0]:
                count -= 1
                yield decoded(view.image), view.box
    finally:
        opened.close()


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
      features (N, F) of `detection.relative`, targets (N, 3) dx, dy, f, and the count of pictures
      without a face. The best face counts: a training photo is a crop of one.
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
        row, centre, side = detection.relative(boxes[best], chosen)
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
    from rankpose_tf.models.saving import load_model

    network, description = load_model(model)
    rows, missed, wrong = [], [], []
    for name, image, pose, truth in test_pictures(data):
        found = detector(image)
        if not found:
            missed.append(name)
            continue
        box = detection.main_face(found, image.shape[1], image.shape[0]).box
        if tracking.overlaps([box], [crop.square_around(truth, 1.0)])[0, 0] < _WRONG_FACE_OVERLAP:
            wrong.append(name)
            continue
        squares = [crop.square_around(chosen, description["crop_scale"]) for chosen in (box, truth)]
        size = description["input_size"]
        rows.append((pose, *(crop.crop_and_resize(image, square, size) for square in squares)))
    if not rows:
        raise RankPoseError(f"data: no face was found in any picture of {str(data)!r}")
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
    names = (*metrics.ANGLES, "mean")
    errors = (*errors, errors.mean())
    return {name: round(float(e), 3) for name, e in zip(names, errors, strict=True)}


def test_pictures(data):
    """Yields name, image (H, W, 3) uint8 RGB, pose (3,) radians and box (4,) of a prepared set."""
    import tensorflow as tf

    for serialized in tf.data.TFRecordDataset(records.list_shards(data)):
        record = {key: value.numpy() for key, value in records.parse_identity(serialized).items()}
        for index in np.flatnonzero(records.within_limit(record["poses"])):
            yield (
                record["names"][index].decode(),
                decoded(record["images"][index]),
                record["poses"][index],
                record["boxes"][index],
            )


if __name__ == "__main__":
    command.run(main)
