"""300W-LP: which pictures are one face, and what its labels mean."""

import io

import numpy as np
import pytest
from scipy import io as scipy_io

from rankpose_tf.preparation import sources, views, w300lp
from tests.support import made_up_faces as made_up


def _pairs(*stems):
    return [f"{stem}{suffix}" for stem in stems for suffix in (".jpg", ".mat")]


def _listed(names, source="top"):
    return w300lp.list_identities(sources.Folder(source), dict.fromkeys(names), None)


def test_views_of_one_face_come_in_the_order_of_their_numbers():
    names = _pairs("x/300W_LP/AFW/a_1_10", "x/300W_LP/AFW/a_1_2", "x/300W_LP/AFW/a_2_0")
    identities, skipped, _ = _listed(names)
    assert skipped == []
    assert {i.name: [view.name for view in i.views] for i in identities} == {
        "AFW/a_1": ["AFW/a_1_2.jpg", "AFW/a_1_10.jpg"],
        "AFW/a_2": ["AFW/a_2_0.jpg"],
    }


def test_a_flipped_face_is_an_identity_of_its_own_in_the_same_group():
    identities, *_ = _listed(_pairs("AFW/a_0", "AFW_Flip/a_0"))
    assert {i.name: i.group for i in identities} == {"AFW/a": "AFW/a", "AFW_Flip/a": "AFW/a"}


def test_the_same_stem_of_two_subsets_is_two_faces():
    identities, *_ = _listed(_pairs("AFW/a_0", "IBUG/a_0"))
    assert {i.group for i in identities} == {"AFW/a", "IBUG/a"}


def test_a_stem_may_contain_a_space():
    identities, *_ = _listed(_pairs("IBUG/IBUG_image_100 _1_0"))
    assert [i.name for i in identities] == ["IBUG/IBUG_image_100 _1"]


def test_pictures_without_a_folder_belong_to_the_source_itself():
    identities, *_ = _listed(_pairs("a_0", "a_1"), "AFW_Flip.zip")
    assert [(i.name, i.group, len(i.views)) for i in identities] == [("AFW_Flip/a", "AFW/a", 2)]


def test_a_picture_without_mat_is_skipped_and_other_folders_are_ignored():
    names = [
        *_pairs("L/AFW/a_0"),
        "L/AFW/a_1.jpg",
        "L/landmarks/AFW/a_0_pts.mat",
        "L/Code/Model.mat",
        "L/Code/example.jpg",
    ]
    identities, skipped, _ = _listed(names)
    assert [view.path for i in identities for view in i.views] == ["L/AFW/a_0.jpg"]
    assert skipped == [("L/AFW/a_1.jpg", views.MISSING_LABEL)]


def test_a_second_copy_is_skipped_as_one():
    stems = ("AFW/a_0", "AFW/a_1", "AFW_Flip/a_0", "HELEN/a_0")
    names = _pairs(*stems, *(f"backup/{stem}" for stem in stems))
    identities, skipped, _ = _listed([*names, "AFW/a_0.png"])
    once, _, _ = _listed(_pairs(*stems))
    assert identities == once
    others = ("AFW/a_0.png", *(f"backup/{stem}.jpg" for stem in stems))
    assert sorted(skipped) == [(path, "duplicate picture") for path in others]


def _read(folder, picture=None, label=None):
    (folder / "a_0.jpg").write_bytes(made_up.jpeg() if picture is None else picture)
    (folder / "a_0.mat").write_bytes(made_up.label() if label is None else label)
    listed = views.ListedView("a_0.jpg", "AFW/a_0.jpg", "a_0.mat")
    return w300lp.read_view(sources.Folder(folder), listed)


