"""A user's manifest: rows to identities, and every kind of bad row."""

import json
import zipfile

import cv2
import numpy as np
import pytest

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import square_crops
from rankpose_tf.preparation import manifest, sources, views
from tests.support import made_up_faces as made_up

_HEADER = "image,identity,yaw,pitch,roll,left,top,right,bottom\n"


def _csv(folder, text, name="m.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _listed(path, unit=""):
    source = sources.open_source(path)
    return manifest.list_identities(source, source.stamps(), unit)


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
        identities, skipped, _ = _listed(path)
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
    identities, skipped, _ = _listed(_csv(tmp_path, text))
    assert (identities[0].name, identities[0].views[0].path, skipped) == ("anna", "a.jpg", [])


def test_columns_that_are_not_read_are_named_once(tmp_path, caplog):
    rows = "a.jpg,b,1,2,3,40,x\nb.jpg,b,1,2,3,41,y\n"
    with caplog.at_level("WARNING", logger="absl"):
        _listed(_csv(tmp_path, "image,identity,yaw,pitch,roll,age,note\n" + rows))
    assert [r.getMessage() for r in caplog.records] == [
        "m.csv: columns that are not read: age, note"
    ]


def test_without_identities_each_picture_is_its_own_and_that_is_said(tmp_path, caplog):
    text = "image,yaw,pitch,roll,x1,y1,x2,y2\n" + "".join(
        f"{row}\n"
        for row in ("a.jpg,1,2,3,1,1,9,9", "b.jpg,1,2,3,,,,", "a.jpg,4,5,6,11,1,19,9",
                    "a.jpg,1,2,3,1,1,9,9")
    )  # fmt: skip
    path = _csv(tmp_path, text)
    with caplog.at_level("WARNING", logger="absl"):
        identities, skipped, _ = _listed(path)
    # Two faces of one picture are two people, never on two sides of a split.
    assert [i.group for i in identities] == ["a.jpg", "b.jpg", "a.jpg"]
    assert len({i.name for i in identities}) == 3
    assert [len(i.views) for i in identities] == [1, 1, 1]
    assert skipped == [("a.jpg", views.DUPLICATE_ROW)]
    assert "no column identity, so each picture is its own" in caplog.text
    assert manifest.describe(sources.open_source(path), identities, "").minimum_views == 1


def test_with_identities_two_views_are_needed(tmp_path):
    path = _csv(tmp_path, f"{_HEADER}a.jpg,anna,1,2,3,,,,\nb.jpg,bob,1,2,3,,,,\n")
    source = sources.open_source(path)
    assert manifest.describe(source, _listed(path).identities, "").minimum_views == 2


def _many(rows, largest):
    angles = np.linspace(-largest, largest, rows)
    return _HEADER + "".join(f"{n}.jpg,b,{angle},0,0,,,,\n" for n, angle in enumerate(angles))


def test_many_rows_in_radians_are_asked_about_and_both_answers_are_taken(tmp_path):
    path = _csv(tmp_path, _many(40, 1.5))
    with pytest.raises(RankPoseError, match="no angle in 40 rows .*1.50.*--label_unit=radians"):
        _listed(path)
    for unit, largest in (("radians", 1.5), ("degrees", np.radians(1.5))):
        identities, skipped, _ = _listed(path, unit)
        assert skipped == []
        assert max(v.label[0][0] for v in identities[0].views) == pytest.approx(largest)


@pytest.mark.parametrize(("rows", "largest"), [(19, 1.5), (40, 3.5)])
def test_few_rows_and_a_turned_head_are_degrees(tmp_path, rows, largest):
    identities, _, _ = _listed(_csv(tmp_path, _many(rows, largest)))
    largest_read = max(v.label[0][0] for v in identities[0].views)
    assert largest_read == pytest.approx(np.radians(largest))


def test_a_table_with_comma_decimals_is_read_and_unquoted_ones_are_named(tmp_path):
    good = _csv(tmp_path, "image;identity;yaw;pitch;roll\na.jpg;b;10,5;-3,5;1\n")
    np.testing.assert_allclose(
        _listed(good).identities[0].views[0].label[0], np.radians([10.5, -3.5, 1]), rtol=1e-6
    )
    shifted = _csv(tmp_path, "image,identity,yaw,pitch,roll\na.jpg,b,10,5,-3,5,1,0\n")
    assert _listed(shifted)[:2] == ([], [("a.jpg", views.LONG_ROW)])


def test_a_box_of_thousands_is_skipped_with_its_reason(tmp_path):
    rows = 'a.jpg,p,1,2,3,"1,024",2,"1,100",9\nb.jpg,p,1,2,3,1024,2,1100,9\n'
    identities, skipped, _ = _listed(_csv(tmp_path, _HEADER + rows))
    assert [v.path for i in identities for v in i.views] == ["b.jpg"]
    assert skipped == [("a.jpg", views.THOUSANDS_BOX)]


def test_one_picture_under_several_spellings_is_a_duplicate(tmp_path):
    rows = "a/b.jpg,p,1,2,3,,,,\n.\\a\\b.jpg,p,1,2,3,,,,\n./a//b.jpg,p,1,2,3,,,,\n"
    identities, skipped, _ = _listed(_csv(tmp_path, _HEADER + rows))
    assert [v.path for i in identities for v in i.views] == ["a/b.jpg"]
    assert skipped == 2 * [("a/b.jpg", views.DUPLICATE_ROW)]


def test_a_table_in_a_zip_names_its_pictures_from_where_it_lies(tmp_path):
    pictures = {name: made_up.jpeg(seed=n) for n, name in enumerate(("a.jpg", "more/b.jpg"))}
    text = _HEADER + "".join(f"{name},p,1,2,3,1,2,9,8\n" for name in pictures)
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("faces/faces.csv", text)
        for name, content in pictures.items():
            archive.writestr(f"faces/{name}", content)
    source = sources.open_source(path)
    assert manifest.claims(source, source.stamps())
    (identity,), skipped, _ = _listed(path)
    assert skipped == []
    assert [view.name for view in identity.views] == list(pictures)
    read = [manifest.read_view(source, view).image for view in identity.views]
    assert read == list(pictures.values())
    assert manifest.describe(source, [identity], "").protocol_set == "set"
    source.close()


def test_the_true_pairs_are_read_from_their_zip(shared_data):
    source = sources.open_source(shared_data / "aflw_pairs.zip")
    names = source.stamps()
    assert manifest.claims(source, names)
    identities, skipped, _ = manifest.list_identities(source, names, "")
    assert (len(identities), skipped) == (15853, [])
    assert {len(identity.views) for identity in identities} == {2}
    for identity in identities[:3]:
        for listed in identity.views:
            view = manifest.read_view(source, listed)
            width, height = pictures.size(view.image)
            # The box is around 68 points of a face that fills its crop.
            assert 0.3 * width < view.box[2] - view.box[0] < width
            assert 0.3 * height < view.box[3] - view.box[1] < height
    source.close()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,b,1,2,x,,,,", views.CORRUPT_LABEL),
        ("a.jpg,b,1,2,,,,,", views.MISSING_LABEL),
        ("a.jpg,,1,2,3,,,,", views.MISSING_LABEL),
        ("a.jpg,b,1", views.MISSING_LABEL),
        ("a.jpg,b,1,nan,3,,,,", views.NAN_LABEL),
        ("a.jpg,b,1,1e999,3,,,,", views.NAN_LABEL),
        ("a.jpg,b,181,2,3,,,,", views.OUT_OF_RANGE_LABEL),
        ("a.jpg,b,1,2,3,5,5,5,9", views.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,nan,9", views.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,,9", views.BAD_BOX),
        ("a.jpg,b,1,2,3,5,5,x,9", views.BAD_BOX),
    ],
)
def test_a_bad_row_is_skipped_by_name_and_reason(tmp_path, row, reason):
    path = _csv(tmp_path, f"{_HEADER}good.jpg,b,0,0,0,,,,\n{row}\n")
    identities, skipped, _ = _listed(path)
    assert [view.path for i in identities for view in i.views] == ["good.jpg"]
    assert skipped == [("a.jpg", reason)]


