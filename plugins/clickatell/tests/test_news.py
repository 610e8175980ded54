"""What callbacks are read as, and which are refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pennywire_clickatell.news import NotUnderstood, read_legacy, read_platform

from pennywire import ReportState

ID = "205e85d0578314037a96175249fc6a2b"
UPDATE = {"channel": "sms", "messageId": ID, "clientMessageId": "1", "statusCode": 5, "status": "DEVICE_ACK", "timestamp": 1506607698000}
REPLY = {
    "channel": "sms",
    "messageId": "3a89680503414383af44dcd0e4e5f184",
    "relatedMessageId": "d33eef0838a121f71069a4cc8d55c19e",
    "from": "2799900001",
    "to": "45051",
    "timestamp": 1506607698000,
    "content": "Text Content of the reply message",
    "charset": "UTF-8",
}
REPORT = {"api_id": "123", "apiMsgId": ID, "cliMsgId": "1", "to": "2799900001", "timestamp": "1218008129", "status": "004", "charge": "0.3"}
INCOMING = {
    "api_id": "123",
    "moMsgId": "996411ad91fa211e7d17bc873aa4a41d",
    "from": "279995631564",
    "to": "27833001171",
    "timestamp": "2008-08-0609:43:50",
    "text": "Hello",
    "charset": "ISO-8859-1",
}


def event(**lists: Any) -> bytes:
    return json.dumps({"integrationId": "fa80", "integrationName": "My integration", "event": lists}).encode()


def test_a_status_of_the_platform_is_a_report() -> None:
    (report,) = read_platform(event(messageStatusUpdate=[UPDATE])).reports

    assert (report.network_ids, report.state, report.error_code) == ((ID,), ReportState.DELIVERED, "5")
    assert report.done_at == datetime(2017, 9, 28, 14, 8, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (1, "unknown"),
        (2, "accepted"),
        (4, "enroute"),
        (6, "delivered"),
        (20, "expired"),
        (23, "undeliverable"),
        (25, "rejected"),
        (999, "unknown"),
    ],
)
def test_a_status_code_has_its_state_and_an_unknown_one_is_never_final(code: int, state: str) -> None:
    (report,) = read_platform(event(messageStatusUpdate=[UPDATE | {"statusCode": code}])).reports

    assert report.state == state


def test_a_reply_of_the_platform_is_an_incoming_message() -> None:
    (incoming,) = read_platform(event(moText=[REPLY, REPLY | {"channel": "whatsapp"}])).incoming

    assert (incoming.source, incoming.destination, incoming.text) == ("+2799900001", "45051", "Text Content of the reply message")
    assert incoming.network_id == REPLY["messageId"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"event": []}',
        b'{"event": {}}',
        event(messageStatusUpdate={}),
        event(messageStatusUpdate=[7]),
        event(messageStatusUpdate=[UPDATE] * 1_001),
        event(messageStatusUpdate=[UPDATE | {"messageId": ""}]),
        event(messageStatusUpdate=[UPDATE | {"messageId": "a\nb"}]),
        event(messageStatusUpdate=[UPDATE | {"messageId": "a" * 65}]),
        event(messageStatusUpdate=[UPDATE | {"statusCode": "5"}]),
        event(messageStatusUpdate=[UPDATE | {"statusCode": True}]),
        event(moText=[REPLY | {"content": None}]),
        event(moText=[REPLY | {"content": "x" * 20_001}]),
        event(moText=[REPLY | {"from": ""}]),
        event(moText=[REPLY | {"to": "1" * 21}]),
    ],
    ids=lambda body: repr(body[-40:]),
)
def test_what_is_no_callback_of_the_platform_is_refused(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_platform(body)


@pytest.mark.parametrize("timestamp", [None, "soon", 10**30, -(10**30), [], float("inf")])
def test_a_time_that_cannot_be_is_left_out(timestamp: Any) -> None:
    (report,) = read_platform(event(messageStatusUpdate=[UPDATE | {"timestamp": timestamp}])).reports

    assert report.done_at is None


def test_a_status_of_the_legacy_api_is_a_report() -> None:
    (report,) = read_legacy(REPORT, api_id="123").reports

    assert (report.network_ids, report.state) == ((ID,), ReportState.DELIVERED)
    assert report.done_at == datetime(2008, 8, 6, 7, 35, 29, tzinfo=UTC)


def test_a_message_of_the_legacy_api_comes_in_with_its_time_in_utc() -> None:
    (incoming,) = read_legacy(INCOMING, api_id="123").incoming

    assert (incoming.source, incoming.destination, incoming.text) == ("+279995631564", "+27833001171", "Hello")
    assert incoming.sent_at == datetime(2008, 8, 6, 7, 43, 50, tzinfo=UTC)


def test_unicode_of_the_legacy_api_comes_as_hexadecimal_digits() -> None:
    (incoming,) = read_legacy(INCOMING | {"charset": "UTF-16BE", "text": "041f0440"}, api_id="123").incoming

    assert incoming.text == "Пр"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"data": "<callback/>"},
        REPORT | {"api_id": "124"},
        REPORT | {"status": ""},
        REPORT | {"status": "DELIVERED"},
        REPORT | {"status": "00004"},
        REPORT | {"apiMsgId": ""},
        INCOMING | {"from": ""},
        INCOMING | {"moMsgId": "x" * 65},
    ],
)
def test_what_is_no_callback_of_the_legacy_api_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(NotUnderstood):
        read_legacy(fields, api_id="123")
