"""Ports of this machine that nobody else gets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Yield a port on which a program may listen, and which the system gives to nobody else until the end.

    The port is bound and nobody listens on it. A program that sets SO_REUSEADDR, as servers do, may listen on it; between finding the
    port and the program's start there is no moment in which another program could take it. Raises: OSError where no port is free.
    Source: socket(7), SO_REUSEADDR.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, 0))
        yield int(reserved.getsockname()[1])