def test_a_row_without_a_picture_is_named_by_its_line(tmp_path):
    _, skipped, _ = _listed(_csv(tmp_path, f"{_HEADER},b,0,0,0,,,,\n"))
    assert skipped == [("m.csv line 2", views.MISSING_PICTURE)]
    good = '{"image": "a", "identity": "b", "yaw": 0, "pitch": 0, "roll": 0}'
    path = _csv(tmp_path, f"{good}\nno json\n[1]\n", "m.jsonl")
    assert _listed(path)[1] == [
        ("m.jsonl line 2", views.CORRUPT_LABEL),
        ("m.jsonl line 3", views.CORRUPT_LABEL),
    ]


def test_the_same_picture_and_identity_twice_is_a_duplicate_but_two_people_are_not(tmp_path):
    rows = "a.jpg,b,1,2,3,,,,\na.jpg,b,4,5,6,,,,\na.jpg,c,1,2,3,1,1,9,9\n"
    identities, skipped, _ = _listed(_csv(tmp_path, _HEADER + rows))
    assert [(i.name, len(i.views)) for i in identities] == [("b", 1), ("c", 1)]
    assert skipped == [("a.jpg", views.DUPLICATE_ROW)]
    np.testing.assert_allclose(identities[0].views[0].label[0], np.radians([1, 2, 3]), rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"image,yaw\n", b"\xff\xfe\x00", b'{"image": 1}'])
