"""Folder and zip give the same files; only pictures that TensorFlow decodes pass."""

import zipfile

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import augment
from rankpose_tf.preparation import sources
from tests.support import made_up_faces as made_up


def _zip(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_folder_and_zip_hold_the_same_and_leave_out_what_archivers_add(tmp_path):
    folder = tmp_path / "folder"
    wanted = {"a.txt": b"1", "s p/b.txt": b"22"}
    for name, content in {**wanted, "__MACOSX/a.txt": b"x", "s p/._b.txt": b"x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    archive = _zip(tmp_path / "x.zip", **wanted, **{"__MACOSX/a.txt": b"x", "s p/._b.txt": b"x"})
    for source in (sources.open_source(folder), sources.open_source(archive)):
        assert sorted(source.stamps()) == sorted(wanted)
        assert {name: source.read(name) for name in wanted} == wanted
        source.close()


def test_stamps_change_with_the_content(tmp_path):
    stamps = []
    for content in (b"one", b"two"):
        source = sources.open_source(_zip(tmp_path / "x.zip", a=content))
        stamps.append(source.stamps())
        source.close()
    assert stamps[0] != stamps[1]


def test_a_cut_zip_and_no_zip_are_one_sentence(tmp_path):
    archive = _zip(tmp_path / "x.zip", a=b"1" * 1000)
    archive.write_bytes(archive.read_bytes()[:-10])
    for path, message in ((archive, "cut short"), (tmp_path / "absent", "there is nothing at")):
        with pytest.raises(RankPoseError, match=message):
            sources.open_source(path)


def test_a_damaged_member_of_a_zip_is_a_broken_picture(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", made_up.jpeg())
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    with pytest.raises(sources.SkippedView, match=sources.BROKEN_PICTURE):
        sources.read_picture(sources.open_source(path), "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_whole_picture_is_kept_byte_by_byte(tmp_path, suffix):
    content = cv2.imencode(suffix, np.zeros((5, 7, 3), np.uint8))[1].tobytes()
    (tmp_path / "a").write_bytes(content)
    assert sources.read_picture(sources.Folder(tmp_path), "a") == content


def _without_end(picture):
    return picture[: len(picture) * 2 // 3]


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"\xff\xd8\xff", _without_end(made_up.jpeg(64, 64)), b"BM" + b"\0" * 60],
    ids=["empty", "text", "three bytes", "cut JPEG", "broken BMP"],
)
def test_a_broken_picture_is_skipped(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(sources.SkippedView, match=sources.BROKEN_PICTURE):
        sources.read_picture(sources.Folder(tmp_path), "a.jpg")


def test_another_format_becomes_a_png_without_loss(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())
    content = sources.read_picture(sources.Folder(tmp_path), "a.jpg")
    assert content.startswith(b"\x89PNG")
    np.testing.assert_array_equal(augment.decode(content), pixels[..., ::-1])


def test_exif_orientation_is_applied_once():
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left
    picture = cv2.imencode(".jpg", pixels)[1].tobytes()
    turned = sources.upright(made_up.with_orientation(picture, 6))
    seen = augment.decode(turned).numpy()
    assert seen.shape == (32, 16, 3)
    assert seen[:12].mean() > 250 and seen[20:].mean() < 5  # turned clockwise: white on top
    assert sources.upright(turned) is turned


def test_an_upright_picture_with_exif_is_kept():
    picture = made_up.with_orientation(made_up.jpeg(), 1)
    assert sources.upright(picture) is picture


def test_poses_are_checked_for_numbers_and_range():
    half_turn = np.float32(np.pi)
    assert sources.checked_pose((half_turn, -half_turn, 0)).dtype == np.float32
    for pose, reason in (
        ((0, np.nan, 0), sources.NAN_LABEL),
        ((0, 0, np.inf), sources.NAN_LABEL),
        ((0, 0, -np.radians(180.1)), sources.OUT_OF_RANGE_LABEL),
    ):
        with pytest.raises(sources.SkippedView, match=reason):
            sources.checked_pose(pose)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 5, 5, 4), (0, 0, np.nan, 5), (0, 0, np.inf, 5)])
def test_a_box_without_area_is_skipped(box):
    with pytest.raises(sources.SkippedView, match=sources.BAD_BOX):
        sources.checked_box(box)
