"""The kit's ports: programs that are told one may listen on it, and nobody else gets it meanwhile."""

import errno
import socket

import pytest

from pennywire.testing import reserved_port


def test_a_program_that_is_told_the_port_listens_on_it_again_and_again() -> None:
    with reserved_port() as port:
        for _ in range(2):
            with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port), timeout=5):
                pass


def test_nobody_who_asks_for_any_port_gets_a_reserved_one() -> None:
    with reserved_port() as port, socket.socket() as other, pytest.raises(OSError, match="in use") as refused:
        other.bind(("127.0.0.1", port))

    assert refused.value.errno == errno.EADDRINUSE


def test_two_reservations_differ() -> None:
    with reserved_port() as one, reserved_port() as other:
        assert one != other