def test_what_is_no_manifest_is_one_sentence(tmp_path, content):
    path = tmp_path / ("m.jsonl" if content.startswith(b"{") else "m.csv")
    path.write_bytes(content)
    with pytest.raises(RankPoseError, match="table"):
        _listed(path)


def _read(folder, picture, box="1,2,11,12"):
    (folder / "a.jpg").write_bytes(picture)
    path = _csv(folder, f"{_HEADER}a.jpg,b,0,0,0,{box}\n")
    (identity,), *_ = _listed(path)
    return manifest.read_view(sources.Folder(folder), identity.views[0])


def test_without_a_box_the_package_crop_takes_the_whole_picture(tmp_path):
    view = _read(tmp_path, made_up.jpeg(width=40, height=28), box=",,,")
    square = square_crops.square_around(view.box, 1.4).numpy()
    np.testing.assert_allclose(square, [0, -6, 40, 34], atol=1e-4)


def test_a_turned_picture_is_stored_upright_and_its_box_is_left_alone(tmp_path):
    picture = made_up.with_orientation(cv2.imencode(".jpg", np.zeros((16, 32, 3)))[1].tobytes(), 6)
    view = _read(tmp_path, picture)
    assert square_crops.decode(view.image).shape == (32, 16, 3)
    np.testing.assert_array_equal(view.box, [1, 2, 11, 12])
    whole = _read(tmp_path, picture, box=",,,")
    np.testing.assert_allclose(
        square_crops.square_around(whole.box, 1.4), [-8, 0, 24, 32], atol=1e-4
    )


def test_a_missing_picture_is_skipped(tmp_path):
    path = _csv(tmp_path, f"{_HEADER}gone.jpg,b,0,0,0,,,,\nx\\0.jpg,b,0,0,0,,,,\n")
    (identity,), *_ = _listed(path)
    for listed in identity.views:
        with pytest.raises(views.SkippedView, match=views.MISSING_PICTURE):
            manifest.read_view(sources.Folder(tmp_path), listed)


def test_stamps_change_with_a_row_and_with_a_picture(tmp_path):
    def stamps(row, picture):
        (tmp_path / "a.jpg").write_bytes(picture)
        path = _csv(tmp_path, f"{_HEADER}{row}\n")
        return _listed(path).stamps

    first = stamps("a.jpg,b,0,0,0,,,,", b"1")
    assert first != stamps("a.jpg,b,0,0,1,,,,", b"1")
    assert first != stamps("a.jpg,b,0,0,0,,,,", b"22")


def test_a_table_without_rows_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("image,identity,yaw,pitch,roll\n")
    with pytest.raises(RankPoseError, match="'t.csv' has a header and no rows"):
        manifest.list_identities(sources.open_source(tmp_path / "t.csv"), {"t.csv": ""}, "")
