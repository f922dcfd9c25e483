"""The fixture of tests/conftest.py that keeps tests from other machines."""

import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "example.invalid"])
def test_another_machine_is_refused_before_it_is_asked(address):
    with socket.socket() as one, pytest.raises(AssertionError, match="a test connects to"):
        one.connect((address, 80))


def test_this_machine_may_be_asked():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5) as one:
            assert one.getpeername() == server.getsockname()
