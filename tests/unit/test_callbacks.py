"""Callbacks: what may be called, what a call says, and that nothing of the other side can hold or redirect it."""

import json
import socket
import threading
import time
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app import callbacks
from app.callbacks import CallbackFailed, CallbackRefused, check_url, post

HERE = {"localhost", "127.0.0.1"}
CONTENT = {"kind": "low_credit", "available": "9.5"}


def test_content_arrives_as_json(httpserver: HTTPServer) -> None:
    taken: list[Request] = []

    def take(request: Request) -> Response:
        taken.append(request)
        return Response(status=204)

    httpserver.expect_request("/credit", method="POST").respond_with_handler(take)

    post(httpserver.url_for("/credit?key=1"), CONTENT, allowed_hosts=HERE)

    (request,) = taken
    assert (request.mimetype, json.loads(request.get_data()), request.query_string) == ("application/json", CONTENT, b"key=1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://10.0.0.7/x",
        "http://192.168.1.1/x",
        "http://172.16.0.1/x",
        "http://169.254.169.254/latest",
        "http://100.64.0.1/x",
        "http://0.0.0.0/x",
        "http://224.0.0.1/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://[64:ff9b:1::7f00:1]/x",
        "http://[::127.0.0.1]/x",
        "http://[fec0::1]/x",
        "http://[2002:7f00:1::]/x",
        "http://[fe80::1%25eth0]/x",
        "http://[fd00::1]/x",
    ],
)
def test_address_of_our_own_network_is_refused_before_a_call(url: str) -> None:
    with pytest.raises(CallbackRefused, match="not a public address"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http:///x",
        "http://u:p@example.com/",
        "http://example.com:99999/",
        "http://exa mple/",
        "http://example.com/\r\nX: y",
        "http://example.com/ő",
        "https://example.com/" + "x" * 500,
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(CallbackRefused):
        check_url(url)


_SPELLINGS = """
localhost LOCALHOST LocalHost localhost. 127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.254 0 0.0 0.0.0.0 00000 0x0 0x0.0 000.000.000.000
2130706433 2130706434 017700000001 0017700000001 0x7f000001 0X7F000001 0x7F000001 0x07f000001 0x7f.1 0x7f.0.1 0x7f.0x1 0x7f.0x0.0x0.0x1
0x7f.0.0.1 127.0x1 127.0x0.1 127.0.0x1 0177.1 0177.0.1 0177.0.0.1 0177.0.0.01 00177.1 127.00.00.01 0177.0x0.1 127.0.0.01
[::1] [0:0:0:0:0:0:0:1] [0000::0001] [::0001] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:1]
[::FFFF:127.0.0.1] [::ffff:0.0.0.0]
[::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::]
[2002:7f00:0001::1] [fe80::1] [fd00::1] [fec0::1]
10.1 167772161 012.0.0.1 0xa.0.0.1 3232235777 0xc0.0xa8.1.1 192.168.257 0xa9fea9fe 2852039166 169.254.43518 172.1048577 1681915905
"""
HOME = _SPELLINGS.split()
"""Spellings of addresses at home: decimal, octal, hexadecimal, short, and inside IPv6."""

WIDE = "\uff11\uff12\uff17.\uff10.\uff10.\uff11"
"""127.0.0.1 in full-width digits."""


def test_spellings_are_many() -> None:
    assert len(set(HOME)) >= 60


@pytest.mark.parametrize("name", [*HOME, WIDE, "127\u30020\u30020\u30021"])
def test_name_that_leads_home_is_never_connected_to(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(callbacks.socket, "create_connection", lambda *given, **_: called.append(given))

    with pytest.raises((CallbackRefused, CallbackFailed)):
        post(f"http://{name}/", CONTENT)

    assert called == []


def test_address_that_was_checked_is_the_one_that_is_called(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time changes nothing: it is asked once."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14" if len(asked) == 1 else "127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    called: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(callbacks.socket, "create_connection", connect)
    with pytest.raises(CallbackFailed):
        post(f"http://rebinding.example:{httpserver.port}/", CONTENT)

    assert (asked, called) == (["rebinding.example"], [("93.184.215.14", httpserver.port)])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/a").respond_with_data("", status, {"Location": httpserver.url_for("/b")})

    with pytest.raises(CallbackFailed, match=f"answered {status}. Redirects are not followed"):
        post(httpserver.url_for("/a"), CONTENT, allowed_hosts=HERE)

    assert [request.path for request, _ in httpserver.log] == ["/a"]


@pytest.mark.parametrize("status", [199, 400, 404, 500, 503])
def test_other_answers_than_success_are_failures(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/a").respond_with_data("", status)

    with pytest.raises(CallbackFailed):
        post(httpserver.url_for("/a"), CONTENT, allowed_hosts=HERE, time_limit_s=0.5)


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(CallbackFailed, match="call failed"):
        post("http://127.0.0.1:1/", CONTENT, allowed_hosts=HERE)
    with pytest.raises(CallbackFailed, match="was not found"):
        post("http://nobody.invalid/", CONTENT, allowed_hosts=HERE)


@pytest.mark.parametrize("drops", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_server_that_answers_drop_by_drop_is_left_in_time(drops: bytes) -> None:
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            try:
                peer.sendall(drops)
                while drops and not ended.wait(0.05):
                    peer.sendall(b"x")
                ended.wait(5)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        started_at = time.monotonic()
        with pytest.raises(CallbackFailed, match=r"no answer within 0\.3 s"):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", CONTENT, allowed_hosts=HERE, time_limit_s=0.3)
        took_s = time.monotonic() - started_at
        ended.set()
        thread.join()

    assert took_s < 3
