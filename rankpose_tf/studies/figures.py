"""Figures 2, 3 and 4 of RankPose (BMVC 2020), of any models trained here.

Each function draws a PNG file and writes the numbers that it shows beside it, as JSON. All models
see the same pictures of one set, cut alike. Angles are degrees; yaw, pitch, roll.
"""

import json
import pathlib

import numpy as np

import rankpose_tf
from rankpose_tf.core import files, pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import shards
from rankpose_tf.evaluation import metrics, other_systems, plots
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.studies import activations, figure_faces, map_plots

_FACE = 128
_EDGES = {"channels": activations.CHANNEL_EDGES, "mean_map": activations.MEAN_MAP_EDGES}


def activation_maps(
    *,
    models,
    data,
    out,
    crop_scale=None,
    filter_angles=True,
    batch_size=32,
    faces=4,
    show_faces=None,
):
    """Figure 2: maps after the stages of two models' towers, of the same faces.

    Args:
      models: dict of two names -> path, see `activations.load`.
      data: prepared folder, or "synthetic" for rendered heads.
      out: new .png file.
      crop_scale: side of the square crop over the box's longer side; None is the models' own.
      filter_angles: leave out pictures with an angle over 99 degrees.
      batch_size: pictures at once.
      faces: how many; they are spread over the set's yaw, see
        `figure_faces.spread_over_yaw`.
      show_faces: show them beside the maps; None is to show rendered heads and no others.

    Returns:
      Path of the figure.

    Raises:
      RankPoseError: for a model, data or file that can't be read or written, more faces than there
        are, or other than two models.
    """
    if len(models) != 2:
        raise RankPoseError(f"models: figure 2 compares two, received {len(models)}")
    out = _new_file(out)
    towers = {name: activations.load(path) for name, path in models.items()}
    with figure_faces.prepared(data) as (folder, description):
        views, protocol = figure_faces.views(
            towers, folder, description, crop_scale, filter_angles, batch_size
        )
        known = other_systems.labels(folder)
        tested = np.flatnonzero(known["within"] | (not filter_angles))
        chosen = figure_faces.spread_over_yaw(known["true"][tested, 0], faces)
        shown = description["kind"] == figure_faces.SYNTHETIC if show_faces is None else show_faces
        pictures = plots.pictures_at(views(_FACE), chosen) if shown else None
        stages = {
            name: _maps_of(tower, plots.pictures_at(views(described["input_size"]), chosen))
            for name, (tower, described) in towers.items()
        }
    labels = known["true"][tested][chosen]
    numbers = {
        "faces": [
            {"name": known["names"][place], **_angles(label)}
            for place, label in zip(tested[chosen], labels, strict=True)
        ],
        "maps": {
            name: {layer: np.round(maps, 4).tolist() for layer, maps in layers.items()}
            for name, layers in stages.items()
        },
    }
    figure = map_plots.maps(stages, labels, pictures)
    return _write(out, figure, 2, protocol, towers, numbers)


def variances(*, models, data, out, crop_scale=None, filter_angles=True, batch_size=32):
    """Figure 3: how the variance of the first stage's maps is distributed, of several models.

    The paper does not say whether a map is a channel's or the mean over channels that Figure 2
    shows, nor whether it is scaled. Both are drawn: channels as they are, means scaled to [0, 1].

    Args: as for `activation_maps`; any number of models from one on.

    Returns:
      Path of the figure.

    Raises:
      RankPoseError: for a model, data or file that can't be read or written.
    """
    out = _new_file(out)
    towers = {name: activations.load(path) for name, path in models.items()}
    distributions, layers = {}, {}
    with figure_faces.prepared(data) as (folder, description):
        views, protocol = figure_faces.views(
            towers, folder, description, crop_scale, filter_angles, batch_size
        )
        for name, (tower, described) in towers.items():
            batches = shards.readable(views(described["input_size"]), data)
            statistics = activations.first_stage_model(tower)
            images = (batch["image"].numpy() for batch in batches)
            distributions[name] = activations.variances(statistics, images)
            height, width = statistics.outputs[1].shape[1:]
            layers[name] = f"{activations.stage_layers(tower)[0]}, {height} x {width}"
    numbers = {
        "edges": {kind: edges.tolist() for kind, edges in _EDGES.items()},
        "layers": layers,
        "variances": {
            name: {kind: _readable(kinds[kind], edges) for kind, edges in _EDGES.items()}
            for name, kinds in distributions.items()
        },
    }
    return _write(out, map_plots.variances(distributions, layers), 3, protocol, towers, numbers)


