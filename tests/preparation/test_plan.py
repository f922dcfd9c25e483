"""Plans: the kind, the order and the fingerprint of a source, before anything is written."""

import hashlib

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import plan as plans
from tests.support import made_up_faces as made_up


def _plan(source, kind="auto", shards=4, minimum_views=0):
    return plans.of_source(source, kind, shards, minimum_views)


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
    options = [(10, 0, 4, 0), (11, 0, 4, 0), (10, 1, 4, 0), (10, 0, 5, 0), (10, 0, 4, 3)]
    assert len({plans.of_synthetic(*option).fingerprint for option in options}) == len(options)


def test_no_source_no_picture_and_a_wrong_kind_are_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.csv").write_text("image,identity,yaw,pitch,roll\n")
    for source, kind, message in (
        (None, "auto", "--source=PATH"),
        (tmp_path / "absent", "auto", "there is nothing at"),
        (tmp_path / "absent.csv", "auto", "could not be read"),
        (tmp_path / "empty", "auto", "holds no picture"),
        (tmp_path / "empty", "manifest", "could not be read"),
        (tmp_path / "rows.csv", "auto", "holds no picture"),
        (tmp_path / "rows.csv", "w300lp", "no readable zip"),
    ):
        with pytest.raises(RankPoseError, match=message):
            _plan(source, kind)
    with pytest.raises(RankPoseError, match="synthetic_identities"):
        plans.of_synthetic(0, 0, 4, 0)
