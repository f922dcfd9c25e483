"""Estimates the head poses in pictures, folders, videos or from a camera.

    python -m rankpose_tf.predict --input=FOLDER --out=poses.csv
    python -m rankpose_tf.predict --input=VIDEO.mp4 --out=poses.jsonl --draw=axes --draw_dir=drawn
    find . -name '*.jpg' | python -m rankpose_tf.predict --input=- --crops --out=poses.csv

The columns are path, frame, time (seconds), face, left, top, right, bottom, score, yaw, pitch, roll
(degrees) and reason: why a picture gave no pose. Exit code 1 if some could not be read.
"""

import sys

from absl import flags

import rankpose_tf
from rankpose_tf.core import command, pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import drawings, inputs
from rankpose_tf.prediction import run as prediction

_INPUT = flags.DEFINE_multi_string(
    "input",
    [],
    "Picture, folder, video, glob in quotes, camera index, or - for a list of files on standard "
    "input, one a line; may be given several times.",
)
_MODEL = flags.DEFINE_string(
    "model",
    "",
    "Workdir of rankpose_tf.train, .keras or .tflite file, or SavedModel folder; the "
    "model that comes with the package if not given.",
)
_OUT = flags.DEFINE_string("out", "", "New file for the poses, .csv or .jsonl.")
_RESUME = flags.DEFINE_bool("resume", False, "Go on in --out where an earlier run stopped.")
_CROPS = flags.DEFINE_bool("crops", False, "Each picture is a face crop: look for no faces.")
_DETECTOR = flags.DEFINE_enum(
    "detector",
    None,
    ["mtcnn", "blazeface"],
    "What finds the faces; by default mtcnn in pictures and blazeface in videos.",
)
_SMOOTHING = flags.DEFINE_bool("smoothing", True, "Smooth the poses of videos and cameras.")
_DRAW = flags.DEFINE_enum("draw", "none", list(drawings.DRAWINGS), "Draw the poses as this.")
_DRAW_DIR = flags.DEFINE_string("draw_dir", "", "New folder for drawn pictures and videos.")
_CONTACT_SHEET = flags.DEFINE_string(
    "contact_sheet",
    "",
    f"New .png or .jpg file that shows the first {drawings.SHEET_PICTURES} pictures at a glance.",
)
_PREVIEW = flags.DEFINE_bool("preview", False, "Show videos and cameras in a window; q ends it.")
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", pictures.MAX_PIXELS, "Nothing larger is decoded.", lower_bound=1
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", prediction.BATCH_SIZE, "Faces at once.", lower_bound=1
)


def main(argv):
    del argv
    sources = inputs.expand(_INPUT.value)
    if _CROPS.value and _DETECTOR.value:
        raise RankPoseError("detector: finds no faces in crops; pass --crops or --detector")
    options = {
        "out": _OUT.value or None,
        "draw": _DRAW.value,
        "draw_dir": _DRAW_DIR.value or None,
        "contact_sheet": _CONTACT_SHEET.value or None,
        "resume": _RESUME.value,
        "preview": _PREVIEW.value,
    }
    # A model takes seconds to load; a wrong flag is told before.
    prediction.check(**options)
    try:
        summary = prediction.run(
            sources,
            rankpose_tf.load(_MODEL.value or None),
            **options,
            crops=_CROPS.value,
            detector=_detector(),
            smoothing=_SMOOTHING.value,
            max_pixels=_MAX_PIXELS.value,
            batch_size=_BATCH_SIZE.value,
        )
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command with --resume goes on from here\n")
        sys.exit(130)
    print(summary)
    if summary.failed:
        sys.exit(1)


def _detector():
    from rankpose_tf.inference import detection

    return getattr(detection, _DETECTOR.value)() if _DETECTOR.value else None


if __name__ == "__main__":
    command.run(main)