def cumulative_error(*, models, data, out, crop_scale=None, filter_angles=True, batch_size=32):
    """Figure 4: share of the pictures under each error of yaw, pitch and roll, of several models.

    Args: as for `activation_maps`; any number of models from one on, and a .csv file of another
      system's angles, as `other_systems` reads it, may stand for one: its crops are its own.

    Returns:
      Path of the figure.

    Raises:
      RankPoseError: for a model, data or file that can't be read or written, or a .csv file that
        lacks a picture of the set.
    """
    out = _new_file(out)
    tables = {name: path for name, path in models.items() if str(path).endswith(".csv")}
    towers = {n: activations.load(path) for n, path in models.items() if n not in tables}
    with figure_faces.prepared(data) as (folder, description):
        views, protocol = figure_faces.views(
            towers, folder, description, crop_scale, filter_angles, batch_size
        )
        expected = evaluation.count_pictures(folder, description, filter_angles)
        angles = {}
        for name, path in models.items():
            if name in tables:
                angles[name] = _angles_of_file(path, folder, filter_angles)
            else:
                tower, described = towers[name]
                batches = views(described["input_size"])
                angles[name] = evaluation.predict(tower, batches, data, expected)
    errors = {
        name: metrics.absolute_errors(of_model["true"], of_model["predicted"])
        for name, of_model in angles.items()
    }
    limit = plots.error_limit(errors.values())
    numbers = {
        "degrees": list(range(limit + 1)),
        "share_within": {name: _shares(of_model, limit) for name, of_model in errors.items()},
        "summary": {
            name: metrics.summarise(of_model["true"], of_model["predicted"], of_model["names"])
            for name, of_model in angles.items()
        },
    }
    if tables:
        protocol += f"; {', '.join(sorted(tables))}: another system's crops"
    figure = plots.cumulative_error(errors)
    return _write(out, figure, 4, protocol, towers, numbers)


def _new_file(out):
    """The path, if a figure can be written there and drawn at all."""
    plots.require_matplotlib()
    out = pathlib.Path(out)
    files.new_folder("out", out.parent, resumed=True).mkdir(parents=True, exist_ok=True)
    files.new_file("out", out, (".png",))
    files.new_file("out", out.with_suffix(".json"))
    return out


def _maps_of(tower, pictures):
    """Dict of layer -> (n, h, w) in [0, 1], after each stage."""
    maps = activations.mean_maps_model(tower).predict_on_batch(np.float32(pictures))
    return {
        layer: activations.normalised(of_layer)
        for layer, of_layer in zip(activations.stage_layers(tower), maps, strict=True)
    }


def _angles_of_file(path, folder, filter_angles):
    """As from `evaluation.run.predict`, of a .csv file that has every picture of the set."""
    rows, known = other_systems.read_angles(path), other_systems.labels(folder)
    angles, counts = other_systems.match(rows, known, filter_angles, True, path)
    if counts["missing"]:
        raise RankPoseError(
            f"models: {str(path)!r} has no angles for {counts['missing']} pictures of the set, and "
            "curves compare on the same pictures; add them, or leave this model out"
        )
    return angles


def _angles(degrees):
    return {angle: round(float(d), 2) for angle, d in zip(pose.ANGLES, degrees, strict=True)}


def _shares(errors, limit):
    """Dict of angle -> share of the pictures with an error of at most 0, 1, ... `limit` degrees."""
    return {
        angle: [round(float((errors[:, k] <= d).mean()), 4) for d in range(limit + 1)]
        for k, angle in enumerate(metrics.COLUMNS)
    }


def _readable(distribution, edges):
    """A distribution of `activations.variances` as JSON."""
    return {
        "maps": distribution["maps"],
        "constant": distribution["constant"],
        "mean": distribution["sum"] / distribution["maps"],
        "median": activations.median(distribution, edges),
        "counts": distribution["counts"].tolist(),
    }


def _write(out, figure, number, protocol, towers, numbers):
    """Writes the numbers and the figure, under its protocol; returns the figure's path."""
    figure.supxlabel(protocol, fontsize=9, color="dimgrey")
    content = {
        "figure": number,
        "protocol": protocol,
        "models": {name: described for name, (_, described) in towers.items()},
        "rankpose_tf": rankpose_tf.__version__,
        **numbers,
    }
    plots.save(figure, out)
    try:
        files.write_text(out.with_suffix(".json"), json.dumps(content, allow_nan=False) + "\n")
    except OSError as error:
        out.unlink()
        raise RankPoseError(
            f"out: can't write the numbers beside {str(out)!r} ({error.strerror}); make room, or "
            "pass another place"
        ) from error
    return out
