"""Measures speed: of training's input and step, of the estimator, its engines, and servers.

rankpose benchmark input --out=speed
rankpose benchmark step --towers=compact
rankpose benchmark prepare --count=10000
rankpose benchmark serving --servers=plain=localhost:8500,rest=http://localhost:8501
rankpose benchmark predict --model=RUN --images=FOLDER
rankpose benchmark engines --model=compact
"""

import dataclasses
import pathlib
import shlex
import sys

from absl import flags

from rankpose_tf.core import command, files
from rankpose_tf.core.errors import RankPoseError

_SERVERS = flags.DEFINE_list(
    "servers", [], "serving: NAME=HOST:PORT (gRPC) or NAME=http://HOST:PORT (REST), ..."
)
_CLIENTS = flags.DEFINE_list("clients", ["1", "4", "16"], "serving: numbers of clients at once.")
_SECONDS = flags.DEFINE_float(
    "seconds", 10.0, "serving, input: length of each measurement, seconds."
)
_PICTURES = flags.DEFINE_list(
    "pictures_per_request", ["1"], "serving: numbers of pictures joined into one request."
)
_SIGNATURES = flags.DEFINE_list(
    "signatures",
    ["serving_default"],
    "serving: some of serving_default (encoded pictures), image (arrays), crop (with a box).",
)
_OVERLOAD = flags.DEFINE_float(
    "overload", 0.0, "serving: offer so many times the rate that each server sustains; 0: do not."
)
_DEADLINE = flags.DEFINE_float("deadline", 10.0, "serving: seconds that a request may take.")
_IMAGES = flags.DEFINE_string(
    "images", "", "Folder of pictures with a face each; rendered heads if not given."
)
_MODEL = flags.DEFINE_string(
    "model",
    "",
    "predict: what rankpose_tf.load takes; engines: wide or compact. The model of the package if "
    "not given.",
)
_COUNT = flags.DEFINE_integer("count", 1000, "predict, prepare: pictures.", lower_bound=1)
_DATA = flags.DEFINE_list(
    "data",
    [],
    "input: prepared folders, one a setting, comma-separated; made-up pictures if not given.",
)
_TOWERS = flags.DEFINE_list("towers", ["compact", "resnet50"], "step: which towers.")
_OUT = flags.DEFINE_string("out", "", "Folder for the figures, as NAME.json; or a new .json file.")
_PLOTS = flags.DEFINE_bool(
    "plots",
    False,
    "input, step, engines, serving: also a plot, as .png beside the figures (extra [plots]).",
)


def main(argv):
    name = argv[1]
    out = _new_file(name)
    plot = _new_plot(name, out) if _PLOTS.value else None
    figures, table = _MEASURES[name]()
    print(table)
    _write(out, plot, name, figures)


def _input():
    from rankpose_tf.studies import input_speed

    figures = input_speed.measure(_DATA.value, _SECONDS.value)
    return figures, input_speed.table(figures)


def _step():
    from rankpose_tf.studies import step_speed

    unknown = [tower for tower in _TOWERS.value if tower not in step_speed.TOWERS]
    if unknown:
        raise RankPoseError(
            f"towers: expected some of {', '.join(step_speed.TOWERS)}, received {unknown[0]!r}"
        )
    figures = step_speed.measure(_TOWERS.value)
    return figures, step_speed.table(figures)


def _prepare():
    from rankpose_tf.studies import prepare_speed

    figures = prepare_speed.measure(_COUNT.value)
    return figures, prepare_speed.table(figures)


def _serving():
    from rankpose_tf.studies import server_load, server_overload

    if _OVERLOAD.value:
        given = (_servers(), _OVERLOAD.value, _SECONDS.value, _IMAGES.value or None)
        rows = server_overload.measure(*given, deadline=_DEADLINE.value)
        return [dataclasses.asdict(row) for row in rows], server_overload.table(rows)
    rows = server_load.measure(
        servers=_servers(),
        clients=_numbers(_CLIENTS),
        pictures_per_request=_numbers(_PICTURES),
        seconds=_SECONDS.value,
        images=_IMAGES.value or None,
        deadline=_DEADLINE.value,
        signatures=_SIGNATURES.value,
    )
    return [dataclasses.asdict(row) for row in rows], server_load.table(rows)


def _predict():
    import rankpose_tf
    from rankpose_tf.studies import speed

    estimator = rankpose_tf.load(_MODEL.value or None)
    figures = speed.measure(estimator, _IMAGES.value or None, _COUNT.value)
    return figures, speed.table(figures)


def _engines():
    from rankpose_tf.studies import engines, machine

    figures = engines.measure(_MODEL.value or None)
    return {"machine": machine.describe(), **figures}, engines.table(figures)


_MEASURES = {
    "input": _input,
    "step": _step,
    "prepare": _prepare,
    "predict": _predict,
    "engines": _engines,
    "serving": _serving,
}


def _new_file(name):
    """Where the figures go, or None; what is there already is refused before anything is timed."""
    if not _OUT.value:
        return None
    if _OUT.value.endswith(".json"):
        return files.new_file("out", _OUT.value)
    folder = pathlib.Path(_OUT.value)
    if folder.is_file():
        raise RankPoseError(
            f"out: {_OUT.value!r} is a file; pass a folder, or a new file that ends in .json"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return files.new_file("out", str(folder / f"{name}.json"))


def _new_plot(name, out):
    """Where the plot goes; what can't be drawn is refused before anything is timed."""
    from rankpose_tf.core import extras
    from rankpose_tf.studies import speed_plots

    if out is None:
        raise RankPoseError("plots: a plot is written beside the figures; pass --out, too")
    if name not in speed_plots.PLOTS or _OVERLOAD.value:
        raise RankPoseError(
            f"plots: expected one of {', '.join(speed_plots.PLOTS)}, without --overload; leave "
            "out --plots"
        )
    extras.load("matplotlib.figure", "plots", "plots")
    return files.new_file("out", out.with_suffix(".png"))


def _servers():
    servers = dict(item.partition("=")[::2] for item in _SERVERS.value)
    if not servers or not all(servers.values()):
        raise RankPoseError(
            f"servers: pass --servers=NAME=HOST:PORT,..., received {','.join(_SERVERS.value)!r}"
        )
    return servers


def _numbers(flag):
    try:
        return [int(item) for item in flag.value]
    except ValueError as error:
        raise RankPoseError(
            f"{flag.name}: expected whole numbers with commas between, received "
            f"{','.join(flag.value)!r}"
        ) from error


def _write(out, plot, name, figures):
    if out:
        line = shlex.join(["rankpose", "benchmark", *sys.argv[1:]])
        written = {"command": line, **_named(figures)}
        files.write_json(out, written)
        print(f"\n{out}")
    if plot:
        from rankpose_tf.evaluation import plots
        from rankpose_tf.studies import speed_plots

        plots.save(speed_plots.plot(name, written), plot)
        print(plot)


def _named(figures):
    """What is written: figures with a machine as they are, rows below a machine."""
    from rankpose_tf.studies import machine

    if isinstance(figures, dict) and "machine" in figures:
        return figures
    return {"machine": machine.describe(), "rows": figures}


if __name__ == "__main__":
    command.run(main, commands=tuple(_MEASURES))
