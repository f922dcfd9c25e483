"""Named protocols: what they set, and what contradicts them."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import prepared_folder
from rankpose_tf.evaluation import protocols
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.preparation import aflw2000, biwi, biwi_boxes, prepare, sources, views
from rankpose_tf.preparation import plan as plans
from tests.support import made_up_faces as made_up

AFLW2000 = {"protocol_set": "AFLW2000-3D", "box_source": "pt3d_68"}


def test_without_a_name_the_caller_decides_and_the_filter_is_on_unless_told():
    assert protocols.settings(None, AFLW2000) == (None, True)
    assert protocols.settings(None, AFLW2000, 1.2, False) == (1.2, False)


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_every_protocol_sets_crop_and_filter_on_data_of_its_own(name):
    protocol = protocols.PROTOCOLS[name]
    about = {"protocol_set": protocol.set, "box_source": protocol.boxes or "of a list"}
    expected = (protocol.crop_scale, protocol.filter_angles)
    assert protocols.settings(name, about) == expected
    assert protocols.settings(name, about, *expected) == expected


@pytest.mark.parametrize(
    ("name", "boxes", "frames"),
    [
        ("biwi_13219", biwi_boxes.FrameList(range(13219), [], "the usual list", ""), 13219),
        ("biwi_mtcnn", biwi_boxes.MTCNN, 15678),
        ("biwi_all", biwi_boxes.HEAD, 15678),
    ],
)
def test_the_sets_of_biwis_protocols_are_called_as_prepare_calls_them(name, boxes, frames):
    whole = views.ListedIdentity("01/000", "F01", (None,) * frames)
    described = biwi.describe(None, [whole], (boxes, False))
    assert protocols.PROTOCOLS[name].set == described.protocol_set


def test_boxes_of_protocols_are_those_that_prepare_can_make():
    boxes = {p.boxes for p in protocols.PROTOCOLS.values() if p.set == "AFLW2000-3D"}
    assert boxes <= set(aflw2000.LANDMARKS)


@pytest.mark.parametrize(
    ("name", "about", "given", "message"),
    [
        ("hopnet", {}, {}, "protocol: expected one of .*hopenet.*'hopnet'"),
        ("rankpose", {"protocol_set": "300W-LP"}, {}, "is for 'AFLW2000-3D'.*'300W-LP'"),
        ("hopenet", {}, {}, "with pt3d_68; prepare them again .*--landmarks=pt2d_hopenet"),
        ("rankpose", {}, {"crop_scale": 1.2}, "crop_scale: .*has 1.4, received 1.2"),
        ("aflw2000", {}, {"crop_scale": 1.4}, "crop_scale: .*the model's own, received 1.4"),
        ("rankpose", {}, {"filter_angles": False}, "filter_angles: .*has True, received False"),
    ],
)
def test_what_contradicts_a_protocol_is_one_sentence(name, about, given, message):
    with pytest.raises(RankPoseError, match=message):
        protocols.settings(name, AFLW2000 | about, **given)


def test_boxes_are_no_matter_where_another_system_cut_the_pictures():
    assert protocols.settings("hopenet", AFLW2000, own_crops=False) == (1.0, True)


def test_the_name_of_a_protocol_says_when_the_crop_is_not_ours():
    line = evaluation.protocol_name("AFLW2000-3D", "pt3d_68", None, True)
    assert line == "AFLW2000-3D, another system's crops, |angle| <= 99 degrees"


def _source(folder, points):
    """AFLW2000-3D of one picture whose pt2d is `points`, (2, K)."""
    folder.mkdir()
    (folder / "image00002.jpg").write_bytes(made_up.jpeg())
    label = made_up.label(pt2d=points, pt3d_68=made_up.landmarks(5.0, 6.0, 15.0, 18.0, rows=3))
    (folder / "image00002.mat").write_bytes(label)
    return folder


# Two points that are seen, then a hidden one.
POINTS = np.array([[4.0, 14.0, -1.0], [8.0, 16.0, -1.0]])


def _box(source, landmarks):
    plan = plans.make(source, landmarks=landmarks)
    return aflw2000.read_view(sources.Folder(source), plan.identities[0].views[0]).box


@pytest.mark.parametrize(
    ("landmarks", "box"),
    [
        ("pt3d_68", (5, 6, 15, 18)),
        ("pt2d_visible", (4, 8, 14, 16)),
        ("pt2d", (-1, -1, 14, 16)),
    ],
)
def test_boxes_are_drawn_around_the_landmarks_that_are_named(tmp_path, landmarks, box):
    np.testing.assert_array_equal(_box(_source(tmp_path / "set", POINTS), landmarks), box)


@pytest.mark.parametrize(("width", "height"), [(10.0, 10.0), (10.0, 20.0)])
def test_hopenets_square_is_the_middle_of_its_rectangle(width, height):
    left, top = 3.0, 7.0
    # Its program moves an edge, and the next edge sees the longer side.
    x_min, y_min, x_max, y_max = left, top, left + width, top + height
    x_min -= 2 * 0.2 * abs(x_max - x_min)
    y_min -= 2 * 0.2 * abs(y_max - y_min)
    x_max += 2 * 0.2 * abs(x_max - x_min)
    y_max += 0.6 * 0.2 * abs(y_max - y_min)
    half = min(x_max - x_min, y_max - y_min) / 2
    middle = np.array([x_min + x_max, y_min + y_max]) / 2
    found = aflw2000.hopenet_square((left, top, left + width, top + height))
    np.testing.assert_allclose(found, np.concatenate([middle - half, middle + half]))


def test_hopenets_square_is_made_of_all_points(tmp_path):
    box = _box(_source(tmp_path / "set", POINTS), "pt2d_hopenet")
    np.testing.assert_allclose(box, aflw2000.hopenet_square((-1, -1, 14, 16)), atol=1e-5)


def test_a_picture_without_a_visible_point_is_skipped_with_a_reason(tmp_path):
    with pytest.raises(views.SkippedView, match=views.BAD_BOX):
        _box(_source(tmp_path / "set", np.full((2, 21), -1.0)), "pt2d_visible")


def test_dataset_json_names_the_landmarks(tmp_path):
    source = _source(tmp_path / "set", POINTS)
    for landmarks, expected in (("", "pt3d_68"), ("pt3d_68", "pt3d_68"), ("pt2d", "pt2d")):
        out = tmp_path / f"out-{landmarks}"
        options = {"workers": 1, "progress": False, "landmarks": landmarks}
        assert prepare.prepare(source, out, **options)["box_source"] == expected
        assert prepared_folder.read_description(out)["box_source"] == expected


def test_the_usual_landmarks_are_the_same_data_set_and_others_are_not(tmp_path):
    source = _source(tmp_path / "set", POINTS)
    prints = [plans.make(source, landmarks=name).fingerprint for name in ("", "pt3d_68", "pt2d")]
    assert prints[0] == prints[1] != prints[2]


def test_landmarks_are_refused_for_other_sets_and_names(tmp_path):
    folder = made_up.write_300w_lp(tmp_path / "lp")
    with pytest.raises(RankPoseError, match="landmarks: .*kind w300lp; leave it out"):
        plans.make(folder, landmarks="pt2d")
    with pytest.raises(RankPoseError, match="landmarks: expected one of pt3d_68.*'pt4d'"):
        plans.make(_source(tmp_path / "set", POINTS), landmarks="pt4d")


def test_labels_of_the_true_set_have_visible_points_inside_the_usual_box(shared_data):
    plan = plans.make(shared_data / "aflw2000_dev.zip", landmarks="pt2d_visible")
    source = sources.open_source(shared_data / "aflw2000_dev.zip")
    usual = plans.make(shared_data / "aflw2000_dev.zip")
    for seen, whole in zip(plan.identities[:6], usual.identities[:6], strict=True):
        box = aflw2000.read_view(source, seen.views[0]).box
        around = aflw2000.read_view(source, whole.views[0]).box
        longer = (around[2:] - around[:2]).max()
        assert np.all(box[:2] > around[:2] - 0.3 * longer)
        assert np.all(box[2:] < around[2:] + 0.3 * longer)
    source.close()
