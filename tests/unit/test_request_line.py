"""Request lines of legacy programs: mended where that is safe, refused as before where it is not."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser

from app.request_line import TolerantRequest, mend


class Parser(RequestParser):  # type: ignore[misc]  # gunicorn carries no annotations
    """gunicorn's parser with our request, whatever the process at large has."""

    mesg_class = TolerantRequest


def parsed(*pieces: bytes) -> Iterator[Any]:
    """Return the requests that gunicorn reads from what comes over a socket in these pieces."""
    config = Config()
    config.set("limit_request_line", 8190)
    source: Iterable[bytes] = iter(pieces)
    return iter(Parser(config, source, ("192.0.2.1", 4711)))


def request(line: bytes) -> Any:
    return next(parsed(line + b"\r\nHost: sms.example\r\n\r\n"))


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (b"/api?a=sendmessage&messagedata=Hello world", "a=sendmessage&messagedata=Hello%20world"),
        (b"/ozeki?messageData=two  blanks ", "messageData=two%20%20blanks%20"),
        (b"/httpapi/?m=\xc3\xa1rv\xc3\xadz", "m=%C3%A1rv%C3%ADz"),
        (b"/api?m=\xe1rv\xedz in windows-1252", "m=%E1rv%EDz%20in%20windows-1252"),
        (b"/api?m=call #1 & go", "m=call%20%231%20&%20go"),
        (b"/api?m=call#1", "m=call%231"),
        (b"/api?m=50%25 off+now", "m=50%25%20off+now"),
        (b"/api?m=http://example.com/a b?c=d", "m=http://example.com/a%20b?c=d"),
        (b"/api?m=plain&r=%2B36", "m=plain&r=%2B36"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_query_is_read_as_it_was_meant(method: bytes, target: bytes, query: str) -> None:
    found = request(method + b" " + target + b" HTTP/1.1")

    assert (found.method, found.query, found.fragment, found.version) == (method.decode(), query, "", (1, 1))
    assert found.path == target.partition(b"?")[0].decode()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"GET /api?m=a HTTP/1.1 HTTP/1.1", id="two versions"),
        pytest.param(b"GET /api?m=a http/1.0 b HTTP/1.1", id="a version within"),
        pytest.param(b"GET /api?m=a b", id="no version"),
        pytest.param(b"GET /api?m=a b HTTP/2.0", id="another version"),
        pytest.param(b"GET /api?m=a b HTTP/1.1 ", id="something behind the version"),
        pytest.param(b"GET  /api?m=a b HTTP/1.1", id="two blanks before the target"),
        pytest.param(b"GET /api v1?m=a HTTP/1.1", id="a blank in the path"),
        pytest.param(b"GET /api/v1/messages?m=a b HTTP/1.1", id="the modern API"),
        pytest.param(b"GET /users?search=a b HTTP/1.1", id="a page"),
        pytest.param(b"GET /\xe1pi?m=a HTTP/1.1", id="octets in the path"),
        pytest.param(b"GET http://sms.example/api?m=a b HTTP/1.1", id="absolute form"),
        pytest.param(b"DELETE /api?m=a b HTTP/1.1", id="another method"),
        pytest.param(b"GET /api?m=a\tb HTTP/1.1", id="a tabulator"),
        pytest.param(b"GET /api?m=a\x00b HTTP/1.1", id="NUL"),
        pytest.param(b"GET /api?m=a\rb HTTP/1.1", id="a bare CR"),
        pytest.param(b"GET /api?m=a\nX: b HTTP/1.1", id="a bare LF"),
        pytest.param(b"GET /api?m=a\x7fb c HTTP/1.1", id="DEL"),
        pytest.param(b"GET /api?m=" + b"a b" * 2800 + b" HTTP/1.1", id="longer than a line may be"),
    ],
)
def test_what_could_be_read_in_two_ways_stays_refused(line: bytes) -> None:
    with pytest.raises(ParseException):
        request(line)


def test_a_mended_line_moves_no_border_between_requests() -> None:
    """What looks like a second request within the text is text; what follows the head is the next request."""
    first = b"GET /api?m=x GET /users Host: evil HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    second = b"GET /ozeki?m=second one HTTP/1.1\r\nHost: b\r\n\r\n"

    found = parsed(first + second)

    # A query with a blank and HTTP/ only at its very end has one version, and one reading.
    one = next(found)
    assert (one.query, one.body.read()) == ("m=x%20GET%20/users%20Host:%20evil", b"hello")
    two = next(found)
    assert (two.path, two.query, dict(two.headers)["HOST"]) == ("/ozeki", "m=second%20one", "b")
    with pytest.raises(StopIteration):
        next(found)


def test_a_line_in_pieces_is_mended_too() -> None:
    (found,) = parsed(b"GET /api?m=Hel", b"lo wor", b"ld HTTP/1.1\r", b"\nHost: x\r\n\r\n")

    assert found.query == "m=Hello%20world"


@pytest.mark.parametrize("line", [b"GET /api?m=plain HTTP/1.1", b"POST /users HTTP/1.1", b"OPTIONS * HTTP/1.1"])
def test_a_right_line_is_read_as_it_is(line: bytes) -> None:
    assert request(line).uri == line.split()[1].decode()


def test_mending_makes_only_printable_ascii() -> None:
    every = bytes(octet for octet in range(256) if octet >= 0x20 and octet != 0x7F)

    line = mend(b"GET /api?m=" + every + b" HTTP/1.1")

    assert line is not None
    _, target, version = line.split(b" ")
    assert target.isascii()
    assert version == b"HTTP/1.1"
