"""Whatever is in a model's file, `load` gives an estimator or one sentence.

A few damaged copies of each here; `python -m pytest -m reliability` tries 2,000. A part of an
archive is damaged within it, its checksum made anew, as an attacker would: else the archive's own
checksum tells everything.
"""

import io
import shutil
import zipfile

import pytest

import rankpose_tf
from rankpose_tf.exporting import savedmodel, tflite
from rankpose_tf.models import saving
from tests.support.mutations import MANY, ends, mutated

KERAS_PARTS = ("config.json", "metadata.json", "model.weights.h5", "rankpose.json")
SAVEDMODEL_PARTS = (
    "saved_model.pb",
    "assets.extra/rankpose.json",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
)


@pytest.fixture(scope="module")
def files(one_block_model, tmp_path_factory):
    """Folder with model.keras, model.tflite and savedmodel/."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(one_block_model / "best.keras", folder / "model.keras")
    network, description = saving.load_model(one_block_model)
    tflite.write(network, description, "fp32", folder / "model.tflite")
    savedmodel.write(network, description, folder / "savedmodel")
    return folder


def with_part(archive, name, damaged):
    """Yields the archive with each damaged content in the place of one of its parts."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        parts = {part: whole.read(part) for part in whole.namelist()}
    for content in damaged:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as rewritten:
            for part, old in parts.items():
                rewritten.writestr(part, content if part == name else old)
        yield stream.getvalue()


def keras_copies(files, part, count):
    archive = (files / "model.keras").read_bytes()
    if part == "archive":
        return mutated(archive, count)
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        return with_part(archive, part, list(mutated(whole.read(part), count)))


def try_keras(files, folder, part, count):
    return ends(rankpose_tf.load, folder / "m.keras", keras_copies(files, part, count))


def try_tflite(files, folder, count):
    contents = mutated((files / "model.tflite").read_bytes(), count)
    return ends(rankpose_tf.load, folder / "m.tflite", contents)


def try_savedmodel(files, folder, part, count):
    shutil.copytree(files / "savedmodel", folder / "m")
    contents = mutated((folder / "m" / part).read_bytes(), count)
    return ends(lambda _: rankpose_tf.load(folder / "m"), folder / "m" / part, contents)


@pytest.mark.parametrize("part", ["archive", *KERAS_PARTS])
def test_a_keras_file(files, tmp_path, part):
    assert sum(try_keras(files, tmp_path, part, 3).values()) == 3


def test_a_tflite_file(files, tmp_path):
    assert try_tflite(files, tmp_path, 10)["one sentence"] > 1


@pytest.mark.parametrize("part", SAVEDMODEL_PARTS)
def test_a_savedmodel(files, tmp_path, part):
    assert sum(try_savedmodel(files, tmp_path, part, 2).values()) == 2


@pytest.mark.reliability
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", ["archive", *KERAS_PARTS])
def test_a_keras_file_2000_times(files, tmp_path, part):
    print(".keras", part, try_keras(files, tmp_path, part, MANY))


@pytest.mark.reliability
@pytest.mark.timeout(3600)
def test_a_tflite_file_2000_times(files, tmp_path):
    print(".tflite", try_tflite(files, tmp_path, MANY))


@pytest.mark.reliability
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", SAVEDMODEL_PARTS)
def test_a_savedmodel_2000_times(files, tmp_path, part):
    print("SavedModel", part, try_savedmodel(files, tmp_path, part, MANY))
