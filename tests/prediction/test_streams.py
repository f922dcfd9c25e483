"""What is a stream, how it is named, and that nothing waits for ever."""

import socket
import threading
import time

import pytest

from rankpose_tf.prediction import streams, video
from rankpose_tf.prediction.inputs import CAMERA, expand


@pytest.mark.parametrize(
    "source",
    ["rtsp://host/s", "RTSP://u:p@host:554/s", "http://host/a.mp4", "https://h", "udp://@:1"],
)
def test_an_address_is_a_stream(source):
    assert streams.is_stream(source)
    assert expand([source])[0][:2] == (CAMERA, source)


@pytest.mark.parametrize("source", ["film.mp4", "rtsp", "rtsp://", "a/http/b.mp4", "0", "C:/x.mp4"])
def test_a_path_is_none(source):
    assert not streams.is_stream(source)


def test_a_device_is_the_camera_of_its_number(tmp_path):
    assert streams.camera_index("/dev/video12") == 12
    assert streams.camera_index("/dev/videos") is None
    assert streams.camera_index("video1") is None
    assert expand(["/dev/video97"]) == [(CAMERA, "/dev/video97", "dev-video97")]
    with pytest.raises(video.VideoError, match="/dev/video97: there is no such camera"):
        video.Video("/dev/video97")


def test_names_and_passwords_are_not_shown():
    assert streams.shown("rtsp://me:secret@10.0.0.7:554/s?x=1") == "rtsp://10.0.0.7:554/s?x=1"
    assert streams.shown("me@home/film.mp4") == "me@home/film.mp4"
    assert streams.file_stem("rtsp://me:secret@10.0.0.7:554/s?x=1") == "rtsp-10.0.0.7-554-s-x-1"


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch, scheme):
    monkeypatch.setattr(streams, "TIME_LIMIT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://me:secret@127.0.0.1:{server.getsockname()[1]}/s"
        with pytest.raises(video.VideoError, match="no answer came for") as error:
            video.Video(address)
    assert "secret" not in str(error.value)


def test_a_server_that_is_not_there_is_a_reason():
    with pytest.raises(video.VideoError, match="can't be opened as a stream"):
        video.Video("http://127.0.0.1:1/film.mp4")


def test_of_frames_that_come_while_nobody_asks_the_newest_is_given():
    given, asked = iter(range(100)), threading.Event()

    def read():
        number = next(given)
        if number == 10:
            asked.wait(10)
        return number if number < 12 else None

    frames = streams.newest(read)
    first, _ = next(frames)
    deadline = time.monotonic() + 10
    while first < 9 and time.monotonic() < deadline:
        first, _ = next(frames)
    assert first == 9
    asked.set()
    assert [number for number, _ in frames][-1] == 11


def test_no_thread_is_left_of_a_stream_that_is_closed():
    frames = streams.newest(lambda: time.sleep(0.01) or 1)
    next(frames)
    frames.close()
    assert not [one for one in threading.enumerate() if one.name == "read-newest"]
