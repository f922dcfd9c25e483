"""What is named -> units: which pictures, in which order, from which kind of file."""

import struct

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError

pytest.importorskip("apache_beam", reason="the extra [beam] is not installed")
pytest.importorskip("pyarrow", reason="the extra [beam] is not installed")

import pyarrow
from pyarrow import parquet

from rankpose_tf.prediction import units


def checksum(content):
    """Masked CRC-32C, bit by bit from its definition: the remainder of a reflected polynomial."""
    register = np.uint32(0xFFFFFFFF)
    for bit in np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little"):
        low = (register & np.uint32(1)) ^ np.uint32(bit)
        register = (register >> np.uint32(1)) ^ (np.uint32(0x82F63B78) if low else np.uint32(0))
    crc = int(~register & np.uint32(0xFFFFFFFF))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write_records(path, contents):
    with open(path, "wb") as stream:
        for content in contents:
            length = struct.pack("<Q", len(content))
            stream.write(length + struct.pack("<I", checksum(length)) + content + b"\0\0\0\0")
    return str(path)


def pictures(planned):
    return [picture for unit in planned for picture in unit.pictures()]


def sizes(planned):
    return [len(list(unit.pictures())) for unit in planned]


def test_pictures_are_named_as_predict_names_them_and_videos_left_out(tmp_path):
    for name in ("b.jpg", "a.png", "c.mp4", "notes.txt"):
        (tmp_path / name).touch()
    planned = units.plan([str(tmp_path), f"{tmp_path}/*.jpg"], 1)
    assert pictures(planned) == [
        units.Picture(str(tmp_path / "a.png")),
        units.Picture(str(tmp_path / "b.jpg")),
    ]
    assert sizes(planned) == [1, 1]


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_parquet_file_is_cut_across_its_row_groups(tmp_path, size):
    paths = [f"{index}.jpg" for index in range(10)]
    parquet.write_table(pyarrow.table({"path": paths}), tmp_path / "p.parquet", row_group_size=4)
    planned = units.plan([f"{tmp_path}/*.parquet"], size)
    assert [picture.name for picture in pictures(planned)] == paths
    assert sizes(planned) == [min(size, 10 - at) for at in range(0, 10, size)]


def test_contents_in_a_parquet_file_are_named_by_their_path_or_row(tmp_path):
    columns = {"image": [b"one", None, b"three"], "path": ["a.jpg", None, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet")
    place = f"{tmp_path}/p.parquet"
    assert pictures(units.plan([place], 2)) == [
        units.Picture("a.jpg", b"one"),
        units.Picture(f"{place}#1", None, "the row has no picture"),
        units.Picture(f"{place}#2", b"three"),
    ]


def test_records_of_paths_and_of_contents_are_told_apart(tmp_path):
    content = b"\xff\xd8\xff\xe0 of a JPEG"
    text_picture = b"P2\n1 1\n255\n7\n"
    path = write_records(tmp_path / "p.tfrecord", [b"a b.jpg", content, text_picture])
    assert pictures(units.plan([path], 2)) == [
        units.Picture("a b.jpg"),
        units.Picture(f"{path}#1", content),
        units.Picture(f"{path}#2", text_picture),
    ]


def test_a_record_file_that_ends_too_early_gives_what_is_whole(tmp_path):
    path = write_records(tmp_path / "p.tfrecord", [b"a.jpg", b"\xff" * 50])
    with open(path, "r+b") as stream:
        stream.truncate(50)
    whole, cut = pictures(units.plan([path], 100))
    assert whole == units.Picture("a.jpg")
    assert cut == units.Picture(f"{path}#1", reason="the record is cut off")


def test_records_that_tensorflow_wrote_are_read(tmp_path):
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(tmp_path / "p.tfrecord")) as writer:
        for content in (b"a.jpg", b"", b"\xff\x00" * 3000):
            writer.write(content)
    read = pictures(units.plan([f"{tmp_path}/p.tfrecord"], 2))
    assert [picture.content for picture in read] == [None, b"", b"\xff\x00" * 3000]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.tfrecord", b"nothing of the kind", "no TFRecord file"),
        ("p.parquet", b"nothing of the kind", "no Parquet file"),
        ("p.txt", None, "there is no"),
        ("p.parquet", None, "names no file"),
    ],
)
def test_what_is_no_input_is_refused_in_one_sentence(tmp_path, name, content, said):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RankPoseError, match=f"^input: .*{said}"):
        units.plan([str(tmp_path / name)], 10)


@pytest.mark.parametrize(
    "address", ["s3://b/x.jpg", "s3://b/x.parquet", "gs://b/x.parquet", "foo://x.jpg"]
)
def test_an_address_that_can_not_be_looked_at_is_refused_in_one_sentence(address):
    with pytest.raises(RankPoseError, match=f"^input: can't look for '{address}'.* is installed"):
        units.plan([address], 10)


@pytest.mark.parametrize(
    "name", ["faces[1].parquet", "parts.parquet/part-0.parquet", "[a].parquet/part-0.parquet"]
)
def test_a_table_is_its_file_or_the_folder_of_its_parts(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.table({"path": ["a.jpg"]}), path)
    named = path if path.parent == tmp_path else path.parent
    assert pictures(units.plan([str(named)], 10)) == [units.Picture("a.jpg")]


def test_an_address_of_a_file_is_its_path(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    for scheme in ("file:", "file://"):
        assert pictures(units.plan([f"{scheme}{path}"], 10)) == [units.Picture(str(path))]
    assert units.content_of(f"file://{path}") == b"content"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        # As the datasets of Hugging Face store pictures.
        ({"image": [{"bytes": b"content", "path": "a.png"}]}, "'image' of bytes.*struct<bytes"),
        ({"image": [[1, 2, 3]]}, "'image' of bytes.*list<"),
        ({"image": ["a.png"]}, "'image' of bytes.*received string"),
        ({"path": [b"a.png"]}, "'path' of text, received binary"),
        ({"path": [7], "image": [b"content"]}, "'path' of text, received int64"),
    ],
)
def test_a_column_of_another_kind_is_told_before_a_worker_meets_it(tmp_path, columns, said):
    parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet")
    with pytest.raises(RankPoseError, match=f"^input: expected in .* a column {said}"):
        units.plan([f"{tmp_path}/p.parquet"], 10)


def test_text_of_every_kind_is_read(tmp_path):
    texts = pyarrow.array(["a.png", None])
    for kind in (pyarrow.string(), pyarrow.large_string(), None):
        column = texts.cast(kind) if kind else texts.dictionary_encode()
        parquet.write_table(pyarrow.table({"path": column}), tmp_path / "p.parquet")
        first, second = pictures(units.plan([f"{tmp_path}/p.parquet"], 10))
        assert first.name == "a.png" and second.reason == "the row has no path"


def test_a_parquet_file_without_a_known_column_names_those_it_has(tmp_path):
    parquet.write_table(pyarrow.table({"file": ["a.jpg"]}), tmp_path / "p.parquet")
    with pytest.raises(RankPoseError, match="column 'path', or 'image'.*received file"):
        units.plan([f"{tmp_path}/p.parquet"], 10)
