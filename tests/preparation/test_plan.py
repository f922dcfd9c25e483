"""Plans: the kind, the order and the fingerprint of a source, before anything is written."""

import hashlib

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import plan as plans
from tests.support import made_up_faces as made_up


def _plan(source, kind="auto", shards=4, minimum_views=0, **options):
    return plans.make(source, kind, shards, minimum_views, **options)


def _pair(folder, stem, **variables):
    path = folder / stem
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".jpg").write_bytes(made_up.jpeg())
    path.with_suffix(".mat").write_bytes(made_up.label(**variables))


def test_the_kind_is_seen_by_the_names_and_labels(tmp_path):
    made_up.write_300w_lp(tmp_path / "lp")
    _pair(tmp_path / "a", "AFLW2000/image00002", pt3d_68=made_up.landmarks(rows=3))
    (tmp_path / "m.csv").write_text("image,identity,yaw,pitch,roll\na.jpg,b,0,0,0\n")
    for name, kind, protocol_set, views in (
        ("lp", "w300lp", "300W-LP", 2),
        ("a", "aflw2000", "AFLW2000-3D", 1),
        ("m.csv", "manifest", "m", 2),
    ):
        plan = _plan(tmp_path / name)
        assert (plan.kind, plan.protocol_set, plan.minimum_views) == (kind, protocol_set, views)


def test_two_sets_side_by_side_are_named_and_one_can_be_chosen(tmp_path):
    made_up.write_300w_lp(tmp_path)
    _pair(tmp_path, "AFLW2000/image00002", pt3d_68=made_up.landmarks(rows=3))
    with pytest.raises(RankPoseError, match="w300lp and aflw2000 side by side.*--kind=w300lp"):
        _plan(tmp_path)
    assert _plan(tmp_path / "AFLW2000").kind == "aflw2000"
    assert _plan(tmp_path, "w300lp").kind == "w300lp"


def test_a_table_of_pictures_that_have_labels_of_their_own_is_no_set(tmp_path):
    made_up.write_300w_lp(tmp_path)
    (tmp_path / "300W_LP" / "list.csv").write_text("image,yaw,pitch,roll\nAFW/face_0_0.jpg,1,2,3\n")
    assert _plan(tmp_path).kind == "w300lp"
    (tmp_path / "mine.jpg").write_bytes(made_up.jpeg())
    (tmp_path / "mine.csv").write_text("image,yaw,pitch,roll\nmine.jpg,1,2,3\n")
    with pytest.raises(RankPoseError, match="holds w300lp and manifest side by side"):
        _plan(tmp_path)
    assert _plan(tmp_path, "manifest").identities[0].name == "mine.jpg"


def test_of_several_tables_one_has_to_be_passed(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"image,yaw,pitch,roll\n{name}.jpg,1,2,3\n")
        (tmp_path / f"{name}.jpg").write_bytes(made_up.jpeg())
    with pytest.raises(RankPoseError, match=r"2 tables \(a.csv, b.csv\).*the table itself"):
        _plan(tmp_path)
    assert _plan(tmp_path / "b.csv").protocol_set == "b"


def test_pictures_without_any_label_are_told_what_a_label_is(tmp_path):
    (tmp_path / "a.jpg").write_bytes(made_up.jpeg())
    with pytest.raises(RankPoseError, match="no picture with a label; .*.mat.*_pose.txt.*csv"):
        _plan(tmp_path)


def test_an_option_of_another_set_is_refused_by_name(tmp_path):
    folder = made_up.write_300w_lp(tmp_path)
    with pytest.raises(RankPoseError, match="^label_unit: goes with the kind manifest.*w300lp"):
        _plan(folder, label_unit="radians")
    with pytest.raises(RankPoseError, match="^label_unit: expected degrees or radians"):
        _plan(folder, "manifest", label_unit="turns")


def test_a_set_in_300w_lps_layout_keeps_its_own_name(tmp_path):
    _pair(tmp_path / "mine.v2", "AFLW/a_0")
    assert _plan(tmp_path / "mine.v2").protocol_set == "mine"


def test_identities_come_in_the_order_of_the_hashes_of_their_names(tmp_path):
    names = [i.name for i in _plan(made_up.write_300w_lp(tmp_path, faces=12)).identities]
    assert names == sorted(names, key=lambda name: hashlib.md5(name.encode()).hexdigest())
    assert names != sorted(names)


def test_the_fingerprint_follows_content_and_options(tmp_path):
    folder = made_up.write_300w_lp(tmp_path / "lp")
    first = _plan(folder).fingerprint
    assert _plan(folder).fingerprint == _plan(folder, "w300lp", 4, 2).fingerprint == first
    prints = {
        first,
        _plan(folder, shards=5).fingerprint,
        _plan(folder, minimum_views=1).fingerprint,
    }
    (folder / "notes.txt").write_text("no picture")
    assert _plan(folder).fingerprint == first
    (folder / "300W_LP" / "AFW" / "face_0_0.jpg").write_bytes(b"other")
    prints.add(_plan(folder).fingerprint)
    folder.rename(tmp_path / "other")
    prints.add(_plan(tmp_path / "other").fingerprint)
    assert len(prints) == 5


def test_the_fingerprint_of_synthetic_heads_follows_count_and_seed():
    changes = [{"synthetic_identities": 10}, {}, {"seed": 1}, {"shards": 5}, {"minimum_views": 3}]
    assert len({_plan(None, "synthetic", **c).fingerprint for c in changes}) == len(changes)


def test_no_source_no_picture_and_a_wrong_kind_are_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text("image,identity,yaw,pitch,roll\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "poses.csv").write_text("image,yaw (deg),pitch,roll\na.png,1,2,3\n")
    (tmp_path / "folder" / "a.png").touch()
    for source, kind, message in (
        (None, "auto", "--source=PATH"),
        (tmp_path / "absent", "auto", "there is nothing at"),
        (tmp_path / "absent.csv", "auto", "there is nothing at"),
        (tmp_path / "empty", "auto", "holds no picture"),
        (tmp_path / "empty", "manifest", "holds no table"),
        (tmp_path / "rows.csv", "auto", "'rows.csv' has a header and no rows"),
        (tmp_path / "folder", "auto", "holds no picture.*pass its table poses.csv as --source"),
        (tmp_path / "rows.csv", "w300lp", "holds no picture"),
        (tmp_path / "rows.csv", "synthetic", "takes none"),
    ):
        with pytest.raises(RankPoseError, match=message):
            _plan(source, kind)
    with pytest.raises(RankPoseError, match="synthetic_identities"):
        _plan(None, "synthetic", synthetic_identities=0)
