"""`prepare` from end to end: what it writes, what it skips and counts, what it refuses."""

import csv
import json
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder, records
from rankpose_tf.preparation import prepare, views
from tests.support import made_up_faces as made_up


def _prepare(source, out, **options):
    return prepare.prepare(source, out, **{"workers": 1, "progress": False, **options})


def _records(out):
    dataset = tf.data.TFRecordDataset(prepared_folder.list_shards(out)).map(records.parse_identity)
    return {record["identity"].decode(): record for record in dataset.as_numpy_iterator()}


def _skipped(out):
    with open(out / "skipped.csv", newline="") as stream:
        return {row["path"]: row["reason"] for row in csv.DictReader(stream)}


def _content(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_every_view_is_written_once_and_described(tmp_path):
    folder = made_up.write_300w_lp(tmp_path / "lp", faces=7, views=3)
    description = _prepare(folder, tmp_path / "out", shards=3)
    found = _records(tmp_path / "out")
    assert sorted(found) == [f"AFW/face_{i}" for i in range(7)]
    for face in range(7):
        record = found[f"AFW/face_{face}"]
        expected = [[0.1 * view, 0.01 * face, 0.0] for view in range(3)]
        np.testing.assert_allclose(record["poses"], expected, atol=1e-7)
        assert list(record["names"]) == [f"AFW/face_{face}_{v}.jpg".encode() for v in range(3)]
        assert list(record["images"]) == [made_up.jpeg(seed=face * 3 + v) for v in range(3)]
    assert description == prepared_folder.read_description(tmp_path / "out")
    assert description["kind"] == "w300lp" and description["source"] == "lp"
    assert description["box_source"] == "pt2d" and description["protocol_set"] == "300W-LP"
    assert (description["identities"], description["views"]) == (7, 21)
    assert description["views_within_limit"] == 21 and description["skipped"] == {}
    assert [shard["file"] for shard in description["shards"]] == [
        prepared_folder.shard_name(index, 3) for index in range(3)
    ]
    yaw = description["histogram_degrees"]["yaw"]
    degrees = np.degrees([0.1 * view for view in range(3)] * 7)
    assert yaw["counts"] == np.histogram(degrees, yaw["edges"])[0].tolist()
    table = prepared_folder.read_identity_table(tmp_path / "out")
    assert [row["shard"] for row in table] == sorted(row["shard"] for row in table)
    assert {row["identity"]: row["views"] for row in table} == dict.fromkeys(found, 3)


def test_nothing_but_the_data_set_is_left_and_no_path_of_the_machine_is_in_it(tmp_path):
    folder = made_up.write_300w_lp(tmp_path / "lp")
    _prepare(folder, tmp_path / "out", shards=2)
    content = _content(tmp_path / "out")
    assert sorted(content) == ["dataset.json", "identities.csv", prepared_folder.shard_name(0, 2),
                               prepared_folder.shard_name(1, 2), "skipped.csv"]  # fmt: skip
    assert not any(str(tmp_path).encode() in text for text in content.values())


def test_a_zip_gives_the_same_records_as_its_folder(tmp_path):
    folder = made_up.write_300w_lp(tmp_path / "lp", faces=3)
    with zipfile.ZipFile(tmp_path / "lp.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    for name in ("lp", "lp.zip"):
        _prepare(tmp_path / name, tmp_path / f"out {name}", shards=2)
    first, second = (_content(tmp_path / f"out {name}") for name in ("lp", "lp.zip"))
    assert first.pop("dataset.json") != second.pop("dataset.json")
    assert first == second


def _damaged(folder):
    """30 faces of 3 views; one of each damage."""
    subset = made_up.write_300w_lp(folder, faces=30, views=3) / "300W_LP" / "AFW"
    (subset / "face_0_0.jpg").write_bytes(made_up.jpeg(64, 64)[:-200])
    (subset / "face_1_0.mat").unlink()
    (subset / "face_2_0.mat").write_bytes(b"no MATLAB file")
    (subset / "face_3_0.mat").write_bytes(made_up.label((0, np.nan, 0)))
    (subset / "face_4_0.mat").write_bytes(made_up.label((0, 0, np.radians(200))))
    (subset / "face_5_0.mat").write_bytes(made_up.label(pt2d=np.zeros((2, 68))))
    for view in (1, 2):
        for suffix in (".jpg", ".mat"):
            (subset / f"face_6_{view}{suffix}").unlink()
    return folder


_REASONS = {
    0: views.BROKEN_PICTURE,
    1: views.MISSING_LABEL,
    2: views.CORRUPT_LABEL,
    3: views.NAN_LABEL,
    4: views.OUT_OF_RANGE_LABEL,
    5: views.BAD_BOX,
    6: views.TOO_FEW_VIEWS,
}


def test_each_unusable_view_is_counted_and_named_by_its_reason(tmp_path):
    source = _damaged(tmp_path / "lp")
    description = _prepare(source, tmp_path / "out", max_skipped_fraction=0.1)
    assert description["skipped"] == dict.fromkeys(_REASONS.values(), 1)
    assert _skipped(tmp_path / "out") == {
        f"300W_LP/AFW/face_{face}_0.jpg": reason for face, reason in _REASONS.items()
    }
    assert (description["identities"], description["views"]) == (29, 88 - 7)
    assert sorted(_records(tmp_path / "out")["AFW/face_0"]["names"]) == [
        b"AFW/face_0_1.jpg",
        b"AFW/face_0_2.jpg",
    ]


def test_too_much_skipped_leaves_the_list_and_no_data_set_until_it_is_allowed(tmp_path):
    source, out = _damaged(tmp_path / "lp"), tmp_path / "out"
    # 6 of 88 views: the one of a single-view identity is no damage.
    with pytest.raises(RankPoseError, match=r"6 of 88 views .*NaN label 1.*skipped\.csv") as error:
        _prepare(source, out)
    assert "\n" not in str(error.value)
    assert len(_skipped(out)) == 7
    with pytest.raises(RankPoseError, match=r"no dataset\.json"):
        prepared_folder.read_description(out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("shard-*")}
    assert _prepare(source, out, max_skipped_fraction=6 / 88)["identities"] == 29
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("shard-*")}


def test_single_view_identities_alone_are_an_error_that_names_the_flag(tmp_path):
    source = made_up.write_300w_lp(tmp_path / "lp", faces=3, views=1)
    with pytest.raises(RankPoseError, match="too few views 3.*--minimum_views=1"):
        _prepare(source, tmp_path / "out")
    assert _prepare(source, tmp_path / "one", minimum_views=1)["identities"] == 3


def test_an_identity_that_damage_leaves_with_one_view_is_left_out(tmp_path):
    source = made_up.write_300w_lp(tmp_path / "lp", faces=30)
    (source / "300W_LP" / "AFW" / "face_3_1.jpg").write_bytes(b"")
    _prepare(source, tmp_path / "out")
    assert _skipped(tmp_path / "out") == {
        "300W_LP/AFW/face_3_0.jpg": views.TOO_FEW_VIEWS,
        "300W_LP/AFW/face_3_1.jpg": views.BROKEN_PICTURE,
    }
    assert "AFW/face_3" not in _records(tmp_path / "out")


def test_boxes_outside_the_picture_and_in_shares_are_counted_reasons(tmp_path):
    (tmp_path / "a.jpg").write_bytes(made_up.jpeg(48, 48))
    boxes = ("4,4,40,40", "0.2,0.2,0.7,0.7", "5000,5000,5100,5100", "4,4,0,40", ",,,")
    rows = "".join(f"a.jpg,face {n},1,2,30,{box}\n" for n, box in enumerate(boxes))
    (tmp_path / "m.csv").write_text("image,identity,yaw,pitch,roll,Left,Top,Right,Bottom\n" + rows)
    options = {"minimum_views": 1, "max_skipped_fraction": 1.0}
    description = _prepare(tmp_path / "m.csv", tmp_path / "out", **options)
    assert description["views"] == 2
    reasons = (views.SHARE_BOX, views.OUTSIDE_BOX, views.BAD_BOX)
    assert description["skipped"] == dict.fromkeys(reasons, 1)
    with pytest.raises(RankPoseError, match="3 of 5 views are unusable.*in shares of the picture"):
        _prepare(tmp_path / "m.csv", tmp_path / "strict", minimum_views=1)


def test_pictures_that_are_all_missing_are_no_want_of_views(tmp_path):
    (tmp_path / "m.csv").write_text("image,identity,yaw,pitch,roll\nno.jpg,p,1,2,30\n")
    with pytest.raises(RankPoseError, match="missing picture 1") as error:
        _prepare(tmp_path / "m.csv", tmp_path / "out", minimum_views=1, max_skipped_fraction=1.0)
    assert "--minimum_views" not in str(error.value)


def test_a_manifest_and_aflw2000_are_prepared_too(tmp_path):
    for view in range(2):
        (tmp_path / f"{view}.jpg").write_bytes(made_up.jpeg())
    rows = "".join(f"{view}.jpg,anna,{10 * view},0,0\n" for view in range(2))
    (tmp_path / "m.csv").write_text("image,identity,yaw,pitch,roll\n" + rows)
    assert _prepare(tmp_path / "m.csv", tmp_path / "m")["views"] == 2
    np.testing.assert_allclose(
        _records(tmp_path / "m")["anna"]["poses"][:, 0], np.radians([0, 10]), atol=1e-7
    )
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "image00002.jpg").write_bytes(made_up.jpeg())
    label = made_up.label(pt3d_68=made_up.landmarks(rows=3))
    (tmp_path / "A" / "image00002.mat").write_bytes(label)
    description = _prepare(tmp_path / "A", tmp_path / "a")
    assert (description["kind"], description["views"]) == ("aflw2000", 1)
    assert (description["box_source"], description["minimum_views"]) == ("pt3d_68", 1)


