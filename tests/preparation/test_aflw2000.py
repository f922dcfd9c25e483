"""AFLW2000-3D: recognised by its labels, boxes from pt3d_68, every picture an identity."""

import csv

import numpy as np
import pytest

from rankpose_tf.preparation import aflw2000, mat_labels, sources, views
from tests.support import made_up_faces as made_up


def _label(**changes):
    hidden = np.full((2, 21), -1.0)
    points = made_up.landmarks(5.0, 6.0, 15.0, 18.0, rows=3)
    return made_up.label(**({"pt2d": hidden, "pt3d_68": points} | changes))


def _folder(tmp_path, **labels):
    for stem, label in labels.items():
        (tmp_path / f"{stem}.jpg").write_bytes(made_up.jpeg())
        (tmp_path / f"{stem}.mat").write_bytes(label)
    return sources.Folder(tmp_path)


def test_the_box_is_that_of_pt3d_68_and_not_of_pt2d(tmp_path):
    source = _folder(tmp_path, image00002=_label())
    (identity,), *_ = aflw2000.list_identities(source, source.stamps(), "pt3d_68")
    view = aflw2000.read_view(source, identity.views[0])
    np.testing.assert_array_equal(view.box, np.float32([5.0, 6.0, 15.0, 18.0]))
    np.testing.assert_array_equal(view.pose, np.float32(made_up.POSE))


def test_every_picture_is_an_identity_of_its_own():
    names = [f"A/image0000{i}{s}" for i in (2, 4) for s in (".jpg", ".mat")] + ["A/image00006.jpg"]
    identities, skipped, _ = aflw2000.list_identities(None, dict.fromkeys(names), "pt3d_68")
    assert [(i.name, i.group, [v.name for v in i.views]) for i in identities] == [
        ("image00002", "image00002", ["image00002.jpg"]),
        ("image00004", "image00004", ["image00004.jpg"]),
    ]
    assert skipped == [("A/image00006.jpg", views.MISSING_LABEL)]


def test_a_second_copy_is_skipped_as_one():
    names = [f"{folder}image0000{i}{s}" for folder in ("A/", "B/A/", "") for i in (2, 4)
             for s in (".jpg", ".mat")] + ["A/image00002.png"]  # fmt: skip
    identities, skipped, _ = aflw2000.list_identities(None, dict.fromkeys(names), "pt3d_68")
    kept = [view.path for identity in identities for view in identity.views]
    assert kept == ["A/image00002.jpg", "A/image00004.jpg"]
    others = ("A/image00002.png", "B/A/image00002.jpg", "B/A/image00004.jpg", "image00002.jpg",
              "image00004.jpg")  # fmt: skip
    assert skipped == [(path, "duplicate picture") for path in others]


def test_the_layout_is_recognised_even_if_the_first_label_is_corrupt(tmp_path):
    source = _folder(tmp_path, image00001=b"broken", image00002=_label())
    assert aflw2000.claims(source, source.stamps())


@pytest.mark.parametrize("stem", ["image00001_0", "AFLW_image00001"])
def test_300w_lp_is_not_taken_for_it(tmp_path, stem):
    source = _folder(tmp_path, **{stem: made_up.label()})
    assert not aflw2000.claims(source, source.stamps())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_label(Pose_Para=None), "label without Pose_Para"),
        (made_up.label(pt2d=np.full((2, 21), -1.0)), "label without pt3d_68"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600), "save it with -v7"),
        (b"broken", views.CORRUPT_LABEL),
    ],
    # A .mat holds the second it was made in, and two workers have to name a test alike.
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else value,
)
def test_a_label_that_lacks_something_says_what(tmp_path, content, reason):
    source = _folder(tmp_path, image00001=content, image00002=_label())
    assert aflw2000.claims(source, source.stamps())
    first, _ = aflw2000.list_identities(source, source.stamps(), "pt3d_68").identities
    with pytest.raises(views.SkippedView, match=reason):
        aflw2000.read_view(source, first.views[0])


def test_a_set_whose_labels_all_lack_pt3d_68_is_still_known(tmp_path):
    source = _folder(tmp_path, image00001=made_up.label(pt2d=np.full((2, 21), -1.0)))
    assert aflw2000.claims(source, source.stamps())


def test_names_in_capitals_are_of_the_set(tmp_path):
    (tmp_path / "IMAGE00002.JPG").write_bytes(made_up.jpeg())
    (tmp_path / "IMAGE00002.MAT").write_bytes(_label())
    source = sources.Folder(tmp_path)
    assert aflw2000.claims(source, source.stamps())
    assert len(aflw2000.list_identities(source, source.stamps(), "pt3d_68").identities) == 1


def test_pictures_numbered_alike_without_pt3d_68_are_not_taken_for_it(tmp_path):
    source = _folder(tmp_path, image00001=made_up.label())
    assert not aflw2000.claims(source, source.stamps())


def test_hidden_points_never_reach_a_box_of_the_true_set(shared_data):
    source = sources.open_source(shared_data / "aflw2000_dev.zip")
    names = source.stamps()
    assert aflw2000.claims(source, names)
    identities, skipped, _ = aflw2000.list_identities(source, names, "pt3d_68")
    assert (len(identities), skipped) == (1000, [])
    for identity in identities[:6]:
        box = aflw2000.read_view(source, identity.views[0]).box
        # These faces fill about half of 450 pixels; a hidden point would pull an edge to -1.
        assert box[:2].min() > 0 and 100 < (box[2:] - box[:2]).max() < 400


def test_an_angle_of_the_true_set_beyond_half_a_turn_is_out_of_range(shared_data):
    source = sources.open_source(shared_data / "aflw2000_dev.zip")
    with pytest.raises(views.SkippedView, match=views.OUT_OF_RANGE_LABEL):
        mat_labels.read(source, "AFLW2000/image00032.mat", "pt3d_68", 68)
    source.close()


def test_labels_of_the_true_set_lie_near_a_published_networks_predictions(shared_data):
    with open(shared_data / "fsanet_predictions_dev.csv", newline="") as stream:
        rows = [row for row, _ in zip(csv.DictReader(stream), range(40), strict=False)]
    source = sources.open_source(shared_data / "aflw2000_dev.zip")
    errors = []
    for row in rows:
        pose, _ = mat_labels.read(source, f"AFLW2000/{row['image']}.mat", "pt3d_68", 68)
        predicted = [float(row[angle]) for angle in ("yaw", "pitch", "roll")]
        errors.append(np.abs(np.degrees(pose) - predicted))
    source.close()
    # FSA-Net's MAE is 4.7, 6.1, 4.6; a wrong order or sign costs at least twice that.
    assert np.all(np.mean(errors, axis=0) < 10)
