"""Estimates the head poses in pictures, folders, videos or from a camera.

    rankpose predict face.jpg
    rankpose predict FOLDER --out=poses.csv
    rankpose predict VIDEO.mp4 --out=poses.jsonl --draw
    find . -name '*.jpg' | rankpose predict - --crops --out=poses.csv

PICTURE is a picture, folder, video, glob in quotes, a camera's index or device, a stream's address
(rtsp://, http://), or - for a list of files on standard input, one a line. Without --out each face
is a printed line: yaw, pitch and roll in degrees. Yaw is positive where the face turns to the
picture's left, pitch where the chin goes up, roll where the ear goes to its own left shoulder.

The columns of --out are path, frame, time (seconds), face, left, top, right, bottom, score, yaw,
pitch, roll (degrees) and reason: why a picture gave no pose; then, of a model that tells them,
yaw_error, pitch_error, roll_error: by how much each may be off. Exit code 1 if some could not be
read.
"""

import os
import sys

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import drawings, inputs, lines, options, sheet
from rankpose_tf.prediction import run as prediction

_INPUT = flags.DEFINE_multi_string("input", [], "The same as PICTURE; may be given several times.")
_OUT = flags.DEFINE_string("out", "", "New file for the poses, .csv or .jsonl.")
_RESUME = flags.DEFINE_bool(
    "resume",
    False,
    "Go on in --out where an earlier run stopped. Pass its other flags again: what is in the file "
    "stays, whichever model it is of.",
)
_LOOK = options.define_flags()
_SMOOTHING = flags.DEFINE_bool("smoothing", True, "Smooth the poses of videos and cameras.")
_DRAW = command.define_enum_or_bare(
    *("draw", "none", list(drawings.DRAWINGS), drawings.USUAL),
    f"Draw the poses; --draw alone draws the {drawings.USUAL}.",
)
_DRAW_DIR = flags.DEFINE_string(
    "draw_dir", "", "New folder for drawn pictures and videos; drawn, drawn-2, ... if not given."
)
_CONTACT_SHEET = flags.DEFINE_string(
    "contact_sheet",
    "",
    f"New .png or .jpg file that shows the first {sheet.TILES} faces of pictures at a glance.",
)
_PREVIEW = flags.DEFINE_bool("preview", False, "Show videos and cameras in a window; q ends it.")
_GROUPS = {
    "results": (_OUT, _RESUME),
    "drawings": (_DRAW, _DRAW_DIR, _CONTACT_SHEET, _PREVIEW),
    "model and faces": (*_LOOK.values(), _SMOOTHING),
}


def main(argv):
    sources = inputs.expand([*argv[1:], *_INPUT.value])
    look = options.asked(_LOOK)
    printed = None if _OUT.value or _PREVIEW.value else lines.Lines(sources)
    how = {
        "out": _OUT.value or None,
        "draw": _DRAW.value,
        "draw_dir": _draw_dir(),
        "contact_sheet": _CONTACT_SHEET.value or None,
        "resume": _RESUME.value,
        "preview": _PREVIEW.value,
        "each": printed and (lambda rows: _print(printed.of(rows))),
    }
    if _PREVIEW.value and all(source.kind == inputs.PICTURE for source in sources):
        raise RankPoseError("preview: shows videos and cameras; for pictures pass --draw")
    # A model takes a while to load; a wrong flag is told before.
    prediction.check(**how, sources=sources)
    summary = _run(sources, look, how)
    if not printed or len(sources) > 1:
        print(summary)
    for made in (how["out"], how["contact_sheet"], how["draw_dir"]):
        if made:
            print(made)
    if summary.failed:
        sys.exit(1)


def _run(sources, look, how):
    try:
        return prediction.run(
            sources,
            look.load(),
            **how,
            crops=look.crops,
            detector=look.make_detector(),
            smoothing=_SMOOTHING.value,
            max_pixels=look.max_pixels,
            batch_size=look.batch_size,
            # A bar among lines on one terminal is in their way.
            progress=False if how["each"] and sys.stdout.isatty() else None,
        )
    except KeyboardInterrupt:
        goes_on = "; the same command with --resume goes on from here" if how["out"] else ""
        sys.stderr.write(f"stopped{goes_on}\n")
        sys.exit(130)


def _print(text):
    for line in text:
        # At once: those of a camera are read while they come.
        print(line, flush=True)


def _draw_dir():
    """The folder to draw into; a new one where a drawing is asked for and none is named."""
    if _DRAW_DIR.value or _DRAW.value == "none" or _CONTACT_SHEET.value or _PREVIEW.value:
        return _DRAW_DIR.value or None
    if _RESUME.value:
        raise RankPoseError("draw_dir: --resume goes on with drawings; name their folder")
    name, number = "drawn", 1
    while os.path.lexists(name):
        number += 1
        name = f"drawn-{number}"
    return name


if __name__ == "__main__":
    command.run(main, groups=_GROUPS, positional="PICTURE ...")
