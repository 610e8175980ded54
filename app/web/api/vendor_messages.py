"""Messages as the vendor's JSON clients write and read them.

Each client has its own ways: unset fields are left out, null or empty; dates have a `T` or a blank; one misspells
`valid_until`; one writes tags that are not JSON.
"""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, TypeVar

import msgspec

from app.identifiers import public_id
from app.messages import Admitted
from app.models import Message
from app.refusals import Refused, RequestRefused
from app.snapshot import Snapshot, UserView
from app.web.api import times
from pennywire import Alphabet, Direction, Draft

T = TypeVar("T")

_STATUS: Mapping[str, str] = {"no_credit": "INSUFFICIENT_CREDIT"}
"""Our codes that have another name there; the others are shown in capitals."""

_ECHOED = ("from_connection", "from_address", "from_station", "to_connection", "to_address", "to_station", "text")
_FLAGS = ("submit_report_requested", "delivery_report_requested", "view_report_requested")

# Perl's client joins names and values without quotes: "tags": [{name: value},{name: value}]
_BARE_TAGS = re.compile(rb'("tags"\s*:\s*\[)(\{[^"{}\[\]]*\}(?:\s*,\s*\{[^"{}\[\]]*\})*)(\])')
_BARE_TAG = re.compile(rb"\{\s*([^:{}]*?)\s*:\s*([^{}]*?)\s*\}")


class VendorMessage(msgspec.Struct):
    """One message of `sendmsg`; what it does not know is passed over."""

    message_id: str | None = None
    from_connection: str | None = None
    from_address: str | None = None
    from_station: str | None = None
    to_connection: str | None = None
    to_address: str | None = None
    to_station: str | None = None
    text: str | None = None
    create_date: str | None = None
    valid_until: str | None = None
    vaild_date: str | None = None
    time_to_send: str | None = None
    submit_report_requested: bool | None = None
    delivery_report_requested: bool | None = None
    view_report_requested: bool | None = None
    tags: list[dict[str, Any]] | None = None


class _Messages(msgspec.Struct):
    messages: list[VendorMessage]


def decode(body: bytes, shape: type[T]) -> T:
    """Read a body of that shape. Raises: RequestRefused with the place of what is wrong."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise RequestRefused("invalid_parameter", f"The body has a wrong value: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRefused("malformed_body", f"The body is not JSON: {error}.") from error


def read(body: bytes) -> list[VendorMessage]:
    """Return the messages of `sendmsg`. Raises: RequestRefused."""
    try:
        return decode(body, _Messages).messages
    except RequestRefused as refusal:
        mended = _BARE_TAGS.sub(_quote_tags, body) if refusal.refused.code == "malformed_body" else body
        if mended == body:
            raise
        return decode(mended, _Messages).messages


def _quote_tags(match: re.Match[bytes]) -> bytes:
    tags = [
        {"name": name.decode("utf-8", "replace"), "value": value.decode("utf-8", "replace")} for name, value in _BARE_TAG.findall(match[2])
    ]
    return match[1] + msgspec.json.encode(tags)[1:-1] + match[3]


def draft(item: VendorMessage, user: UserView, zone: tzinfo, *, now: datetime) -> Draft | Refused:
    """Return what the pipe is to do. Times without a zone are the gateway's; one to send that is not after the creation means now."""
    try:
        created, send_at, expires_at = (
            times.read(text, zone) if text else None for text in (item.create_date, item.time_to_send, item.valid_until or item.vaild_date)
        )
    except times.NotATime as error:
        return Refused("invalid_time", str(error))
    # A client whose clock runs in another zone means now all the same when both of its times are one.
    if send_at is not None and (send_at <= now or (created is not None and send_at <= created)):
        send_at = None
    return Draft(
        destination=item.to_address or "",
        text=item.text or "",
        source=(item.from_address or "").strip(),
        provider=(item.to_connection or "").strip() if user.route_override_allowed else "",
        send_at=send_at,
        expires_at=expires_at,
        report_requested=item.delivery_report_requested is not False,
        client_reference=item.message_id or "",
    )


def code(refused: Refused) -> str:
    """Return the name of a refusal in this dialect."""
    return _STATUS.get(refused.code, refused.code.upper())


def show_sent(item: VendorMessage, outcome: Admitted | Refused, zone: tzinfo, *, now: datetime) -> dict[str, Any]:
    """Return the answer about one message: what the client sent, and what became of it."""
    shown: dict[str, Any] = {name: value for name in _ECHOED if (value := getattr(item, name))}
    shown |= {name: getattr(item, name) is not False for name in _FLAGS}
    shown["create_date"] = _clean(item.create_date, zone) or times.write(now, zone)
    for name, text in (("valid_until", item.valid_until or item.vaild_date), ("time_to_send", item.time_to_send)):
        if cleaned := _clean(text, zone):
            shown[name] = cleaned
    shown["tags"] = _tags(item.tags)
    if isinstance(outcome, Refused):
        shown |= {"message_id": item.message_id or "", "status": code(outcome), "status_message": outcome.reason}
    else:
        shown |= {"message_id": item.message_id or outcome.public_id, "to_address": outcome.destination, "status": "SUCCESS"}
    return shown


def _clean(text: str | None, zone: tzinfo) -> str:
    """Return a client's time as clients read it; empty where it is none."""
    try:
        return times.write(times.read(text, zone), zone) if text else ""
    except times.NotATime:
        return ""


def _tags(tags: list[dict[str, Any]] | None) -> list[dict[str, str]]:
    """Return tags as name and value, whether they came so or as `{"name": "value"}`."""
    pairs: list[tuple[object, object]] = []
    for tag in tags or ():
        pairs += [(tag["name"], tag.get("value", ""))] if "name" in tag else list(tag.items())
    return [{"name": str(name), "value": str(value)} for name, value in pairs]


def show_stored(message: Message, snapshot: Snapshot, zone: tzinfo) -> dict[str, Any]:
    """Return a stored message as `receivemsg` answers it."""
    connection = snapshot.connection_name(message.connection_id)
    inbound = message.direction == Direction.INBOUND
    shown: dict[str, Any] = {
        "message_id": message.client_reference or public_id(message.id),
        "from_address": message.source,
        "to_address": message.destination,
        "text": message.text,
        "create_date": times.write(message.created_at, zone),
        "time_to_send": times.write(message.send_at or message.created_at, zone),
        **dict.fromkeys(_FLAGS, message.report_requested),
        "tags": [{"name": "data", "value": (message.data or b"").hex().upper()}] if message.alphabet == Alphabet.BINARY else [],
    }
    if message.expires_at is not None:
        shown["valid_until"] = times.write(message.expires_at, zone)
    if connection:
        shown["from_connection" if inbound else "to_connection"] = connection
    return shown
