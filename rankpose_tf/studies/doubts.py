"""What a model with an expected error says of views that show no upright face, a row a kind.

The views are made of a test set's pictures as those are that the error was fitted on
(training/error_views.py); where the pictures are larger than a face, windows beside it are real
background.
"""

import itertools

import numpy as np

from rankpose_tf.core import tables
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import DOUBTED
from rankpose_tf.models.saving import load_model
from rankpose_tf.training import error_views

_BATCH_SIZE = 64
KINDS = {
    "clean": lambda face, size, scale, generator: error_views.cut(face, scale, size)[0],
    **error_views.FACELESS,
    "rolled": error_views.rolled,
}


def measure(model, data):
    """Share of the views of each kind that the model doubts, one view a picture.

    Args:
      model: workdir or .keras file.
      data: prepared folder; angles over 99 degrees are left out.

    Returns:
      Dict: kind -> {views; doubted: share whose mean expected error is over 20 degrees; each: share
      where that of every angle is; median: of the mean expected error, degrees}.

    Raises:
      RankPoseError: for a model or data that can't be read, or a model without expected errors.
    """
    network, description = load_model(model, errors=True)
    if network.output_shape[-1] == 3:
        raise RankPoseError(
            f"model: {str(model)!r} expects no error; fit that with python -m "
            "rankpose_tf.train_error"
        )
    size, scale = description["input_size"], description["crop_scale"]
    faces = [face for views in error_views.faces(data) for face in views]
    found = {}
    for name, kind in KINDS.items():
        generator = np.random.default_rng(0)
        views = (kind(face, size, scale, generator) for face in faces)
        expected = np.degrees(_answers(network, views)[:, 3:])
        mean = expected.mean(axis=1)
        found[name] = {
            "views": len(expected),
            "doubted": float((mean > DOUBTED).mean()),
            "each": float((expected > DOUBTED).all(axis=1).mean()),
            "median": float(np.median(mean)),
        }
    return found


def _answers(network, views):
    batches = []
    while batch := list(itertools.islice(views, _BATCH_SIZE)):
        pictures = np.rint(np.clip(np.stack(batch), 0, 255)).astype(np.float32)
        batches.append(network.predict_on_batch(pictures))
    return np.concatenate(batches)


def table(found):
    """Markdown of what `measure` gives."""
    rows = [
        (name, row["views"], f"{row['doubted']:.1%}", f"{row['each']:.1%}", f"{row['median']:.1f}")
        for name, row in found.items()
    ]
    titles = ("views", "count", "mean over 20", "each angle over 20", "median of the mean, degrees")
    return tables.markdown(titles, rows) + "\n"
