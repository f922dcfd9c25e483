"""The detectors of the package beside each other, on the same pictures, in turns.

Three kinds of pictures: those of a prepared test set, of one large face each; faces of the set
pasted into pictures of 640x480 at known places (`pasted_faces`), a 1/3 to a 1/20 of the width; and
pictures without a face. A pasted face is found if a box overlaps the square around its landmarks
by 0.4 or more; a box that overlaps none by as much is a false one, two at one face are a double.
"""

import pathlib
import statistics
import time

import numpy as np

from rankpose_tf.core import boxes, tables
from rankpose_tf.core import pictures as files
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.inference import detection
from rankpose_tf.studies import detector_rule, pasted_faces

NAMES = ("blazeface", "multiscale", "mtcnn")
SHARES = (3, 5, 7, 10, 14, 20)
_SHAPE = (480, 640)
_FACELESS, _PATTERNS = 640, 24
_OVERLAP = 0.4


class Turns:
    """Detectors that see the same pictures one after the other, and their times.

    Args:
      detectors: dict of name -> function image -> list of `detection.Detection`.
    """

    def __init__(self, detectors):
        self._detectors = detectors
        self._seconds = {name: [] for name in detectors}
        for detect in detectors.values():
            # The first call of a network is not like the others.
            detect(np.full((*_SHAPE, 3), 128, np.uint8))

    def __call__(self, image):
        """Dict of name -> list of detections."""
        found = {}
        for name, detect in self._detectors.items():
            start = time.perf_counter()
            found[name] = detect(image)
            self._seconds[name].append(time.perf_counter() - start)
        return found

    def milliseconds(self):
        """Dict of name -> median since the last call of this."""
        taken = {name: 1000 * statistics.median(spent) for name, spent in self._seconds.items()}
        self._seconds = {name: [] for name in self._detectors}
        return taken


def measure(data, model, most=245, faces=40, faceless=None, shares=SHARES, detectors=None):
    """What each detector finds, misses, invents and costs.

    Args:
      data: prepared test set of pictures with surroundings.
      model: workdir or .keras file.
      most: pictures of the set, evenly taken.
      faces: pasted of each size.
      faceless: folder of pictures without a face, to look at as well; None for none.
      shares: parts of the width; 5 is for faces of a fifth.
      detectors: dict of name -> detector; by default those of `NAMES`.

    Returns:
      JSON-able dict: name -> figures, as `table` takes them.
    """
    turns = Turns(detectors or {name: getattr(detection, name)() for name in NAMES})
    chosen = _chosen(data, most)
    result = _of_set(turns, chosen, model)
    sources = [(image, box) for _, image, _, box in chosen]
    for name, figures in _of_pasted(turns, sources, faces, shares).items():
        result[name].update(figures)
    generator = np.random.default_rng(0)
    views = list(pasted_faces.without_faces(sources, _PATTERNS, _FACELESS, generator))
    for kind, images in (("patterns", views), ("photos", _read(faceless) if faceless else [])):
        for name, figures in _invented(turns, images).items():
            result[name][kind] = figures
    return result


def _chosen(data, most):
    every = list(detector_rule.test_pictures(data))
    if not every:
        raise RankPoseError(f"data: {str(data)!r} has no picture within 99 degrees")
    return every[:: -(-len(every) // most)]


def _of_set(turns, chosen, model):
    found = [turns(image) for _, image, _, _ in chosen]
    taken, result = turns.milliseconds(), {}
    for name, milliseconds in taken.items():
        rows = ((*p, faces[name]) for p, faces in zip(chosen, found, strict=True))
        scores = detector_rule.scored(rows, model)
        maes = [scores[f"mae_{box}_box"]["mean"] for box in ("detector", "landmark")]
        result[name] = {**scores, "cost": maes[0] - maes[1], "ms": milliseconds}
    return result


def _of_pasted(turns, sources, count, shares):
    result, spent = {}, {}
    for share in shares:
        generator, counts = np.random.default_rng(share), {}
        for image, squares in pasted_faces.pictures(
            sources[share:] + sources[:share], 1 / share, count, _SHAPE, generator
        ):
            for name, detections in turns(image).items():
                row = np.array(compared(squares, detections))
                counts[name] = counts.get(name, 0) + row
        for name, milliseconds in turns.milliseconds().items():
            found, doubles, false = counts[name].tolist()
            figures = {"found": found, "doubles": doubles, "false": false, "ms": milliseconds}
            result.setdefault(name, {})[f"1/{share}"] = figures
            spent.setdefault(name, []).append(milliseconds)
    return {
        name: {"pasted": rows, "faces": count, "pasted_ms": statistics.median(spent[name])}
        for name, rows in result.items()
    }


def compared(squares, detections):
    """Counts of the faces that are found, of those found twice, and of boxes at none.

    Args:
      squares: (N, 4) around the landmarks, pixels.
      detections: list of `detection.Detection`.
    """
    found = np.reshape([face.box for face in detections], (-1, 4))
    meet = boxes.overlaps(squares, found) >= _OVERLAP
    times = meet.sum(axis=1)
    return int((times > 0).sum()), int((times > 1).sum()), int((~meet.any(axis=0)).sum())


def _invented(turns, images):
    counts = {}
    for image in images:
        for name, detections in turns(image).items():
            counts[name] = counts.get(name, 0) + len(detections)
    if not images:
        return {}
    return {
        name: {"pictures": len(images), "faces": counts[name], "ms": milliseconds}
        for name, milliseconds in turns.milliseconds().items()
    }


def _read(folder):
    paths = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_file())
    if not paths:
        raise RankPoseError(f"faceless: there is no picture in {str(folder)!r}")
    return [files.read(path) for path in paths]


def table(result):
    """The figures as Markdown, a column a detector."""
    columns = list(result.values())
    first = columns[0]
    rows = [
        (f"misses of {first['pictures']}", [len(c["missed"]) for c in columns]),
        ("wrong faces", [len(c["wrong_face"]) for c in columns]),
        ("MAE on its box", [f"{c['mae_detector_box']['mean']:.3f}" for c in columns]),
        ("cost of the box, degrees", [f"{c['cost']:.2f}" for c in columns]),
        ("ms a picture of the set", [f"{c['ms']:.1f}" for c in columns]),
    ]
    for share in first["pasted"]:
        found = [f"{c['pasted'][share]['found']}" for c in columns]
        rows.append((f"of {first['faces']} faces of {share} of the width", found))
    for title, key in (("double boxes", "doubles"), ("boxes at no face", "false")):
        rows.append((title, [sum(row[key] for row in c["pasted"].values()) for c in columns]))
    rows.append(("ms a picture of 640x480", [f"{c['pasted_ms']:.1f}" for c in columns]))
    for kind in ("patterns", "photos"):
        if kind in first:
            title = f"boxes in {first[kind]['pictures']} {kind} without a face"
            rows.append((title, [c[kind]["faces"] for c in columns]))
    return tables.markdown(("", *result), [(title, *cells) for title, cells in rows]) + "\n"
