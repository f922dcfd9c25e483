import io
import struct

import numpy as np
import pytest
from scipy import io as scipy_io

from rankpose_tf.preparation import mat_files
from tests.support import made_up_faces as made_up


def written(compressed=False, **variables):
    stream = io.BytesIO()
    scipy_io.savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "bool"]
)
def test_numbers_of_every_kind_are_those_that_were_written(kind, compressed):
    array = np.arange(6).reshape(2, 3).astype(kind)
    content = written(compressed, a=array, long_name_of_an_array=array[:1, :1], none=array[:0])
    found = dict(mat_files.variables(content))
    assert list(found) == ["a", "long_name_of_an_array", "none"]
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["long_name_of_an_array"], array[:1, :1])
    assert found["none"].shape == (0, 3)


def test_what_is_no_matrix_of_real_numbers_is_none():
    cells = np.empty((1, 2), object)
    cells[:] = 1
    content = written(text="abc", cells=cells, record={"a": 1}, complex=np.ones(2) * 1j)
    assert dict(mat_files.variables(content)) == dict.fromkeys(
        ("text", "cells", "record", "complex")
    )


def test_the_other_order_of_bytes():
    parts = struct.pack(">IIIII", 6, 8, 6, 0, 5) + struct.pack(">Iii", 8, 1, 2)
    parts += struct.pack(">I4s", 1 << 16 | 1, b"a") + struct.pack(">IIdd", 9, 16, 1.5, -2)
    content = b"MATLAB 5.0".ljust(126) + b"MI" + struct.pack(">II", 14, len(parts)) + parts
    (pair,) = mat_files.variables(content)
    assert pair[0] == "a" and pair[1].tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize("kind", [0, 8, 14, 0x87, 0xFFFF])
def test_a_kind_of_number_that_there_is_not_is_an_error(kind):
    """scipy ends the process on it."""
    content = bytearray(made_up.label())
    assert content[192:194] == b"\x07\0"
    content[192:194] = struct.pack("<H", kind)
    with pytest.raises((LookupError, ValueError)):
        dict(mat_files.variables(content))


@pytest.mark.parametrize("rows, columns", [(-1, 7), (1, 8), (2**31 - 1, 2**31 - 1), (-1, -7)])
def test_a_shape_that_is_not_that_of_the_numbers_is_an_error(rows, columns):
    content = bytearray(made_up.label())
    assert struct.unpack_from("<ii", content, 160) == (1, 7)
    struct.pack_into("<ii", content, 160, rows, columns)
    with pytest.raises(ValueError, match="numbers in a matrix of shape"):
        dict(mat_files.variables(content))
