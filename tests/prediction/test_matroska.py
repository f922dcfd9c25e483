"""The times of frames in Matroska files that are made up element by element."""

import pytest

from rankpose_tf.prediction.matroska import span

TRACK = 2


def element(name, *content):
    content = b"".join(content)
    # The shortest size that is not all ones, and one of eight bytes, by turns.
    if len(content) < 127:
        size = bytes([0x80 | len(content)])
    else:
        size = bytes([0x01]) + len(content).to_bytes(7, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + content


def number(name, value):
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def block(track, offset):
    return bytes([0x80 | track]) + offset.to_bytes(2, "big", signed=True) + b"\0frame"


def cluster(time, *blocks):
    return element(0x1F43B675, number(0xE7, time), *blocks)


def film(*clusters, scale=1_000_000):
    info = element(0x1549A966, number(0x2AD7B1, scale))
    sound = element(0xAE, number(0xD7, 1), number(0x83, 2))
    picture = element(0xAE, number(0xD7, TRACK), number(0x83, 1))
    head = element(0x1A45DFA3, number(0x4286, 1))
    return head + element(0x18538067, info, element(0x1654AE6B, sound, picture), *clusters)


@pytest.fixture
def span_of(tmp_path):
    def of(content):
        (tmp_path / "a.mkv").write_bytes(content)
        return span(tmp_path / "a.mkv")

    return of


def simple(track, offset):
    return element(0xA3, block(track, offset))


def grouped(track, offset):
    return element(0xA0, number(0x9B, 40), element(0xA1, block(track, offset)))


@pytest.mark.parametrize("kind", [simple, grouped])
def test_it_goes_from_the_first_to_the_last_frame_of_the_video_alone(span_of, kind):
    sound = [simple(1, offset) for offset in range(0, 400, 20)]
    clusters = [
        cluster(2000, kind(TRACK, 0), *sound, kind(TRACK, 40)),
        # Frames lie in the order of decoding, some before their cluster's time.
        cluster(3000, kind(TRACK, 90), kind(TRACK, -10)),
        cluster(9000, *sound),
    ]
    assert span_of(film(*clusters)) == pytest.approx(1.09)
    assert span_of(film(*clusters, scale=100_000)) == pytest.approx(0.109)


def test_of_a_file_that_is_cut_off_nothing_is_known(span_of):
    content = film(*[cluster(1000 * index, simple(TRACK, 0)) for index in range(5)])
    assert span_of(content) == pytest.approx(4.0)
    for end in range(0, len(content), 3):
        assert span_of(content[:end]) is None


def test_of_a_live_recording_whose_length_was_never_written_nothing_is_known(span_of):
    head = element(0x1A45DFA3, number(0x4286, 1))
    endless = (0x18538067).to_bytes(4, "big") + b"\x01" + b"\xff" * 7
    assert span_of(head + endless + cluster(0, simple(TRACK, 0))) is None


def test_of_other_files_nothing_is_known(span_of, tmp_path):
    for content in (b"", b"\0" * 50, b"\xff" * 50, b"RIFF....AVI ", film()):
        assert span_of(content) is None
    assert span(tmp_path / "absent.mkv") is None


def test_a_file_of_another_program_is_read(tmp_path):
    av = pytest.importorskip("av")
    import numpy as np

    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(0, 200, 4):
            image = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert span(tmp_path / "a.mkv") == pytest.approx(49 / 25, abs=0.002)