def test_synthetic_heads_need_no_source_and_do_not_depend_on_the_shards(tmp_path):
    first = _prepare(None, tmp_path / "a", kind="synthetic", shards=2, synthetic_identities=3)
    _prepare(None, tmp_path / "b", kind="synthetic", shards=1, synthetic_identities=3)
    assert (first["kind"], first["identities"], first["views"]) == ("synthetic", 3, 15)
    one, other = _records(tmp_path / "a"), _records(tmp_path / "b")
    assert one.keys() == other.keys()
    assert all(list(one[name]["images"]) == list(other[name]["images"]) for name in one)


def test_a_finished_data_set_is_left_as_it_is(tmp_path):
    source = made_up.write_300w_lp(tmp_path / "lp")
    first = _prepare(source, tmp_path / "out", shards=2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert _prepare(source, tmp_path / "out", shards=2) == first
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_the_fingerprint_is_that_of_the_content_wherever_it_lies(tmp_path, monkeypatch):
    source, out = made_up.write_300w_lp(tmp_path / "lp"), tmp_path / "out"
    _prepare(source, out, shards=2)
    first = prepared_folder.fingerprint(out)
    monkeypatch.chdir(tmp_path)
    assert prepared_folder.fingerprint("./lp/../out/") == first
    assert prepared_folder.fingerprint(shutil.copytree(out, tmp_path / "copy")) == first
    # Other times of the files make another source, but the same data set.
    (source / "300W_LP" / "AFW" / "face_0_0.jpg").touch()
    _prepare(source, tmp_path / "again", shards=2)
    assert prepared_folder.fingerprint(tmp_path / "again") == first
    label = made_up.label((0.1, 0.011, 0.0))
    (source / "300W_LP" / "AFW" / "face_1_1.mat").write_bytes(label)
    _prepare(source, tmp_path / "other", shards=2)
    assert prepared_folder.fingerprint(tmp_path / "other") != first


def test_another_source_content_or_option_overwrites_nothing(tmp_path):
    source, out = made_up.write_300w_lp(tmp_path / "lp"), tmp_path / "out"
    _prepare(source, out, shards=2)
    before = _content(out)
    other = made_up.write_300w_lp(tmp_path / "other")
    for changed, options in ((source, {"shards": 3}), (source, {"shards": 2, "minimum_views": 1}),
                             (other, {"shards": 2})):  # fmt: skip
        with pytest.raises(RankPoseError, match="holds a data set made from 'lp'"):
            _prepare(changed, out, **options)
    (source / "300W_LP" / "AFW" / "face_0_0.jpg").write_bytes(made_up.jpeg(seed=99))
    with pytest.raises(RankPoseError, match="holds a data set made from 'lp'"):
        _prepare(source, out, shards=2)
    assert _content(out) == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    source = made_up.write_300w_lp(tmp_path / "lp")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RankPoseError, match="is a file"):
        _prepare(source, tmp_path / "file")
    with pytest.raises(RankPoseError, match="holds no data set of ours"):
        _prepare(source, source)
    (tmp_path / "foreign").mkdir()
    for content, message in ((json.dumps({"name": "x"}), "made from None"), ("{", "damaged")):
        (tmp_path / "foreign" / "dataset.json").write_text(content)
        with pytest.raises(RankPoseError, match=message):
            _prepare(source, tmp_path / "foreign")
    assert sorted(path.name for path in (tmp_path / "foreign").iterdir()) == ["dataset.json"]


def test_a_source_that_cannot_be_read_makes_no_folder(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut short")
    for source in (tmp_path / "bad.zip", tmp_path / "absent", None):
        with pytest.raises(RankPoseError, match="source: "):
            _prepare(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [{"kind": "lfpw"}, {"shards": 0}, {"workers": 0}, {"minimum_views": -1},
     {"max_skipped_fraction": 1.5}, {"max_skipped_fraction": float("nan")}],
)  # fmt: skip
def test_a_bad_option_is_named(tmp_path, options):
    with pytest.raises(RankPoseError, match=f"^{next(iter(options))}: expected"):
        _prepare(tmp_path, tmp_path / "out", **options)


def test_the_true_300w_lp_is_prepared_with_default_options(shared_data, tmp_path):
    description = _prepare(shared_data / "w300lp_sample.zip", tmp_path / "out")
    assert (description["identities"], description["views"]) == (4, 8)
    assert description["skipped"] == {views.TOO_FEW_VIEWS: 1}
    groups = {row["group"] for row in prepared_folder.read_identity_table(tmp_path / "out")}
    assert groups == {"AFW/AFW_134212_1", "HELEN/HELEN_232194_1"}
