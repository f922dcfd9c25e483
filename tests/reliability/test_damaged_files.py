"""Whatever is in a file, its reader gives a result or one sentence.

A hundred damaged copies of each here; `python -m pytest -m reliability` tries 2,000.
"""

import io

import numpy as np
import pytest
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.core.pose import ANGLES
from rankpose_tf.data import prepared_folder
from rankpose_tf.evaluation import other_systems
from rankpose_tf.inference import litert
from rankpose_tf.models import shipped
from rankpose_tf.prediction import results
from tests.support.mutations import MANY, ends, mutated

ROW = results.Row("a.jpg", 0, 0.5, 1, (1.0, 2.0, 3.0, 4.0), 0.9, (10.0, -5.0, 2.0))


@pytest.fixture(scope="module")
def valid(tmp_path_factory, prepared):
    """Folder of one file of each kind, as the package writes it."""
    folder = tmp_path_factory.mktemp("valid")
    for name in ("rows.csv", "rows.jsonl"):
        with results.ResultFile(folder / name) as file:
            for index in range(4):
                file.write([ROW._replace(path=f"{index}.jpg"), results.Row("b", reason="none")])
    for name in ("dataset.json", "identities.csv"):
        (folder / name).write_bytes((prepared / name).read_bytes())
    for row in prepared_folder.read_description(prepared)["shards"]:
        (folder / row["file"]).touch()
    generator = np.random.default_rng(0)
    picture = Image.fromarray(generator.integers(0, 256, (24, 32, 3), np.uint8))
    for kind in ("jpeg", "png", "tiff", "webp", "bmp", "gif"):
        stream = io.BytesIO()
        picture.save(stream, kind)
        (folder / f"picture.{kind}").write_bytes(stream.getvalue())
    content = shipped.read("compact", "int8")
    # Its description alone, without the network before it, so that damage meets it.
    (folder / "model.tflite").write_bytes(content[content.index(b"PK\3\4") :])
    (folder / "poses.csv").write_text("image,yaw,pitch,roll\na,1,2,3\nb,-4,5,60\n")
    return folder


def read_results(path):
    for row in results.read(path):
        assert len(row.angles or ANGLES) == 3
    results.finished(path)


READERS = {
    "rows.csv": read_results,
    "rows.jsonl": read_results,
    "dataset.json": lambda path: prepared_folder.read_description(path.parent),
    "identities.csv": lambda path: prepared_folder.read_identity_table(path.parent),
    **{f"picture.{kind}": pictures.read for kind in ("jpeg", "png", "tiff", "webp", "bmp", "gif")},
    "model.tflite": litert.description,
    "poses.csv": other_systems.read_angles,
}


def try_all(valid, name, folder, count):
    """Counts of how damaged copies end; anything but a result or a sentence raises."""
    for other in valid.iterdir():
        (folder / other.name).write_bytes(other.read_bytes())
    contents = mutated((valid / name).read_bytes(), count)
    return ends(READERS[name], folder / name, contents)


@pytest.mark.parametrize("name", READERS)
def test_a_result_or_a_sentence(valid, name, tmp_path):
    counts = try_all(valid, name, tmp_path, 100)
    assert counts["one sentence"] > 5


@pytest.mark.reliability
@pytest.mark.parametrize("name", READERS)
def test_a_result_or_a_sentence_2000_times(valid, name, tmp_path):
    print(name, try_all(valid, name, tmp_path, MANY))
