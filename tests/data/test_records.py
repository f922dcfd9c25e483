"""Records: what is written is what is read, and a folder that is no data set says why."""

import json

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core import pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records


def _identity(views=3, name="AFW_Flip/a b"):
    return records.Identity(
        name,
        "AFW/a b",
        tuple(
            records.View(
                f"é{v}.jpg",
                bytes([255, v, 0]),
                np.array([v, -v, 0.5], np.float32),
                np.array([-1.5, 0, 10 + v, 20], np.float32),
            )
            for v in range(views)
        ),
    )


def _check(parsed, identity):
    assert parsed["identity"].numpy() == identity.name.encode()
    assert parsed["group"].numpy() == identity.group.encode()
    assert list(parsed["names"].numpy()) == [view.name.encode() for view in identity.views]
    assert list(parsed["images"].numpy()) == [view.image for view in identity.views]
    np.testing.assert_array_equal(parsed["poses"], [view.pose for view in identity.views])
    np.testing.assert_array_equal(parsed["boxes"], [view.box for view in identity.views])


@pytest.mark.parametrize("views", [1, 3])
def test_a_record_is_read_as_it_was_written(views):
    identity = _identity(views)
    _check(records.parse_identity(tf.constant(records.encode_identity(identity))), identity)


def test_a_record_has_one_encoding_whatever_the_process():
    content = records.encode_identity(_identity())
    keys = sorted(["identity", "group", "names", "images", "poses", "boxes"])
    places = [content.index(b"\n" + bytes([len(key)]) + key.encode() + b"\x12") for key in keys]
    assert places == sorted(places)


def test_records_are_read_inside_dataset_map_with_known_inner_shapes(tmp_path):
    path = tmp_path / "shard.tfrecord"
    identities = [_identity(2), _identity(4, "other")]
    records.write_shard(path, iter(identities))
    dataset = tf.data.TFRecordDataset(str(path)).map(records.parse_identity)
    assert dataset.element_spec["poses"].shape.as_list() == [None, 3]
    assert dataset.element_spec["boxes"].shape.as_list() == [None, 4]
    for parsed, identity in zip(dataset, identities, strict=True):
        _check(parsed, identity)


def test_a_shard_that_fails_leaves_no_file(tmp_path):
    def failing():
        yield _identity()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        records.write_shard(tmp_path / "shard.tfrecord", failing())
    assert list(tmp_path.iterdir()) == []


def test_a_pose_is_within_the_limit_if_all_three_angles_are():
    limit = np.radians(pose.LIMIT_DEGREES)
    poses = np.array(
        [[0, 0, 0], [limit - 1e-4, -limit + 1e-4, 0]]
        + [list(sign * (limit + 1e-4) * np.eye(3)[axis]) for axis in range(3) for sign in (-1, 1)],
        np.float32,
    )
    expected = [True, True] + [False] * 6
    assert records.within_limit(poses).tolist() == expected
    in_graph = tf.function(records.within_limit)(tf.constant(poses))
    assert in_graph.numpy().tolist() == expected


def _prepared(folder, **changes):
    folder.mkdir(exist_ok=True)
    description = {
        "format_version": prepared_folder.FORMAT_VERSION,
        "kind": "manifest",
        "protocol_set": "mine",
        "box_source": "manifest",
        "identities": 1,
        "views": 2,
        "views_within_limit": 2,
        "skipped": {},
        "shards": [
            {"file": prepared_folder.shard_name(i, 2), "identities": 1, "views": 2} for i in (1, 0)
        ],
    }
    for shard in description["shards"]:
        (folder / shard["file"]).write_bytes(b"")
    (folder / "dataset.json").write_text(json.dumps(description | changes))
    return folder


def test_shards_are_listed_in_order(tmp_path):
    expected = [str(tmp_path / f"shard-0000{i}-of-00002.tfrecord") for i in (0, 1)]
    assert prepared_folder.list_shards(_prepared(tmp_path)) == expected


def test_a_folder_that_is_no_data_set_says_why(tmp_path):
    with pytest.raises(RankPoseError, match="there is no folder"):
        prepared_folder.read_description(tmp_path / "absent")
    with pytest.raises(RankPoseError, match="no dataset.json"):
        prepared_folder.read_description(tmp_path)
    with pytest.raises(RankPoseError, match="format version 0, this package reads 1"):
        prepared_folder.read_description(_prepared(tmp_path, format_version=0))
    with pytest.raises(RankPoseError, match="holds no identity"):
        prepared_folder.read_description(_prepared(tmp_path, identities=0))
    (_prepared(tmp_path) / prepared_folder.shard_name(1, 2)).unlink()
    with pytest.raises(RankPoseError, match="lacks 1 of its shards, such as shard-00001-of-00002"):
        prepared_folder.list_shards(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(RankPoseError, match="damaged"):
        prepared_folder.read_description(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"views": "2"},
        {"skipped": []},
        {"shards": {}},
        {"shards": [{"file": "../shard.tfrecord"}]},
        {"shards": [{"file": "/etc/passwd"}]},
        {"shards": [{"file": "a" * 256}]},
        {"shards": ["a"]},
        {"box_source": None},
    ],
)
def test_a_description_with_a_part_of_another_type_is_damaged(tmp_path, changes):
    with pytest.raises(RankPoseError, match="dataset.json' is damaged"):
        prepared_folder.read_description(_prepared(tmp_path, **changes))


def test_a_set_without_checksums_is_told_apart_by_its_tables(tmp_path):
    sets = [_prepared(tmp_path), _prepared(tmp_path / "b"), _prepared(tmp_path / "c", source="x")]
    row = {"identity": "a", "group": "a", "shard": 0, "views": 5, "views_within_limit": 4}
    for folder in sets:
        prepared_folder.write_identity_table(folder, [row])
    first, same, other = map(prepared_folder.fingerprint, sets)
    assert first == same != other
    prepared_folder.write_identity_table(sets[1], [row | {"views": 6}])
    assert prepared_folder.fingerprint(sets[1]) != first


def test_the_identity_table_is_read_as_it_was_written(tmp_path):
    rows = [
        {"identity": 'a, "b"', "group": "é", "shard": 3, "views": 5, "views_within_limit": 4},
        {"identity": "c", "group": "c", "shard": 0, "views": 2, "views_within_limit": 0},
    ]
    prepared_folder.write_identity_table(tmp_path, rows)
    assert prepared_folder.read_identity_table(tmp_path) == rows


def test_a_missing_or_damaged_identity_table_is_one_sentence(tmp_path):
    with pytest.raises(RankPoseError, match="there is no table"):
        prepared_folder.read_identity_table(tmp_path)
    (tmp_path / "identities.csv").write_text("identity,group,shard,views\na,a,x,2\n")
    with pytest.raises(RankPoseError, match="identities.csv' is damaged"):
        prepared_folder.read_identity_table(tmp_path)
