"""A pipeline from pictures to Parquet files of poses: what `python -m rankpose_tf.score` does.

Each unit of pictures (units.py) has a file of its own in the folder, poses-00007-of-00012.parquet,
and beside it failed-00007-of-00012.parquet where pictures of it could not be read. They are written
beside their names and then renamed, poses last: a unit whose poses are there is finished, and a run
that goes on leaves it out. What the rows and files are follows from the input and options alone,
not from the workers.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
import uuid

import rankpose_tf
from rankpose_tf.core import damage, extras
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.prediction import units

beam = extras.load("apache_beam", "beam", "score")
_pipeline_options = extras.load("apache_beam.options.pipeline_options", "beam", "score")
_filesystem = extras.load("apache_beam.io.filesystem", "beam", "score")
_filesystems = extras.load("apache_beam.io.filesystems", "beam", "score").FileSystems
_inference = extras.load("apache_beam.ml.inference.base", "beam", "score")
pyarrow = extras.load("pyarrow", "beam", "score")
parquet = extras.load("pyarrow.parquet", "beam", "score")

# Which of beam's runners works here: DirectRunner may first fetch a program from the network.
_RUNNER = "FnApiRunner"
_RECORD = "score.json"
# Files that are being written; `_write_beside` names them.
_UNFINISHED = re.compile(r"\.(poses|failed|score\.json)-.*[0-9a-f]{32}")
_TYPES = {
    **dict.fromkeys(("path", "reason"), pyarrow.string()),
    **dict.fromkeys(("frame", "face"), pyarrow.int64()),
}


@dataclasses.dataclass
class ScoringSummary:
    """Counts of a run: what it looked at, and how many files were there from an earlier one."""

    pictures: int = 0
    faces: int = 0
    without_face: int = 0
    failed: int = 0
    files: int = 0
    earlier: int = 0

    def __str__(self):
        line = (
            f"{self.pictures} pictures: {self.faces} faces, {self.without_face} without a face, "
            f"{self.failed} that could not be read; {self.files} files"
        )
        return line + (f", {self.earlier} more were there already" if self.earlier else "")


def run(named, out, options, *, pictures_per_file=1000, beam_options=()):
    """Scores pictures; goes on with a run of the same input and options that was stopped.

    Args:
      named: strings, as for `units.plan`.
      out: folder, wherever Beam can write: absent, empty, or of such a run.
      options: `options.Options`.
      pictures_per_file: pictures of a unit.
      beam_options: sequence of strings, the command line of Beam's own options.

    Returns:
      `ScoringSummary`.

    Raises:
      RankPoseError: for input that names nothing, a folder of something else, or an option.
    """
    from rankpose_tf.prediction.beam_poses import Handler, Model

    planned = units.plan(named, pictures_per_file)
    # Told here in a sentence, and not by a worker.
    Model(options)
    pipeline_options = _beam_options(beam_options)
    names = _claimed(out, planned, options)
    left = {name: unit for name, unit in zip(names, planned, strict=True) if not names[name]}
    summary = ScoringSummary(files=len(left), earlier=len(planned) - len(left))
    if left:
        pipeline = beam.Pipeline(options=pipeline_options)
        handler = _inference.KeyedModelHandler(Handler(options))
        (
            pipeline
            | "Units" >> beam.Create(list(left.items()))
            | "Spread" >> beam.Reshuffle()
            | "Poses" >> _inference.RunInference(handler)
            | "Write" >> beam.Map(_write, out=out)
        )
        result = pipeline.run()
        result.wait_until_finish()
        _add_counts(summary, result)
    return summary


def _beam_options(line):
    try:
        options = _pipeline_options.PipelineOptions([*line])
        standard = options.view_as(_pipeline_options.StandardOptions)
        # Read to be checked: what no part of Beam knows stays, for a runner of its own.
        options.get_all_options(retain_unknown_options=True, drop_default=True)
    except SystemExit as error:
        raise RankPoseError(f"beam: {' '.join(line)!r} is no option of Apache Beam's") from error
    standard.runner = standard.runner or _RUNNER
    return options


def _claimed(out, planned, options):
    """Makes the folder this run's own, or checks that it is, and sweeps what a killed run left.

    Returns:
      Dict of the end of the names of a unit's files -> whether they are there, in the units' order.
    """
    record = {
        "rankpose_tf": rankpose_tf.__version__,
        "options": dataclasses.asdict(options),
        "model": _checksum(options.model),
        "files": len(planned),
        "input": hashlib.sha256(repr(planned).encode("utf-8", "surrogateescape")).hexdigest(),
    }
    there = _swept(out)
    if _RECORD in there:
        _check_same(out, record)
    elif there:
        raise RankPoseError(f"out: {out!r} is not empty and holds no scores; pass a new folder")
    else:
        with contextlib.suppress(_filesystem.BeamIOError, OSError):
            _filesystems.mkdirs(out)  # It may be there.
        _write_beside(out, _RECORD, lambda stream: stream.write(json.dumps(record).encode()))
    ends = [f"{number:05}-of-{len(planned):05}.parquet" for number in range(len(planned))]
    return {end: f"poses-{end}" in there for end in ends}


def _check_same(out, record):
    path = _filesystems.join(out, _RECORD)
    advice = "pass a new folder, or remove this one and score again"
    with damage.told("out", path, advice), _filesystems.open(path) as stream:
        begun = dict(json.loads(stream.read()))
    differing = [name for name in record if begun.get(name) != record[name]]
    if differing:
        raise RankPoseError(
            f"out: {out!r} holds scores of another {' and '.join(differing)}; pass what it was "
            "begun with to go on, or a new folder"
        )


def _swept(out):
    """Names of the files in a folder, after those are removed that a killed run has left."""
    there = _listed(out)
    left = set(filter(_UNFINISHED.fullmatch, there))
    if left:
        _filesystems.delete([_filesystems.join(out, name) for name in sorted(left)])
    return there - left


def _listed(out):
    """Names of the files in a folder; none of one that is absent."""
    try:
        matched = _filesystems.match([_filesystems.join(out, "*")])[0].metadata_list
        # A local glob passes over what begins with a dot.
        hidden = _filesystems.match([_filesystems.join(out, ".*")])[0].metadata_list
    except _filesystem.BeamIOError:
        return set()
    return {_filesystems.split(metadata.path)[1] for metadata in [*matched, *hidden]}


def _checksum(model):
    """Of a model's files; empty for one of the package, which its version tells."""
    path = pathlib.Path(model)
    if not model or not path.exists():
        return ""
    best = path / "best.keras"
    path = best if best.is_file() else path
    contents = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content.read_bytes())
    return digest.hexdigest()


