"""Only pictures that TensorFlow decodes pass; poses and boxes are checked."""

import io
import sys
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from rankpose_tf.core import pictures
from rankpose_tf.data import square_crops
from rankpose_tf.preparation import sources, views
from tests.support import made_up_faces as made_up


def test_a_damaged_member_of_a_zip_is_a_broken_picture(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", made_up.jpeg())
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    with pytest.raises(views.SkippedView, match=views.BROKEN_PICTURE):
        views.read_picture(sources.open_source(path), "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_whole_picture_is_kept_byte_by_byte(tmp_path, suffix):
    content = cv2.imencode(suffix, np.zeros((5, 7, 3), np.uint8))[1].tobytes()
    (tmp_path / "a").write_bytes(content)
    assert views.read_picture(sources.Folder(tmp_path), "a") == content


def _without_end(picture):
    return picture[: len(picture) * 2 // 3]


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"\xff\xd8\xff", _without_end(made_up.jpeg(64, 64)), b"BM" + b"\0" * 60],
    ids=["empty", "text", "three bytes", "cut JPEG", "broken BMP"],
)
def test_a_broken_picture_is_skipped(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(views.SkippedView, match=views.BROKEN_PICTURE):
        views.read_picture(sources.Folder(tmp_path), "a.jpg")


def test_another_format_becomes_a_png_without_loss(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())
    content = views.read_picture(sources.Folder(tmp_path), "a.jpg")
    assert content.startswith(b"\x89PNG")
    np.testing.assert_array_equal(square_crops.decode(content), pixels[..., ::-1])


def read(tmp_path, content):
    """What training sees of a file."""
    (tmp_path / "a").write_bytes(content)
    stored = views.read_picture(sources.Folder(tmp_path), "a")
    assert pictures.is_plain(stored)
    return square_crops.decode(stored).numpy()


def test_exif_orientation_is_applied_once(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left
    picture = cv2.imencode(".jpg", pixels)[1].tobytes()
    seen = read(tmp_path, made_up.with_orientation(picture, 6))
    assert seen.shape == (32, 16, 3)
    assert seen[:12].mean() > 250 and seen[20:].mean() < 5  # turned clockwise: white on top


def test_an_upright_picture_with_exif_is_kept(tmp_path):
    picture = made_up.with_orientation(made_up.jpeg(), 1)
    (tmp_path / "a.jpg").write_bytes(picture)
    assert views.read_picture(sources.Folder(tmp_path), "a.jpg") == picture


def file_of(image, kind, orientation=1, **options):
    """A picture of Pillow's as a file."""
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image.save(stream, kind, exif=exif, **options)
    return stream.getvalue()


def of_every_kind():
    """Files that decoders are known to read differently."""
    colours = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8), (48, 40))
    opaque, grey = Image.fromarray(colours), colours[..., 0].astype(np.uint16)
    alpha = np.zeros((40, 48, 1), np.uint8)
    alpha[:20], alpha[30:] = 128, 255
    veiled = Image.fromarray(np.dstack([colours, alpha]))
    return {
        "RGBA": file_of(veiled, "PNG"),
        "LA": file_of(veiled.convert("LA"), "PNG"),
        "palette": file_of(opaque.convert("P"), "PNG", transparency=7),
        "WebP": file_of(veiled, "WEBP", lossless=True),
        "TIFF": file_of(veiled, "TIFF"),
        "GIF": file_of(opaque, "GIF"),
        "8 bits of 16": file_of(Image.fromarray(grey), "PNG"),
        "12 bits of 16": file_of(Image.fromarray(grey * 16), "PNG"),
        "16 bits": file_of(Image.fromarray(grey * 257), "PNG"),
        "16 bits TIFF": file_of(Image.fromarray(grey * 257), "TIFF"),
        "CMYK": file_of(opaque.convert("CMYK"), "JPEG"),
        "AVIF": file_of(opaque, "AVIF"),
        "turned AVIF": file_of(opaque, "AVIF", orientation=6),
        "turned PNG": file_of(veiled, "PNG", orientation=8),
        "JPEG 2000": file_of(opaque, "JPEG2000"),
    }


@pytest.mark.parametrize(("name", "content"), of_every_kind().items(), ids=of_every_kind())
def test_training_sees_what_the_estimator_sees(tmp_path, name, content):
    expected = pictures.read(content).astype(int)
    found = read(tmp_path, content)
    # What was a JPEG stays one, with a second loss.
    assert np.abs(found - expected).mean() <= (2 if name == "CMYK" else 0)


def test_a_turned_jpeg_is_seen_as_the_estimator_sees_it(tmp_path):
    smooth = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)
    content = file_of(Image.fromarray(smooth).convert("RGB"), "JPEG", 6, quality=95)
    found = read(tmp_path, content).astype(int)
    assert np.abs(found - pictures.read(content)).max() <= 3


def test_a_heic_picture_is_skipped_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x14ftypheic\0\0\0\0mif1" + bytes(99))
    with pytest.raises(views.SkippedView, match=r"HEIC picture .*rankpose_tf\[heic\]"):
        views.read_picture(sources.Folder(tmp_path), "a.jpg")


def test_what_can_not_be_read_is_skipped_for_its_own_reason(tmp_path):
    floats = Image.fromarray(np.zeros((4, 4), np.float32))
    (tmp_path / "a.tif").write_bytes(file_of(floats, "TIFF"))
    with pytest.raises(views.SkippedView, match="^picture of 32 bits or floating point$"):
        views.read_picture(sources.Folder(tmp_path), "a.tif")


def test_poses_are_checked_for_numbers_and_range():
    half_turn = np.float32(np.pi)
    assert views.checked_pose((half_turn, -half_turn, 0)).dtype == np.float32
    for pose, reason in (
        ((0, np.nan, 0), views.NAN_LABEL),
        ((0, 0, np.inf), views.NAN_LABEL),
        ((0, 0, -np.radians(180.1)), views.OUT_OF_RANGE_LABEL),
    ):
        with pytest.raises(views.SkippedView, match=reason):
            views.checked_pose(pose)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 5, 5, 4), (0, 0, np.nan, 5), (0, 0, np.inf, 5)])
def test_a_box_without_area_is_skipped(box):
    with pytest.raises(views.SkippedView, match=views.BAD_BOX):
        views.checked_box(box)


@pytest.mark.parametrize("box", [(0.2, 0.2, 0.7, 0.7), (0, 0, 1, 1)])
def test_a_box_in_shares_of_the_picture_is_skipped_with_its_own_reason(box):
    with pytest.raises(views.SkippedView, match="in shares of the picture"):
        views.checked_box(box)


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-30, -30, 1, 1), True),
        ((39, 27, 90, 90), True),
        ((-30, 5, 0, 9), False),
        ((40, 5, 50, 9), False),
        ((5, 28, 9, 50), False),
        ((5000, 5000, 5100, 5100), False),
    ],
)
def test_a_box_may_reach_outside_its_picture_but_not_lie_there(box, inside):
    listed = views.ListedView("a.jpg", "a.jpg", None)
    content = made_up.jpeg(width=40, height=28)
    if inside:
        assert views.view(listed, content, np.zeros(3), np.float32(box)).image == content
    else:
        with pytest.raises(views.SkippedView, match=views.OUTSIDE_BOX):
            views.view(listed, content, np.zeros(3), np.float32(box))