def test_pose_is_reordered_to_yaw_pitch_roll_and_box_is_that_of_pt2d(tmp_path):
    points = made_up.landmarks(-3.0, 4.0, 30.5, 20.0)
    view = _read(tmp_path, label=made_up.label((0.3, -0.2, 0.1), pt2d=points))
    np.testing.assert_array_equal(view.pose, np.float32([0.3, -0.2, 0.1]))
    np.testing.assert_array_equal(view.box, np.float32([-3.0, 4.0, 30.5, 20.0]))
    assert view.pose.dtype == view.box.dtype == np.float32
    assert view.image == made_up.jpeg()
    assert view.name == "AFW/a_0.jpg"


_WHOLE = made_up.label()


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (b"", views.CORRUPT_LABEL),
        (b"MATLAB 5.0 MAT-file" + b"\xff" * 300, views.CORRUPT_LABEL),
        (_WHOLE[: len(_WHOLE) // 2], views.CORRUPT_LABEL),
        (made_up.label(pt3d=made_up.landmarks()), "label without pt2d"),
        (made_up.label(pt2d="letters"), views.CORRUPT_LABEL),
        (made_up.label(Pose_Para=np.zeros((1, 2)), pt2d=np.zeros((2, 68))), views.CORRUPT_LABEL),
        (made_up.label(pt2d=np.zeros((68, 2))), views.CORRUPT_LABEL),
        (made_up.label(pt2d=np.zeros((2, 21))), "label without 68 points in pt2d"),
        (made_up.label((np.nan, 0, 0)), views.NAN_LABEL),
        (made_up.label((0, np.radians(181), 0)), views.OUT_OF_RANGE_LABEL),
        (made_up.label(pt2d=np.full((2, 68), 5.0)), views.BAD_BOX),
        (made_up.label(pt2d=np.full((2, 68), np.nan)), views.BAD_BOX),
    ],
    # A .mat holds the second it was made in, and two workers have to name a test alike.
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else value,
)
def test_an_unusable_label_is_skipped_with_its_reason(tmp_path, label, reason):
    with pytest.raises(views.SkippedView, match=reason):
        _read(tmp_path, label=label)


def test_no_byte_flipped_in_a_mat_ends_in_anything_but_a_skip(tmp_path):
    generator = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(_WHOLE)
        damaged[generator.integers(len(damaged))] ^= int(generator.integers(1, 256))
        try:
            _read(tmp_path, label=bytes(damaged))
        except views.SkippedView:
            pass


def test_the_true_300w_lp_is_read_from_its_zip(shared_data):
    source = sources.open_source(shared_data / "w300lp_sample.zip")
    identities, skipped, _ = w300lp.list_identities(source, source.stamps(), None)
    assert skipped == []
    assert {i.name: len(i.views) for i in identities} == {
        "AFW/AFW_134212_1": 2,
        "AFW_Flip/AFW_134212_1": 2,
        "HELEN/HELEN_232194_1": 2,
        "HELEN_Flip/HELEN_232194_1": 2,
        "IBUG/IBUG_image_008_1": 1,
    }
    views = {i.name: [w300lp.read_view(source, v) for v in i.views] for i in identities}
    for face in ("AFW", "HELEN"):
        stem = next(name for name in views if name.startswith(f"{face}/")).partition("/")[2]
        pairs = zip(views[f"{face}/{stem}"], views[f"{face}_Flip/{stem}"], strict=True)
        for view, flipped in pairs:
            # The mirror image, fitted anew, has the other yaw and roll and the same pitch.
            np.testing.assert_allclose(flipped.pose, view.pose * [-1, 1, -1], atol=0.04)
            np.testing.assert_allclose(flipped.box[[2, 0]] + view.box[[0, 2]], 450, atol=3)
    source.close()


def test_a_label_that_unpacks_to_more_than_a_label_has_is_skipped(tmp_path):
    stream = io.BytesIO()
    variables = {"Pose_Para": np.zeros((1, 7)), "pt2d": np.zeros((2, 2_000_000))}
    scipy_io.savemat(stream, variables, do_compression=True)
    with pytest.raises(views.SkippedView, match=views.CORRUPT_LABEL):
        _read(tmp_path, label=stream.getvalue())
