"""Poses in Apache Beam: the transform, and the model that its RunInference holds.

One model serves a process. It is given units (units.py), reads their pictures ahead by threads,
and answers with the rows that `predict` writes.
"""

import contextlib
import dataclasses
import os

from rankpose_tf.core import extras
from rankpose_tf.inference import sharing
from rankpose_tf.prediction import pipeline, results, run, units
from rankpose_tf.prediction.options import Options

beam = extras.load("apache_beam", "beam", "rankpose_tf.beam")
_inference = extras.load("apache_beam.ml.inference.base", "beam", "rankpose_tf.beam")

POSES, FAILED = "poses", "failed"
# Rows that `Poses` asks the model for at once, of the size of its batches: enough to read ahead.
_BATCHES = 8


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a unit gave.

    Attributes:
      poses: list of dicts of `results.COLUMNS`, those of expected errors behind where the model
        tells them; of each picture that could be read.
      failed: list of dicts of path and reason, of those that could not.
      columns: of `poses`.
    """

    poses: list
    failed: list
    columns: tuple


class Model:
    """What a process holds: the estimator, and as many detectors as it has units at once."""

    def __init__(self, options):
        """Loads the model of `Options`."""
        self.estimator = options.load()
        self._looks = sharing.Pool(self._look)
        self._options = options
        # What is missing is told before the first picture.
        with self._looks.one():
            pass

    def _look(self):
        options = self._options
        look = pipeline.Look(self.estimator, options.crops, options.make_detector())
        look.prepare(for_pictures=True)
        return look

    def answer(self, unit):
        """`Answer` of a unit."""
        batch_size, errors = self._options.batch_size, self.estimator.tells_error
        poses, failed = [], []
        with self._looks.one() as look:
            items = pipeline.items_ahead(
                *(unit.pictures(), self._read, look),
                threads=min(8, os.cpu_count() or 1),
                most=2 * batch_size,
            )
            with contextlib.closing(items):
                for item, angles in pipeline.poses(items, self.estimator, batch_size):
                    _count(item)
                    if item.reason is not None:
                        failed.append({"path": item.path, "reason": item.reason})
                        continue
                    rows = run.rows_of(item, angles, range(len(angles)))
                    poses += [results.cells(row, errors) for row in rows]
        columns = results.COLUMNS_WITH_ERRORS if errors else results.COLUMNS
        return Answer(poses, failed, columns)

    def _read(self, picture):
        name, content, reason = picture
        if reason is None and content is None:
            try:
                content = units.content_of(name)
            except Exception as error:  # Each kind of storage has errors of its own.
                reason = f"can't be opened: {' '.join(str(error).split())}"
        if reason is not None:
            return pipeline.Item(name, reason=reason)
        return pipeline.read_picture(name, self._options.max_pixels, content)


def _count(item):
    counts = {
        "pictures": item.reason is None,
        "faces": len(item.faces),
        "without_face": item.reason is None and not item.faces,
        "failed": item.reason is not None,
    }
    for name, value in counts.items():
        beam.metrics.Metrics.counter("rankpose", name).inc(int(value))


class Handler(_inference.ModelHandler):
    """Gives RunInference the model; its elements are units."""

    def __init__(self, options):
        """Takes `Options`, from which the model is loaded where it is needed."""
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._options = options

    def load_model(self):
        return Model(self._options)

    def run_inference(self, batch, model, inference_args=None):
        del inference_args
        for unit in batch:
            yield _inference.PredictionResult(unit, model.answer(unit))

    def get_num_bytes(self, batch):
        # Beam would pickle the pictures to know.
        return len(batch)

    def get_metrics_namespace(self):
        return "RankPose"


class Poses(beam.PTransform):
    """From pictures to the rows of `predict`.

        poses, failed = pictures | Poses(crops=True)

    Elements are paths of pictures, or pairs of a name and the content of a file. Rows are dicts of
    `results.COLUMNS`, behind them the expected errors of a model that tells them: one a face, or
    one that says that there is none; and of `failed` dicts of path and reason. Rows have no order.
    """

    def __init__(self, **options):
        """Takes the fields of `options.Options`: model, crops, detector, max_pixels, batch_size.

        Raises:
          RankPoseError: for other values.
        """
        super().__init__()
        self._options = Options(**options)

    def expand(self, pictures):
        size = self._options.batch_size
        batches = pictures | beam.BatchElements(size, _BATCHES * size)
        answers = (
            batches
            | "Units" >> beam.Map(_unit)
            | "Poses" >> _inference.RunInference(Handler(self._options))
        )
        return answers | "Rows" >> beam.FlatMap(_rows).with_outputs(FAILED, main=POSES)


def _unit(elements):
    pairs = [(each, None) if isinstance(each, str) else each for each in elements]
    return units.Given(tuple(units.Picture(*pair) for pair in pairs))


def _rows(result):
    yield from result.inference.poses
    for row in result.inference.failed:
        yield beam.pvalue.TaggedOutput(FAILED, row)
