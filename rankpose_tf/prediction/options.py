"""What is done to a picture, as `predict` and `score` are told it: each option stands here alone.

From the fields of `Options` both commands make their flags, and `rankpose_tf.beam.Poses` takes the
same words. Nothing heavy is imported here.
"""

import dataclasses

from absl import flags

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction.run import BATCH_SIZE

DETECTORS = ("multiscale", "blazeface", "mtcnn")
_DEFINE = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, str: flags.DEFINE_string}
# A flag that is defined by a function below is its caller's.
flags.disclaim_key_flags()


def _option(default, text, **bounds):
    return dataclasses.field(default=default, metadata={"help": text, "bounds": bounds})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Of a run over pictures. It can be pickled: detectors and models are named, not held.

    Raises:
      RankPoseError: for values that are not allowed, or not together.
    """

    model: str = _option(
        "",
        "Workdir of rankpose train, .keras or .tflite file, SavedModel folder, or wide or compact, "
        "models of the package; wide if not given.",
    )
    crops: bool = _option(False, "Each picture is a face crop: look for no faces.")
    detector: str = _option(
        "",
        "What finds the faces; multiscale if not given, blazeface finds large ones and is faster.",
    )
    max_pixels: int = _option(
        pictures.MAX_PIXELS,
        f"Nothing larger is decoded; at most {pictures.LARGEST_MAX_PIXELS}.",
        lower_bound=1,
    )
    batch_size: int = _option(BATCH_SIZE, "Faces at once.", lower_bound=1)

    def __post_init__(self):
        if self.detector not in ("", *DETECTORS):
            raise RankPoseError(
                f"detector: expected {', '.join(DETECTORS)}, received {self.detector!r}"
            )
        if self.crops and self.detector:
            raise RankPoseError("detector: finds no faces in crops; pass --crops or --detector")
        for name in ("max_pixels", "batch_size"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise RankPoseError(f"{name}: expected a whole number from 1, received {value!r}")
        if self.max_pixels > pictures.LARGEST_MAX_PIXELS:
            raise RankPoseError(
                f"max_pixels: expected at most {pictures.LARGEST_MAX_PIXELS}, since Pillow reads "
                f"no larger picture, received {self.max_pixels}; make larger pictures smaller"
            )

    def load(self):
        """The model, a `PoseEstimator`."""
        import rankpose_tf

        return rankpose_tf.load(self.model or None)

    def make_detector(self):
        """The detector that was asked for, a function; None where the usual one will do."""
        from rankpose_tf.inference import detection

        return getattr(detection, self.detector)() if self.detector else None


def define_flags():
    """Defines a flag for each option; dict of name -> its holder."""
    return {field.name: _define(field) for field in dataclasses.fields(Options)}


def _define(field):
    text, bounds = field.metadata["help"], field.metadata["bounds"]
    if field.name == "detector":
        return flags.DEFINE_enum("detector", None, DETECTORS, text)
    return _DEFINE[field.type](field.name, field.default, text, **bounds)


def asked(holders):
    """`Options` of the command line.

    Args:
      holders: from `define_flags`.
    """
    values = {name: holder.value for name, holder in holders.items()}
    return Options(**{**values, "detector": values["detector"] or ""})
