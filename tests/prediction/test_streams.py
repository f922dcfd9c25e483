"""What is a stream, how it is named, and that nothing waits for ever."""

import http.server
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from rankpose_tf.prediction import streams, video, video_writer
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
    assert streams.shown("rtsp://me:secret@10.0.0.7:554/s?x=1") == "rtsp://10.0.0.7:554/s"
    assert streams.shown("me@home/film.mp4") == "me@home/film.mp4"
    assert streams.file_stem("rtsp://me:secret@10.0.0.7:554/s?x=1") == "rtsp-10.0.0.7-554-s"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:[s3cret]@host/s", "rtsp://host/s"),
        ("rtsp://me:#s3cret@host/s", "rtsp://host/s"),
        ("rtsp://me:a/s3cret@host/s", "rtsp://host/s"),
        ("rtsp://me:a@s3cret@host/s", "rtsp://host/s"),
        ("rtsp://me:s3cret?@host/s", "rtsp://"),
        ("http://host/s?user=admin&pwd=s3cret", "http://host/s"),
        ("http://host/s?user=admin&pwd=a@s3cret", "http://"),
        # It might be a password with a slash in it.
        ("http://host/a@b.mp4", "http://b.mp4"),
    ],
)
def test_whatever_signs_a_password_holds_it_is_not_shown(address, shown):
    assert streams.shown(address) == shown
    (source,) = expand([address])
    assert "s3cret" not in source.name and source.path == address


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


class _Server(http.server.BaseHTTPRequestHandler):
    """A whole film at /film.mp4; at /live pictures one after the other, which stop coming."""

    film, enough = b"", threading.Event()

    def do_GET(self):  # noqa: N802
        self.send_response(200)
        if self.path == "/film.mp4":
            self.send_header("Content-Length", str(len(self.film)))
            self.end_headers()
            self.wfile.write(self.film)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(12):
            jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 20 * index, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(0.05)
        self.enough.wait(30)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """Address of `_Server`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        _Server.enough.clear()
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        _Server.enough.set()
        running.shutdown()


def test_a_file_on_a_server_is_read_whole_at_its_own_times(tmp_path, server):
    path = tmp_path / "film.mp4"
    with video_writer.writer(path, 25) as put:
        for _ in range(10):
            put(np.full((48, 64, 3), 90, np.uint8))
    _Server.film = path.read_bytes()
    times = [frame.time for frame in video.Video(f"{server}/film.mp4")]
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-3)


def test_a_live_stream_has_the_clocks_times_and_its_silence_is_told(monkeypatch, server):
    monkeypatch.setattr(streams, "TIME_LIMIT", 1.5)
    times = []
    with pytest.raises(video.VideoError, match="no frame came for"):
        for frame in video.Video(f"{server}/live"):
            times.append(frame.time)
    assert len(times) >= 2 and times == sorted(times) and times[0] == 0.0
