"""What is damaged within prepared shards is one sentence, whoever reads them."""

import contextlib
import pathlib

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder

# TensorFlow names the place in which an input pipeline failed.
_PLACE = "IteratorGetNext"


@contextlib.contextmanager
def told(directory):
    """While the block reads shards, an error of their content is one sentence.

    Args:
      directory: prepared folder.

    Raises:
      RankPoseError: names the shard that is not as `prepare` wrote it, if its checksum tells.
    """
    try:
        yield
    except Exception as error:
        if not _is_of_content(error):
            raise
        changed = _changed(directory)
        which = f"{changed[0]}: " if changed else ""
        said = str(getattr(error, "message", error))
        reason = " ".join(said.splitlines()[0].split())[:200]
        raise RankPoseError(
            f"data: the shards in {str(directory)!r} can't be read ({which}{reason}); "
            f"{prepared_folder.PREPARE_AGAIN}"
        ) from error


def readable(dataset, directory):
    """Yields what a tf.data pipeline over the shards of a folder gives; errors as for `told`."""
    with told(directory):
        yield from dataset


def _is_of_content(error):
    """Whether TensorFlow says it of what it read; a defect of a model is told otherwise."""
    import tensorflow as tf

    # Its message holds the record, whose bytes Python then can't make a text of.
    if isinstance(error, UnicodeDecodeError):
        return True
    kinds = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
    return isinstance(error, kinds) and _PLACE in str(error)


def _changed(directory):
    """Names of the shards that are not what dataset.json says."""
    folder = pathlib.Path(directory)
    known = {
        row["file"]: row.get("checksum")
        for row in prepared_folder.read_description(folder)["shards"]
    }
    return [
        name
        for name, was in known.items()
        if was and prepared_folder.checksum(folder / name) != was
    ]
