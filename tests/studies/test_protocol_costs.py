"""The table of what a protocol costs: its rows, its arithmetic, and the page it is written into."""

import json

import numpy as np
import pytest

from rankpose_tf.core import pose
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.studies import protocol_costs


def _found(seed=0, count=40):
    generator = np.random.default_rng(seed)
    true = generator.uniform(-60, 60, (count, 3))
    predicted = true + generator.normal(0, 4, (count, 3))
    return {"names": [f"{n}.jpg" for n in range(count)], "true": true, "predicted": predicted}


@pytest.fixture(scope="module")
def rows(prepared, small_model, tmp_path_factory):
    """A table of rendered heads that go as AFLW2000-3D under three landmark sources."""
    folders = []
    for boxes in ("pt3d_68", "pt2d_visible", "pt2d"):
        folder = tmp_path_factory.mktemp(boxes)
        for path in prepared.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        about = json.loads((folder / "dataset.json").read_text())
        (folder / "dataset.json").write_text(json.dumps(about | {"box_source": boxes}))
        folders.append(folder)
    return protocol_costs.measure(small_model, folders)


def test_the_first_row_is_ours_and_every_choice_has_one(rows):
    groups = [group for group, _, _ in rows]
    scales = len(protocol_costs.CROP_SCALES) - 1
    assert groups == [
        "ours",
        *["crop factor"] * scales,
        *["landmarks"] * 2,
        "named protocol",
        "filter",
        *["flattering"] * 2,
        *["rotation order"] * 3,
        "metric",
    ]
    # The same boxes under another name cost nothing; another crop of them is another picture.
    figures = {title.partition(":")[0]: figures for _, title, figures in rows}
    assert figures["pt2d"] == figures["pt2d_visible"] == rows[0][2]
    assert figures["1"] != rows[0][2]


def test_other_boxes_in_the_first_folder_are_refused(prepared, small_model):
    with pytest.raises(RankPoseError, match="expected boxes of pt3d_68 .*received landmarks"):
        protocol_costs.measure(small_model, [prepared])


def test_an_error_turned_by_180_or_360_degrees_counts_as_small():
    errors = np.array([3.0, 90.0, 177.0, 355.0])
    np.testing.assert_array_equal(protocol_costs.turned(errors), [3.0, 90.0, 3.0, 5.0])


def test_pictures_without_a_face_are_left_out_of_their_row_alone():
    found = _found()
    errors = np.abs(found["predicted"] - found["true"])
    rows = protocol_costs.flattering(found, found, {"blazeface": {"3.jpg", "5.jpg"}})
    kept = np.delete(errors, [3, 5], axis=0)
    assert rows[-1][2] == pytest.approx((38, *kept.mean(axis=0), kept.mean()))


def test_our_order_of_turns_gives_the_same_angles():
    angles = _found()["true"]
    np.testing.assert_allclose(protocol_costs.in_order(angles, "ZYX"), angles, atol=1e-9)


@pytest.mark.parametrize("order", ["XYZ", "YXZ"])
def test_other_orders_are_the_same_rotations(order):
    angles = _found()["true"]
    turns = np.radians(protocol_costs.in_order(angles, order))
    alone = {
        axis: pose.rotation_from_angles(turns * np.eye(3)[column])
        for column, axis in enumerate("YXZ")
    }
    first, second, third = (alone[axis] for axis in reversed(order))
    expected = pose.rotation_from_angles(np.radians(angles))
    np.testing.assert_allclose(first @ second @ third, expected, atol=1e-9)


def test_the_table_has_differences_to_ours_but_none_for_the_angle_of_a_turn():
    rows = [("ours", "x", (9, 1.0, 2.0, 3.0, 2.0)), ("metric", "y", (9, None, None, None, 4.0))]
    lines = protocol_costs.table(rows, "m.keras").splitlines()
    assert lines[0] == "Model `m.keras`: 2.00."
    assert lines[-2:] == [
        "| ours | x | 9 | 1.00 | 2.00 | 3.00 | 2.00 | +0.00 |",
        "| metric | y | 9 | - | - | - | 4.00 | - |",
    ]


def test_misses_are_read_and_another_file_is_refused(tmp_path):
    path = tmp_path / "mtcnn.json"
    path.write_text(json.dumps({"missed": ["a.jpg"], "wrong_face": []}))
    assert protocol_costs.read_misses(path) == {"a.jpg"}
    path.write_text("[]")
    with pytest.raises(RankPoseError, match="misses: .*detector_fit"):
        protocol_costs.read_misses(path)
