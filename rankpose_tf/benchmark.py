"""Measures speed: `predict` times the estimator, `engines` what runs it, `serving` running servers.

rankpose benchmark serving --servers=plain=localhost:8500,rest=http://localhost:8501
rankpose benchmark predict --model=RUN --images=FOLDER
rankpose benchmark engines --model=compact
"""

import dataclasses
import shlex
import sys

from absl import flags

from rankpose_tf.core import command, files
from rankpose_tf.core.errors import RankPoseError

_SERVERS = flags.DEFINE_list(
    "servers", [], "serving: NAME=HOST:PORT (gRPC) or NAME=http://HOST:PORT (REST), ..."
)
_CLIENTS = flags.DEFINE_list("clients", ["1", "4", "16"], "serving: numbers of clients at once.")
_SECONDS = flags.DEFINE_float("seconds", 10.0, "serving: length of each measurement, seconds.")
_PICTURES = flags.DEFINE_list(
    "pictures_per_request", ["1"], "serving: numbers of pictures joined into one request."
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
_COUNT = flags.DEFINE_integer("count", 1000, "predict: pictures of a folder.", lower_bound=1)
_OUT = flags.DEFINE_string("out", "", "New JSON file for the figures.")


def main(argv):
    {"serving": _serving, "predict": _predict, "engines": _engines}[argv[1]]()


def _serving():
    from rankpose_tf.studies import server_load, server_overload

    out = files.new_file("out", _OUT.value) if _OUT.value else None
    if _OVERLOAD.value:
        given = (_servers(), _OVERLOAD.value, _SECONDS.value, _IMAGES.value or None)
        rows = server_overload.measure(*given, deadline=_DEADLINE.value)
        print(server_overload.table(rows))
        _write(out, [dataclasses.asdict(row) for row in rows])
        return
    rows = server_load.measure(
        servers=_servers(),
        clients=_numbers(_CLIENTS),
        pictures_per_request=_numbers(_PICTURES),
        seconds=_SECONDS.value,
        images=_IMAGES.value or None,
        deadline=_DEADLINE.value,
    )
    print(server_load.table(rows))
    _write(out, [dataclasses.asdict(row) for row in rows])


def _predict():
    import rankpose_tf
    from rankpose_tf.studies import speed

    out = files.new_file("out", _OUT.value) if _OUT.value else None
    estimator = rankpose_tf.load(_MODEL.value or None)
    figures = speed.measure(estimator, _IMAGES.value or None, _COUNT.value)
    print(speed.table(figures))
    _write(out, figures)


def _engines():
    from rankpose_tf.studies import engines

    out = files.new_file("out", _OUT.value) if _OUT.value else None
    figures = engines.measure(_MODEL.value or None)
    print(engines.table(figures))
    _write(out, figures)


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


def _write(out, rows):
    if out:
        line = shlex.join(["rankpose", "benchmark", *sys.argv[1:]])
        files.write_json(out, {"command": line, "rows": rows})
        print(f"\n{out}")


if __name__ == "__main__":
    command.run(main, commands=("predict", "engines", "serving"))