def _write(keyed, out):
    """Writes the files of one unit's answer; `poses` last, for it says that the unit is done."""
    end, answer = keyed[0], keyed[1].inference
    if answer.failed:
        _write_table(out, f"failed-{end}", answer.failed, ("path", "reason"))
    _write_table(out, f"poses-{end}", answer.poses, answer.columns)
    return end


def _write_table(out, name, rows, columns):
    schema = pyarrow.schema([(column, _TYPES.get(column, pyarrow.float64())) for column in columns])
    rows = [row | {"path": _text(row["path"])} for row in rows]
    table = pyarrow.Table.from_pylist(rows, schema)
    _write_beside(out, name, lambda stream: parquet.write_table(table, stream))


def _text(path):
    r"""A path as Parquet can hold it: bytes of it that are no UTF-8 are written \xNN."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _write_beside(out, name, write):
    final = _filesystems.join(out, name)
    beside = _filesystems.join(out, f".{name}-{uuid.uuid4().hex}")
    plain = _filesystem.CompressionTypes.UNCOMPRESSED
    try:
        with _filesystems.create(beside, compression_type=plain) as stream:
            write(stream)
        _filesystems.rename([beside], [final])
    except BaseException:
        with contextlib.suppress(Exception):
            _filesystems.delete([beside])
        raise


def _add_counts(summary, result):
    for counter in result.metrics().query()["counters"]:
        name = counter.key.metric.name
        if counter.key.metric.namespace == "rankpose":
            setattr(summary, name, getattr(summary, name) + counter.result)
