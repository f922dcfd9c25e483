"""Reading picture files: what comes out of each kind, and which are refused with which reason."""

import base64
import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, features

from rankpose_tf.core import pictures
from rankpose_tf.core.errors import RankPoseError

LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")


@pytest.fixture(scope="module")
def colours():
    """(40, 60, 3) uint8: red grows to the right, green downwards, blue is left low."""
    red, green = np.meshgrid(np.arange(60) * 4, np.arange(40) * 6)
    return np.stack([red, green, np.full_like(red, 20)], axis=-1).astype(np.uint8)


def encoded(array, kind="PNG", mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, bits, colour_type, pixels=b""):
    """A PNG by hand: Pillow writes no 16-bit RGB, and no header without its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(pixels))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", LOSSLESS)
def test_colours_come_back_in_the_order_red_green_blue(colours, kind):
    found = pictures.read(encoded(colours, kind))
    assert found.dtype == np.uint8 and found.flags.writeable and found.flags.c_contiguous
    np.testing.assert_array_equal(found, colours)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_come_back_nearly(colours, kind):
    if kind in ("WEBP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"this Pillow is built without {kind}")
    options = {} if kind == "JPEG2000" else {"quality": 95}
    found = pictures.read(encoded(colours, kind, **options)).astype(int)
    assert np.abs(found - colours).mean() < 5


def test_paths_of_both_kinds_and_bytes_are_read_alike(colours, tmp_path):
    path = tmp_path / "a picture ü.png"
    path.write_bytes(encoded(colours))
    for source in (path, str(path), path.read_bytes(), memoryview(path.read_bytes())):
        np.testing.assert_array_equal(pictures.read(source), colours)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, 1)),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_rotation_is_applied(colours, orientation, stored, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(np.ascontiguousarray(stored(colours)), kind, exif=exif)
    np.testing.assert_array_equal(pictures.read(content), colours)


def test_a_jpeg_of_a_telephone_held_upright_is_upright(colours):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(np.ascontiguousarray(np.rot90(colours, 1)), "JPEG", quality=95, exif=exif)
    found = pictures.read(content).astype(int)
    assert found.shape == colours.shape
    assert np.abs(found - colours).mean() < 5


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_is_no_reason_to_refuse_a_picture(colours):
    content = encoded(colours, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert pictures.read(content).shape == colours.shape


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_becomes_three_equal_channels(colours, kind):
    found = pictures.read(encoded(colours, kind, mode="L"))
    assert found.shape == colours.shape
    np.testing.assert_array_equal(found, found[..., :1].repeat(3, axis=2))


def test_transparency_is_laid_over_black(colours):
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 0, 128
    found = pictures.read(encoded(np.concatenate([colours, alpha], axis=2))).astype(int)
    assert not found[:, :20].any()
    np.testing.assert_allclose(found[:, 20:40], colours[:, 20:40] * (128 / 255), atol=1)
    np.testing.assert_array_equal(found[:, 40:], colours[:, 40:])


def test_a_grey_picture_with_transparency_is_laid_over_black():
    values = np.zeros((4, 6, 2), np.uint8)
    values[..., 0], values[:, 3:, 1] = 200, 255
    found = pictures.read(encoded(values))
    assert not found[:, :3].any() and (found[:, 3:] == 200).all()


def test_palettes_are_resolved_and_their_transparent_colour_is_black():
    image = Image.new("P", (6, 4), 0)
    image.putpalette([200, 10, 20, 30, 220, 40])
    image.paste(1, (3, 0, 6, 4))
    opaque, transparent = io.BytesIO(), io.BytesIO()
    image.save(opaque, "PNG")
    image.save(transparent, "PNG", transparency=0)
    assert (pictures.read(opaque.getvalue())[:, :3] == (200, 10, 20)).all()
    found = pictures.read(transparent.getvalue())
    assert not found[:, :3].any() and (found[:, 3:] == (30, 220, 40)).all()


def test_cmyk_is_neither_inverted_nor_read_as_rgb(colours):
    found = pictures.read(encoded(colours, "JPEG", mode="CMYK", quality=95)).astype(int)
    assert found.shape == colours.shape
    assert np.abs(found - colours).mean() < 8


def test_sixteen_bits_keep_their_upper_eight(colours):
    grey = colours[..., 0].astype(np.uint16) * 256 + 77
    found = pictures.read(encoded(grey))
    np.testing.assert_array_equal(found, colours[..., :1].repeat(3, axis=2))
    rows = [b"\x00" + (row.astype(">u2") * 256 + 77).astype(">u2").tobytes() for row in colours]
    np.testing.assert_array_equal(pictures.read(png(60, 40, 16, 2, b"".join(rows))), colours)


def test_black_and_white_of_one_bit_are_0_and_255():
    values = np.zeros((8, 8), bool)
    values[:, 4:] = True
    found = pictures.read(encoded(values))
    assert not found[:, :4].any() and (found[:, 4:] == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_or_pages_the_first_is_read(kind):
    if kind == "WEBP" and not features.check("webp"):
        pytest.skip("this Pillow is built without WEBP")
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    stream = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:], **options)
    found = pictures.read(stream.getvalue())
    assert found.shape == (20, 30, 3) and (found == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(noise, kind)
    with pytest.raises(pictures.PictureError) as error:
        pictures.read(content[: int(share * len(content))])
    assert "damaged" in error.value.reason


@pytest.mark.parametrize("content", [b"not a picture", b"\x00" * 500, b"%!PS-Adobe-3.0 EPSF"])
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(pictures.PictureError, match="no JPEG, PNG"):
        pictures.read(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"%PDF-1.4 ...", "is a PDF"),
        (b"PK\x03\x04" + bytes(99), "is a zip; unpack it"),
        (b"8BPS\0\1" + bytes(99), "Photoshop"),
        (b"\x93NUMPY\1\0", r"np\.load\(path\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"\r\n<!DOCTYPE html>\n<html>", "is a web page"),
        (b"<HTML><body>404", "is a web page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG"),
        (b"\xff\x0a" + bytes(99), "JPEG XL"),
    ],
)
def test_what_people_take_for_a_picture_is_called_what_it_is(content, told):
    with pytest.raises(pictures.PictureError, match=told) as error:
        pictures.read(content)
    assert error.value.kind == pictures.BROKEN


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_the_preview_in_a_raw_file_is_not_taken_for_its_picture(colours, tags):
    information = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        information[tag] = value
        information.tagtype[tag] = 4 if tag == 254 else 1
    with pytest.raises(pictures.PictureError, match="raw file of a camera"):
        pictures.read(encoded(colours, "TIFF", tiffinfo=information))
    information = TiffImagePlugin.ImageFileDirectory_v2()
    information[254] = 2  # A page of several.
    content = encoded(colours, "TIFF", tiffinfo=information)
    np.testing.assert_array_equal(pictures.read(content), colours)


def test_open_files_are_read(colours, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(colours))
    with open(path, "rb") as stream:
        np.testing.assert_array_equal(pictures.read(stream), colours)
        with pytest.raises(pictures.PictureError, match="is empty"):
            pictures.read(stream)  # It was read to its end.
    np.testing.assert_array_equal(pictures.to_array(io.BytesIO(encoded(colours)), "x"), colours)
    with pytest.raises(pictures.PictureError, match="StringIO: gives no bytes; open .* 'rb'"):
        pictures.read(io.StringIO("text"))
    closed = io.BytesIO(b"picture")
    closed.close()
    with pytest.raises(pictures.PictureError, match="BytesIO: gives no bytes: .*closed file"):
        pictures.read(closed)


def test_the_url_of_a_file_is_its_path(colours, tmp_path):
    path = tmp_path / "a face.png"
    path.write_bytes(encoded(colours))
    assert path.as_uri().startswith("file:///") and "%20" in path.as_uri()
    np.testing.assert_array_equal(pictures.read(path.as_uri()), colours)


def test_base64_is_no_path(colours):
    text = base64.b64encode(encoded(np.random.default_rng(0).integers(0, 256, (50, 60, 3), "u1")))
    with pytest.raises(pictures.PictureError, match=r"no path; of base64 pass base64") as error:
        pictures.read(text.decode())
    assert len(str(error.value)) < 250
    with pytest.raises(pictures.PictureError, match="'': is no path"):
        pictures.read("")


def test_values_without_a_known_white_are_refused():
    for values in (np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int32)):
        with pytest.raises(pictures.PictureError, match="32 bits or floating point"):
            pictures.read(encoded(values, "TIFF"))


def test_nothing_over_the_limit_is_decoded(colours):
    content = encoded(colours)
    assert pictures.read(content, max_pixels=2400).shape == (40, 60, 3)
    with pytest.raises(pictures.PictureError, match="60 x 40 pixels, more than the limit of 2399"):
        pictures.read(content, max_pixels=2399)
    # There are no pixels in these files, so that decoding would be called damage.
    with pytest.raises(pictures.PictureError, match="9000 x 9001 pixels, more than the limit"):
        pictures.read(png(9000, 9001, 8, 2), max_pixels=81_000_000)
    with pytest.raises(pictures.PictureError, match="too large"):
        pictures.read(png(60_000, 60_000, 8, 2))


def test_paths_that_hold_no_file_are_refused_with_the_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to("/nowhere/x.jpg")
    for path, reason in (
        (tmp_path / "absent.jpg", "No such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.jpg", "no regular file"),
        (tmp_path / "broken.jpg", "is a link to nothing"),
        ("with\x00zero.jpg", "null"),
        ("~nobody-of-this-name.jpg", "No such file"),
        ("~nobody-of-this-name/a.jpg", "No such file"),
        ("~with\x00zero.jpg", "null"),
    ):
        with pytest.raises(pictures.PictureError, match=reason) as error:
            pictures.read(path)
        assert error.value.reason in str(error.value) and "\n" not in error.value.reason


def test_a_picture_in_ones_home_is_read_and_one_that_begins_with_a_tilde(
    colours, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for path, name in (("home/a.png", "~/a.png"), ("~$face.png", "~$face.png")):
        Image.fromarray(colours).save(tmp_path / path)
        np.testing.assert_array_equal(pictures.read(name), colours)


def test_a_picture_error_is_a_users_mistake():
    assert issubclass(pictures.PictureError, RankPoseError)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_fewer_bits_than_its_16_is_as_bright_as_of_8(colours, bits, kind):
    grey = colours[..., 0]
    assert grey.max() >= 192  # So that it needs all its bits.
    found = pictures.read(encoded(grey.astype(np.uint16) << (bits - 8), kind))
    np.testing.assert_array_equal(found, grey[..., np.newaxis].repeat(3, axis=2))


@pytest.mark.parametrize("white", [4095, 65535])
def test_a_pgm_says_itself_what_is_white(white):
    values = np.array([[0, white // 2, white]], ">u2")
    found = pictures.read(b"P5 3 1 %d\n" % white + values.tobytes())
    np.testing.assert_array_equal(found[0, :, 0], [0, 127, 255])
    dark = (values // 16).astype(">u2")
    found = pictures.read(b"P5 3 1 %d\n" % white + dark.tobytes())
    np.testing.assert_array_equal(found[0, :, 0], [0, 7, 15])


def oriented(kind, orientation, array, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(array, kind, exif=exif, **options)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore::PIL.Image.DecompressionBombWarning")
def test_only_what_every_decoder_reads_alike_is_plain(colours):
    alpha = np.dstack([colours, np.full((40, 60), 255, np.uint8)])
    for content, plain in (
        (encoded(colours), True),
        (encoded(colours, "JPEG"), True),
        (encoded(colours, "JPEG", mode="L"), True),
        (encoded(colours, mode="P"), True),
        (oriented("JPEG", 1, colours), True),
        (encoded(colours, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken"), True),
        (oriented("JPEG", 6, colours), False),
        (oriented("PNG", 3, colours), False),
        (encoded(alpha), False),
        (encoded(colours, mode="P", transparency=0), False),
        (encoded(colours[..., 0], transparency=0), False),
        (encoded(colours[..., 0].astype(np.uint16)), False),
        (encoded(colours, "JPEG", mode="CMYK"), False),
        (encoded(colours, "BMP"), False),
        (png(60_000, 60_000, 8, 2), False),
        (png(12_000, 12_000, 8, 2), False),
        (b"no picture", False),
    ):
        assert pictures.is_plain(content) == plain
    assert pictures.size(encoded(colours)) == (60, 40)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_reasons_are_counted_by_what_files_share(colours, tmp_path):
    for source, kind in (
        (b"no picture", pictures.BROKEN),
        (tmp_path / "absent.jpg", pictures.BROKEN),
        (png(60_000, 60_000, 8, 2), pictures.TOO_LARGE),
        (png(12_000, 12_000, 8, 2), pictures.TOO_LARGE),
        (encoded(np.zeros((4, 4), np.float32), "TIFF"), pictures.UNKNOWN_WHITE),
    ):
        with pytest.raises(pictures.PictureError) as error:
            pictures.read(source)
        assert error.value.kind == kind


def test_whatever_holds_a_picture_is_taken_alike(colours, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(colours))
    content = path.read_bytes()
    for image in (path, str(path), content, bytearray(content), colours, Image.fromarray(colours)):
        np.testing.assert_array_equal(pictures.to_array(image, "image"), colours)
    with pytest.raises(RankPoseError, match=r"picture: expected RGB of shape \(H, W, 3\)"):
        pictures.to_array(None, "picture")


HEIC_HEAD = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf"


@pytest.mark.parametrize(
    "head",
    [HEIC_HEAD, HEIC_HEAD.replace(b"ftypheic", b"ftypmif1"), b"\0\0\0\x14ftypheix\0\0\0\0mif1"],
)
def test_without_its_package_a_heic_picture_says_what_to_do(monkeypatch, head):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(pictures.PictureError, match=r"pip install .rankpose_tf\[heic\]") as error:
        pictures.read(head + bytes(100))
    assert "save it as JPEG" in error.value.reason and error.value.kind == pictures.NO_HEIC


def test_an_avif_of_the_same_container_is_no_heic(colours, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    content = encoded(colours, "AVIF").replace(b"ftypavif", b"ftypmif1")
    assert pictures.read(content).shape == colours.shape


def heic(image, orientation=1):
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(image).save(stream, quality=95, exif=exif.tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("orientation", [1, 6])
def test_with_its_package_a_heic_picture_is_read_upright(colours, orientation, tmp_path):
    stored = colours if orientation == 1 else np.ascontiguousarray(np.rot90(colours, 1))
    (tmp_path / "a.heic").write_bytes(heic(Image.fromarray(stored), orientation))
    found = pictures.read(tmp_path / "a.heic").astype(int)
    assert found.shape == colours.shape
    assert np.abs(found - colours).mean() < 5


def test_a_heic_picture_is_laid_over_black_and_refused_like_others(colours):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, :20] = 0
    content = heic(Image.fromarray(np.dstack([colours, alpha])))
    assert pictures.read(content)[:, :16].max() < 8
    with pytest.raises(pictures.PictureError, match="60 x 40 pixels, more than the limit of 9"):
        pictures.read(content, max_pixels=9)
    with pytest.raises(pictures.PictureError, match="is damaged"):
        pictures.read(content[: len(content) // 2])
