"""Log lines: JSON, and no secret in them whoever wrote it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from app import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("INFO", stream=stream)
    yield stream
    root.handlers[:], root.level = before, level


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET /api?action=sendmessage&username=bob&password=hunter22&messagedata=Hello failed", "hunter22"),
        ("GET /api?action=sendmessage&username=bob&password=hunter22&messagedata=Hello failed", "Hello"),
        ("Error handling request /ozeki?login=a&PASSWORD=hunter22", "hunter22"),
        ("password=hunter22", "hunter22"),
        ("{'password': 'two words', 'n': 1}", "two words"),
        ('{"api_key": "abcdefgh"}', "abcdefgh"),
        ("Authorization: Basic Ym9iOmh1bnRlcjIy", "Ym9iOmh1bnRlcjIy"),
        ("Bearer pw_AbCdEfGhIjKlMnOp", "pw_AbCdEfGhIjKlMnOp"),
        ("the key pw_AbCdEfGhIjKlMnOp was wrong", "AbCdEfGhIjKlMnOp"),
        ("postgresql+psycopg://gateway:hunter22@db/pennywire", "hunter22"),
        ("http://127.0.0.1:9501/setup/0123456789abcdefghij", "0123456789abcdefghij"),
        ("settings enc:gAAAAABn0123456789", "gAAAAABn0123456789"),
        ("sent to +36201234567 at once", "1234567"),
    ],
)
def test_a_secret_is_masked(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in logs.mask(text)


@pytest.mark.parametrize(
    "text",
    ["claimed 20 segments for connection 3", "message 0ABCDEFGHJKMN reached sent", "attempt 8123456789012345678", "balance +12.5"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert logs.mask(text) == text


def test_a_record_is_one_line_of_json_with_what_was_given(lines: io.StringIO) -> None:
    logging.getLogger("pennywire.engine").info("claimed", extra={"connection": "smsc-1", "segment_count": 20, "token": "abc"})

    line = json.loads(lines.getvalue())
    assert lines.getvalue().count("\n") == 1
    assert line["event"] == "claimed"
    assert line["level"] == "info"
    assert line["logger"] == "pennywire.engine"
    assert line["connection"] == "smsc-1"
    assert line["segment_count"] == 20
    assert line["token"] == logs.MASK


def test_a_text_from_outside_cannot_begin_a_line(lines: io.StringIO) -> None:
    logging.getLogger("pennywire").warning("refused %s", 'bob\n{"event": "forged"}')

    assert lines.getvalue().count("\n") == 1
    assert json.loads(lines.getvalue())["event"].startswith("refused bob\n")


def test_a_traceback_is_masked(lines: io.StringIO) -> None:
    logging.getLogger("pennywire").error("failed", exc_info=ValueError("could not sign in with password=hunter22"))

    assert "ValueError" in json.loads(lines.getvalue())["error"]
    assert "hunter22" not in lines.getvalue()
