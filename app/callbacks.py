"""Callbacks: a JSON object is posted to an address of a customer's, and never into our own network.

The address is looked up once, checked, and that very address is called: a name server cannot change its mind in between.
Redirects are not followed, and a call as a whole has a time limit.
"""

import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pennywire.addresses import is_public

TIME_LIMIT_S = 10.0
LONGEST_URL = 500


class CallbackRefused(ValueError):
    """The address may not be called; the text says why and what would be right."""


class CallbackFailed(Exception):
    """The call did not arrive; the text says what the other side said, or what broke."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a checked URL leads: the address that is called, and the name that certificate and Host header are about."""

    parts: SplitResult
    host: str
    port: int
    address: str


def check_url(url: str, *, allowed_hosts: Collection[str] = ()) -> SplitResult:
    """Refuse a URL that could never be called, without asking a name server. Raises: CallbackRefused."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise CallbackRefused(f"A callback's address has at most {LONGEST_URL} printable ASCII characters and no blanks.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CallbackRefused(f"This is no address: {error}. Write one such as https://example.com/credit.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise CallbackRefused("A callback's address begins with https:// or http:// and names a host, such as https://example.com/credit.")
    if parts.username is not None or parts.password is not None:
        raise CallbackRefused("A callback's address carries no user name and no password. Put a secret into its path if you need one.")
    try:
        literal = ipaddress.ip_address(parts.hostname.partition("%")[0])
    except ValueError:
        return parts
    _require_public(parts.hostname, str(literal), allowed_hosts)
    return parts


def post(url: str, content: Mapping[str, Any], *, allowed_hosts: Collection[str] = (), time_limit_s: float = TIME_LIMIT_S) -> None:
    """Post an object as JSON; an answer of 200 to 299 says that it has arrived. Raises: CallbackRefused, CallbackFailed."""
    place = _look_up(check_url(url, allowed_hosts=allowed_hosts), allowed_hosts)
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Pennywire", "Connection": "close"}
    connection = _Pinned(place, time_limit_s)
    timer = threading.Timer(time_limit_s, connection.cut)
    timer.daemon = True
    timer.start()
    try:
        target = place.parts.path or "/"
        connection.request("POST", f"{target}?{place.parts.query}" if place.parts.query else target, body, headers)
        answer = connection.getresponse()
        if connection.was_cut:
            # Headers that end with the connection look complete.
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        late = connection.was_cut or isinstance(error, TimeoutError)
        said = f"There was no answer within {time_limit_s:g} s." if late else f"The call failed: {_told(error)}."
        raise CallbackFailed(said) from error
    finally:
        timer.cancel()
        connection.close()
    if not 200 <= answer.status < 300:
        moved = " Redirects are not followed: give the address it leads to." if 300 <= answer.status < 400 else ""
        raise CallbackFailed(f"The other side answered {answer.status}.{moved}")


def _told(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    return str(error) or type(error).__name__


def _look_up(parts: SplitResult, allowed_hosts: Collection[str]) -> _Place:
    """Ask for the host's addresses and refuse it unless all of them are public. Raises: CallbackRefused, CallbackFailed."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallbackFailed(f"The host {host} was not found: {_told(error)}.") from error
    addresses = [str(row[4][0]) for row in found]
    for address in addresses:
        _require_public(host, address, allowed_hosts)
    return _Place(parts, host, port, addresses[0])


def _require_public(host: str, address: str, allowed_hosts: Collection[str]) -> None:
    """Raises: CallbackRefused for an address of our own network, unless an administrator allowed the host."""
    if host.lower() in {allowed.lower() for allowed in allowed_hosts} or is_public(address):
        return
    raise CallbackRefused(
        f"The host {host} is {address}, which is not a public address: a callback could reach what only this machine may reach. "
        "An administrator can allow the host under System / Settings."
    )


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was checked, whatever its host is called."""

    def __init__(self, place: _Place, timeout_s: float) -> None:
        default = 443 if place.parts.scheme == "https" else 80
        super().__init__(place.host, place.port, timeout=timeout_s)
        self.default_port = default
        self._place = place
        self.was_cut = False

    def connect(self) -> None:
        plain = socket.create_connection((self._place.address, self._place.port), self.timeout)
        self.sock = plain
        if self.was_cut:
            raise TimeoutError
        if self._place.parts.scheme == "https":
            secure = ssl.create_default_context().wrap_socket(plain, server_hostname=self._place.host, do_handshake_on_connect=False)
            self.sock = secure
            secure.do_handshake()

    def cut(self) -> None:
        """End the call from another thread: a server that answers drop by drop must not hold us."""
        self.was_cut = True
        sock = self.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
