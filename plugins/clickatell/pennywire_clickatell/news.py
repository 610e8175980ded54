"""Reads callbacks: states of messages, and messages that came in. It trusts nothing in them.

Sources: One API, *Client callbacks* (`messageStatusUpdate`, `moText`); HTTP API Specification V2.4.6 §4.2.4 (callback) and the
two-way guide (incoming messages).
"""

import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from pennywire import Incoming, Report
from pennywire_clickatell.words import LEGACY_STATES, PLATFORM_STATES, state_of

#: The longest id that we keep. Source: One API, 32 hexadecimal digits; trap D2 leaves room.
_LONGEST_ID: Final = 64
_MOST_ITEMS: Final = 1_000
_LONGEST_TEXT: Final = 20_000
#: The legacy API tells times of incoming messages in South Africa's zone. Source: two-way guide, *date & time*.
_LEGACY_ZONE: Final = timezone(timedelta(hours=2))
#: A number with fewer digits is a short code.
_SHORTEST_NUMBER: Final = 7


class NotUnderstood(ValueError):
    """A callback that is none of those that are documented; the text says what is wrong with it, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class News:
    """What one callback brought."""

    reports: Sequence[Report] = ()
    incoming: Sequence[Incoming] = ()


def read_platform(body: bytes) -> News:
    """Read a callback of the One API. Items that are not about SMS are passed over. Raises: NotUnderstood."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("The body is not JSON.") from error
    event = found.get("event") if isinstance(found, dict) else None
    if not isinstance(event, dict):
        raise NotUnderstood("The body has no event.")
    updates, texts = _items(event, "messageStatusUpdate"), _items(event, "moText")
    if not {"messageStatusUpdate", "moText", "moMedia", "moLocation"} & event.keys():
        raise NotUnderstood("The event is none that is known.")
    return News(tuple(map(_platform_report, updates)), tuple(map(_platform_incoming, texts)))


def _items(event: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = event.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list) or len(rows) > _MOST_ITEMS or not all(isinstance(row, dict) for row in rows):
        raise NotUnderstood(f"{name} is no list of at most {_MOST_ITEMS} objects.")
    return [row for row in rows if str(row.get("channel", "sms")).strip().lower() in {"sms", "whatsapp/sms"}]


def _platform_report(row: Mapping[str, Any]) -> Report:
    code = row.get("statusCode")
    if not isinstance(code, int) or isinstance(code, bool):
        raise NotUnderstood("A status has no statusCode.")
    raw = f"messageId:{_id(row, 'messageId')} statusCode:{code}"
    return Report((_id(row, "messageId"),), state_of(PLATFORM_STATES, code), str(code), _moment(row.get("timestamp"), 1_000), raw)


def _platform_incoming(row: Mapping[str, Any]) -> Incoming:
    return Incoming(
        source=_address(row.get("from")),
        destination=_address(row.get("to")),
        text=_text(row.get("content")),
        sent_at=_moment(row.get("timestamp"), 1_000),
        network_id=_id(row, "messageId"),
    )


def read_legacy(fields: Mapping[str, str], *, api_id: str) -> News:
    """Read a callback of the legacy API, by GET or POST. Raises: NotUnderstood, also for another API's."""
    if fields.get("api_id", api_id) != api_id:
        raise NotUnderstood("The callback is another API's.")
    if "apiMsgId" in fields:
        return News(reports=(_legacy_report(fields),))
    if "moMsgId" in fields:
        return News(incoming=(_legacy_incoming(fields),))
    raise NotUnderstood("The callback has neither apiMsgId nor moMsgId. Choose GET or POST as the callback's type.")


def _legacy_report(fields: Mapping[str, str]) -> Report:
    status = fields.get("status", "")
    if not (status.isdecimal() and status.isascii() and len(status) <= 4):
        raise NotUnderstood("The status is no number.")
    network_id = _id(fields, "apiMsgId")
    done_at = _moment(fields.get("timestamp"), 1)
    return Report((network_id,), state_of(LEGACY_STATES, int(status)), status, done_at, f"apiMsgId:{network_id} status:{status}")


def _legacy_incoming(fields: Mapping[str, str]) -> Incoming:
    return Incoming(
        source=_address(fields.get("from")),
        destination=_address(fields.get("to")),
        text=_text(_decoded(fields.get("text", ""), fields.get("charset", ""))),
        sent_at=_legacy_time(fields.get("timestamp", "")),
        network_id=_id(fields, "moMsgId"),
    )


def _decoded(text: str, charset: str) -> str:
    """Return a text; one in UTF-16BE comes as hexadecimal digits."""
    if charset.upper() != "UTF-16BE":
        return text
    try:
        return binascii.unhexlify(text).decode("utf-16-be")
    except (ValueError, UnicodeError):
        return text


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise NotUnderstood(f"The text is none, or has more than {_LONGEST_TEXT} characters.")
    return value


def _id(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isascii() or not value.isprintable():
        raise NotUnderstood(f"{name} is no id of at most {_LONGEST_ID} characters.")
    return value


def _address(value: Any) -> str:
    """Return an address as the gateway keeps it: E.164 with `+`, a short code as it is, or alphanumeric."""
    text = str(value).strip().removeprefix("+") if isinstance(value, str | int) else ""
    if not 0 < len(text) <= 20 or not text.isascii() or not text.isprintable():
        raise NotUnderstood("A source or destination is missing or too long.")
    return f"+{text}" if text.isdecimal() and len(text) >= _SHORTEST_NUMBER else text


def _moment(value: Any, parts_of_a_second: int) -> datetime | None:
    """Return the moment of a count since 1970, None for one that cannot be."""
    try:
        return datetime.fromtimestamp(int(value) / parts_of_a_second, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _legacy_time(text: str) -> datetime | None:
    """Return the moment of `2008-08-06 09:43:50`; the guide's own example lacks the blank."""
    try:
        return datetime.strptime(text.replace(" ", ""), "%Y-%m-%d%H:%M:%S").replace(tzinfo=_LEGACY_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
