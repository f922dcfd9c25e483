"""Draws Figures 2, 3 and 4 of the paper (RankPose, BMVC 2020) of models trained here.

    rankpose figures --figure=2 --models=RankPose=RUN,MSE=RUN --data=synthetic
    rankpose figures --figure=3 --models=early=RUN,MSE=RUN,RankPose=RUN --data=PREPARED
    rankpose figures --figure=4 --models=RankPose=RUN,FSANet=ANGLES.csv --data=PREPARED

each with --out=FILE.png. The numbers behind a figure are beside it, under the same name with .json.
"""

from absl import flags

from rankpose_tf.core import command
from rankpose_tf.core.errors import RankPoseError

_FIGURE = flags.DEFINE_enum(
    "figure",
    None,
    ["2", "3", "4"],
    "2: maps after the tower's stages, of two models; 3: variance of the first stage's maps; 4: "
    "cumulative error of yaw, pitch, roll.",
)
_MODELS = flags.DEFINE_list(
    "models",
    [],
    "NAME=PATH with commas between: workdirs of rankpose_tf.train or .keras files, checkpoints "
    "(last.keras) among them; for figure 4 also .csv files of another system's angles.",
)
_DATA = flags.DEFINE_string(
    "data", "", "Folder made by rankpose_tf.prepare, or synthetic for heads that are rendered now."
)
_OUT = flags.DEFINE_string("out", "", "New .png file; its numbers go beside it as .json.")
_CROP_SCALE = flags.DEFINE_float(
    "crop_scale",
    None,
    "Side of the square crop over the box's longer side, for all models; default: the models' own.",
)
_FILTER_ANGLES = flags.DEFINE_bool(
    "filter_angles", True, "Leave out pictures with an angle over 99 degrees."
)
_FACES = flags.DEFINE_integer("faces", 4, "Faces of figure 2.", lower_bound=1)
_SHOW_FACES = flags.DEFINE_bool(
    "show_faces",
    None,
    "Figure 2: show the faces beside their maps. Default: rendered heads only, because most sets "
    "of faces may not be passed on.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Pictures at once.", lower_bound=1)


def main(argv):
    del argv
    if _FIGURE.value != "2" and (_SHOW_FACES.value is not None or _FACES.present):
        raise RankPoseError("faces and show_faces: they go with --figure=2; leave them out")
    # Not above: TensorFlow is not needed to show the help or to refuse a flag.
    from rankpose_tf.studies import figures

    settings = {
        "models": _models(),
        "data": _DATA.value,
        "out": _OUT.value,
        "crop_scale": _CROP_SCALE.value,
        "filter_angles": _FILTER_ANGLES.value,
        "batch_size": _BATCH_SIZE.value,
    }
    if _FIGURE.value == "2":
        out = figures.activation_maps(**settings, faces=_FACES.value, show_faces=_SHOW_FACES.value)
    elif _FIGURE.value == "3":
        out = figures.variances(**settings)
    else:
        out = figures.cumulative_error(**settings)
    print(f"{out}\n{out.with_suffix('.json')}")


def _models():
    """Dict of name -> path."""
    models = {}
    for pair in _MODELS.value:
        name, equals, path = (part.strip() for part in pair.partition("="))
        if not (name and equals and path):
            raise RankPoseError(
                f"models: expected NAME=PATH with commas between, received {pair!r}; give every "
                "model the name that the figure is to show"
            )
        if name in models:
            raise RankPoseError(f"models: two are called {name!r}; give each a name of its own")
        models[name] = path
    return models


if __name__ == "__main__":
    command.run(
        main,
        needed={"figure": "2|3|4", "models": "NAME=RUN,...", "data": "FOLDER", "out": "FILE.png"},
    )
