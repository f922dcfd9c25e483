"""A user's manifest: rows to identities, and every kind of bad row."""

import json

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import augment
from rankpose_tf.preparation import manifest, sources
from tests.support import made_up_faces as made_up

_HEADER = "image,identity,yaw,pitch,roll,left,top,right,bottom\n"


def _csv(folder, text, name="m.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_and_jsonl_tell_the_same(tmp_path):
    text = _HEADER + "a/1.jpg,anna,10,-20,30,1,2,11.5,12\na/2.jpg,anna,0,0,0,,,,\nb.png,7,1,2,3,,,,"
    lines = [
        {"image": "a/1.jpg", "identity": "anna", "yaw": 10, "pitch": -20, "roll": 30,
         "box": [1, 2, 11.5, 12]},
        {"image": "a/2.jpg", "identity": "anna", "yaw": 0, "pitch": 0.0, "roll": 0},
        {"image": "b.png", "identity": 7, "yaw": 1, "pitch": 2, "roll": 3},
    ]  # fmt: skip
    jsonl = "\n".join(map(json.dumps, lines)) + "\n\n"
    for path in (_csv(tmp_path, text), _csv(tmp_path, jsonl, "m.jsonl")):
        identities, skipped = manifest.list_identities(path)
        assert skipped == []
        assert [(i.name, i.group, len(i.views)) for i in identities] == [
            ("anna", "anna", 2),
            ("7", "7", 1),
        ]
        pose, box = identities[0].views[0].label
        np.testing.assert_allclose(pose, np.radians([10, -20, 30]), rtol=1e-6)
        np.testing.assert_array_equal(box, [1, 2, 11.5, 12])
        assert identities[0].views[1].label[1] is None


def test_a_byte_order_mark_spaces_and_other_columns_do_no_harm(tmp_path):
    text = "\ufeffnote, image , yaw,pitch,roll, identity\nx, a.jpg, 1, 2, 3, anna\n"
    identities, skipped = manifest.list_identities(_csv(tmp_path, text))
    assert (identities[0].name, identities[0].views[0].path, skipped) == ("anna", "a.jpg", [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,b,1,2,x,,,,", sources.CORRUPT_LABEL),
        ("a.jpg,b,1,2,,,,,", sources.MISSING_LABEL),
        ("a.jpg,,1,2,3,,,,", sources.MISSING_LABEL),
        ("a.jpg,b,1", sources.MISSING_LABEL),
        ("a.jpg,b,1,nan,3,,,,", sources.NAN_LABEL),
        ("a.jpg,b,1,1e999,3,,,,", sources.NAN_LABEL),
        ("a.jpg,b,181,2,3,,,,", sources.OUT_OF_RANGE_LABEL),
        ("a.jpg,b,1,2,3,5,5,5,9", sources.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,nan,9", sources.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,,9", sources.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,x,9", sources.BAD_BOX),
    ],
)
def test_a_bad_row_is_skipped_by_name_and_reason(tmp_path, row, reason):
    path = _csv(tmp_path, f"{_HEADER}good.jpg,b,0,0,0,,,,\n{row}\n")
    identities, skipped = manifest.list_identities(path)
    assert [view.path for i in identities for view in i.views] == ["good.jpg"]
    assert skipped == [("a.jpg", reason)]


def test_a_row_without_a_picture_is_named_by_its_line(tmp_path):
    _, skipped = manifest.list_identities(_csv(tmp_path, f"{_HEADER},b,0,0,0,,,,\n"))
    assert skipped == [("m.csv line 2", sources.MISSING_PICTURE)]
    good = '{"image": "a", "identity": "b", "yaw": 0, "pitch": 0, "roll": 0}'
    path = _csv(tmp_path, f"{good}\nno json\n[1]\n", "m.jsonl")
    assert manifest.list_identities(path)[1] == [
        ("m.jsonl line 2", sources.CORRUPT_LABEL),
        ("m.jsonl line 3", sources.CORRUPT_LABEL),
    ]


def test_the_same_picture_and_identity_twice_is_a_duplicate_but_two_people_are_not(tmp_path):
    rows = "a.jpg,b,1,2,3,,,,\na.jpg,b,4,5,6,,,,\na.jpg,c,1,2,3,1,1,9,9\n"
    identities, skipped = manifest.list_identities(_csv(tmp_path, _HEADER + rows))
    assert [(i.name, len(i.views)) for i in identities] == [("b", 1), ("c", 1)]
    assert skipped == [("a.jpg", sources.DUPLICATE_ROW)]
    np.testing.assert_allclose(identities[0].views[0].label[0], np.radians([1, 2, 3]), rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"image,yaw\n", b"\xff\xfe\x00", b'{"image": 1}'])
def test_what_is_no_manifest_is_one_sentence(tmp_path, content):
    path = tmp_path / ("m.jsonl" if content.startswith(b"{") else "m.csv")
    path.write_bytes(content)
    with pytest.raises(RankPoseError, match="manifest"):
        manifest.list_identities(path)


def _read(folder, picture, box="1,2,11,12"):
    (folder / "a.jpg").write_bytes(picture)
    path = _csv(folder, f"{_HEADER}a.jpg,b,0,0,0,{box}\n")
    (identity,), _ = manifest.list_identities(path)
    return manifest.read_view(sources.Folder(folder), identity.views[0])


def test_without_a_box_the_package_crop_takes_the_whole_picture(tmp_path):
    view = _read(tmp_path, made_up.jpeg(width=40, height=28), box=",,,")
    square = augment.square_around(view.box, 1.4).numpy()
    np.testing.assert_allclose(square, [0, -6, 40, 34], atol=1e-4)


def test_a_turned_picture_is_stored_upright_and_its_box_is_left_alone(tmp_path):
    picture = made_up.with_orientation(cv2.imencode(".jpg", np.zeros((16, 32, 3)))[1].tobytes(), 6)
    view = _read(tmp_path, picture)
    assert augment.decode(view.image).shape == (32, 16, 3)
    np.testing.assert_array_equal(view.box, [1, 2, 11, 12])
    whole = _read(tmp_path, picture, box=",,,")
    np.testing.assert_allclose(augment.square_around(whole.box, 1.4), [-8, 0, 24, 32], atol=1e-4)


def test_a_missing_picture_is_skipped(tmp_path):
    path = _csv(tmp_path, f"{_HEADER}gone.jpg,b,0,0,0,,,,\nx\\0.jpg,b,0,0,0,,,,\n")
    (identity,), _ = manifest.list_identities(path)
    for listed in identity.views:
        with pytest.raises(sources.SkippedView, match=sources.MISSING_PICTURE):
            manifest.read_view(sources.Folder(tmp_path), listed)


def test_stamps_change_with_a_row_and_with_a_picture(tmp_path):
    def stamps(row, picture):
        (tmp_path / "a.jpg").write_bytes(picture)
        path = _csv(tmp_path, f"{_HEADER}{row}\n")
        return manifest.stamps(path, manifest.list_identities(path)[0])

    first = stamps("a.jpg,b,0,0,0,,,,", b"1")
    assert first != stamps("a.jpg,b,0,0,1,,,,", b"1")
    assert first != stamps("a.jpg,b,0,0,0,,,,", b"22")
