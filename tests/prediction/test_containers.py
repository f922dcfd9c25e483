"""What is read from the boxes of MP4 files that are made up byte by byte."""

import struct

import numpy as np
import pytest

from rankpose_tf.prediction.containers import Presentation, is_mpeg_stream, presentation


def box(name, *content):
    content = b"".join(content)
    return struct.pack(">I4s", 8 + len(content), name) + content


def header(version, length, matrix=(1, 0, 0, 1)):
    """tkhd: times, number, 4 reserved, length, 8 reserved, 8 more, matrix, size."""
    times = bytes(16 if version else 8)
    a, b, c, d = (value << 16 for value in matrix)
    numbers = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    long = struct.pack(">Q" if version else ">I", length)
    return box(
        b"tkhd", bytes([version, 0, 0, 0]), times, bytes(8), long, bytes(16), numbers, bytes(8)
    )


def film(*inside, kind=b"vide", scale=1000, version=0):
    times = bytes(16 if version else 8)
    handler = box(b"mdia", box(b"hdlr", bytes(8), kind, bytes(12)))
    top = box(b"mvhd", bytes([version, 0, 0, 0]), times, struct.pack(">I", scale), bytes(80))
    return box(b"moov", top, box(b"trak", *inside, handler))


def saved(path, *boxes):
    path.write_bytes(box(b"ftyp", b"isom") + b"".join(boxes))
    return path


@pytest.mark.parametrize("version", [0, 1])
def test_length_and_matrix_of_both_versions(tmp_path, version):
    content = film(header(version, 4200, (0, -1, -1, 0)), version=version)
    found = presentation(saved(tmp_path / "a.mp4", box(b"mdat", bytes(50)), content))
    assert found.seconds == 4.2
    # x' = a x + c y, y' = b x + d y
    np.testing.assert_array_equal(found.matrix, [[0, -1], [-1, 0]])


def test_edits_that_show_nothing_do_not_count(tmp_path):
    edits = struct.pack(">IiIIiI", 2000, -1, 1 << 16, 2770, 512, 1 << 16)
    content = film(
        header(0, 4770), box(b"edts", box(b"elst", bytes(4), struct.pack(">I", 2), edits))
    )
    assert presentation(saved(tmp_path / "a.mp4", content)).seconds == 2.77


def test_a_box_of_64_bits_length_is_passed_over(tmp_path):
    long = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + bytes(40)
    assert presentation(saved(tmp_path / "a.mp4", long, film(header(0, 500)))).seconds == 0.5


def test_a_track_of_sound_is_none_of_a_video(tmp_path):
    assert presentation(saved(tmp_path / "a.mp4", film(header(0, 900), kind=b"soun"))) == (
        None,
        None,
    )


def test_a_file_in_fragments_tells_no_length(tmp_path):
    assert presentation(saved(tmp_path / "a.mp4", film(header(0, 0)))).seconds is None


def test_a_slanting_matrix_is_no_quarter_turn(tmp_path):
    assert presentation(saved(tmp_path / "a.mp4", film(header(0, 1, (1, 1, -1, 1))))).matrix is None


def test_of_damaged_and_other_files_nothing_is_known(tmp_path):
    whole = saved(tmp_path / "a.mp4", film(header(0, 900))).read_bytes()
    for content in [b"", b"no video at all", *(whole[:end] for end in range(0, len(whole), 7))]:
        (tmp_path / "b.mp4").write_bytes(content)
        assert isinstance(presentation(tmp_path / "b.mp4"), Presentation)
    deep = b""
    for _ in range(3000):
        deep = box(b"mdia", deep)
    assert presentation(saved(tmp_path / "c.mp4", film(header(0, 900), deep))) == (None, None)
    assert presentation(tmp_path / "absent.mp4") == (None, None)


def test_streams_of_packets_are_told_by_their_first_bytes(tmp_path):
    plain = (b"G" + bytes(187)) * 3
    for content, expected in (
        (plain, True),
        ((bytes(4) + plain[:188]) * 2, True),
        (b"\0\0\1\xba" + bytes(50), True),
        (b"G", False),
        (b"", False),
        (b"GIF89a" + bytes(200), False),
    ):
        (tmp_path / "a").write_bytes(content)
        assert is_mpeg_stream(tmp_path / "a") == expected
    assert not is_mpeg_stream(tmp_path / "absent")
