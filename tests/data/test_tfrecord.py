"""The frame of a TFRecord file, read without TensorFlow."""

import struct

import pytest

from rankpose_tf.data import tfrecord


def record(content, length=None):
    length = len(content) if length is None else length
    return struct.pack("<QI", length, 0) + content + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", True),
        (record(b"abc") + record(b""), True),
        (record(b"abc")[:-1], False),
        (record(b"abc") + b"\0" * 5, False),
        (record(b"abc", length=2**63), False),
        (record(b"abc", length=10**12) + record(b"abc"), False),
    ],
    ids=["empty", "two", "cut", "begun", "of exabytes", "of a terabyte"],
)
def test_a_file_is_whole_if_its_records_end_where_it_does(tmp_path, content, whole):
    (tmp_path / "a.tfrecord").write_bytes(content)
    assert tfrecord.is_whole(tmp_path / "a.tfrecord") == whole
