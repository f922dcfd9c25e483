"""Cameras, and streams by their address: what counts as one, opening it, its newest frame."""

import os
import re
import threading
import time

import cv2

# Nothing waits longer for an answer or a frame, seconds.
TIME_LIMIT = 10.0
_ADDRESS = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|rtp|srt|mms)://.", re.IGNORECASE)
_DEVICE = re.compile(r"/dev/video(\d+)")


def is_stream(source):
    """Whether a text names a stream or a camera's device, not a file."""
    return bool(_ADDRESS.match(source)) or camera_index(source) is not None


def camera_index(source):
    """The index of a camera given as 0 or /dev/video0, also by a link to it; None of others."""
    if isinstance(source, int):
        return source
    device = source.startswith("/dev/") and _DEVICE.fullmatch(os.path.realpath(source))
    return int(device[1]) if device else None


def is_utf8(path):
    """Whether OpenCV can be given a path: at other bytes in it, it ends the process."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(source):
    """The source for people to read, without what may be secret in its address.

    That is all up to the last @, since a password may hold any other sign, and what follows a ?.
    Where a ? comes before the @ either part may be secret, and the scheme alone is shown.
    """
    if not _ADDRESS.match(str(source)):
        return str(source)
    scheme, _, rest = source.partition("://")
    secret, _, place = rest.rpartition("@")
    return f"{scheme}://" + ("" if "?" in secret else place.partition("?")[0])


def file_stem(source):
    """What a drawing of a stream is called, but for its suffix."""
    return re.sub(r"[^\w.-]+", "-", shown(source)).strip("-")


def open_stream(source):
    """cv2.VideoCapture of what `is_stream`, which gives up after the time limit."""
    limit = int(1000 * TIME_LIMIT)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)


def newest(read):
    """Yields (result, time of its coming) of `read`, leaving out what came while nobody asked.

    A thread reads without a pause, since frames that nobody fetches wait in the system and what
    is seen then lies further and further back.

    Args:
      read: function () -> a result, None at the end.

    Yields:
      (result, seconds by time.monotonic).
    """
    changed, waiting, ended = threading.Condition(), [], threading.Event()

    def run():
        try:
            while not ended.is_set() and (result := read()) is not None:
                with changed:
                    waiting[:] = [(result, time.monotonic())]
                    changed.notify()
        finally:
            ended.set()
            with changed:
                changed.notify()

    thread = threading.Thread(target=run, name="read-newest", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or ended.is_set())
                if not waiting:
                    return
                frame = waiting.pop()
            yield frame
    finally:
        ended.set()
        # What is read from must not be closed under it.
        thread.join(2 * TIME_LIMIT)
