"""The five events of the log, and what is told of a message by them: keywords of both generations of the reference product."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pennywire import Direction, Event, MessageView

LONGEST_SUBJECT = 1_024
LONGEST_REASON = 1_000
LONGEST_IDS = 250
"""Most characters of a column of the default tables, where a value may be longer."""

MICROCREDITS = 1_000_000


class LogEvent(StrEnum):
    """What is logged of a message. The values end the names of the settings with the operator's own statements."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    NETWORK = "delivered_to_network"
    HANDSET = "delivered_to_handset"
    ERROR = "delivery_error"


class Status(StrEnum):
    """States of the table `outbox`, in the words of the reference product."""

    ACCEPTED = "accepted"
    NETWORK = "deliveredtonetwork"
    HANDSET = "deliveredtohandset"
    FAILED = "deliveryfailed"


_BY_KIND = {
    "sent": LogEvent.NETWORK,
    "delivered": LogEvent.HANDSET,
    "undeliverable": LogEvent.ERROR,
    "expired": LogEvent.ERROR,
    "rejected": LogEvent.ERROR,
    "cancelled": LogEvent.ERROR,
}
_STATUS = {
    "sent": Status.NETWORK,
    "delivered": Status.HANDSET,
    "undeliverable": Status.FAILED,
    "expired": Status.FAILED,
    "rejected": Status.FAILED,
    "cancelled": Status.FAILED,
}


def log_event(event: Event, message: MessageView) -> LogEvent | None:
    """Return what the log calls an event of the journal; None for steps that it does not tell."""
    if message.direction is Direction.INBOUND:
        return LogEvent.RECEIVED if event.version == 1 else None
    return LogEvent.ACCEPTED if event.version == 1 else _BY_KIND.get(event.kind)


def status(message: MessageView) -> Status:
    """Return the state of an outbound message in the words of the reference product."""
    return _STATUS.get(message.state, Status.ACCEPTED)


def price(message: MessageView) -> Decimal:
    """Return the price of the whole message in credits, exactly."""
    return Decimal(message.price_uc) / MICROCREDITS


def buying_price(message: MessageView) -> Decimal | None:
    """Return what the whole message costs the operator in credits; None where that is not known."""
    return None if message.buy_uc is None else Decimal(message.buy_uc) / MICROCREDITS


def content(message: MessageView) -> str:
    """Return the text of a message, or its octets in hexadecimal."""
    return message.text if message.data is None else message.data.hex()


def error_message(message: MessageView) -> str | None:
    """Return why a message failed; None for one that did not."""
    if status(message) is not Status.FAILED:
        return None
    told = " ".join(filter(None, (message.error_code, message.error_reason)))
    return (told or message.state)[:LONGEST_REASON]


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.astimezone(zone).replace(tzinfo=None) if moment else None


def received_row(message: MessageView, zone: ZoneInfo) -> dict[str, Any]:
    """Return what is told of an incoming message, by the names of the columns of `inbox`."""
    return _common(message) | {
        "senttime": _local(message.send_at or message.created_at, zone),
        "receivedtime": _local(message.created_at, zone),
        "operator": message.connection or message.provider,
    }


def sent_row(message: MessageView, zone: ZoneInfo) -> dict[str, Any]:
    """Return what is told of an outgoing message, by the names of the columns of `outbox`."""
    return _common(message) | {
        "acceptedfordeliverytime": _local(message.created_at, zone),
        "deliveredtonetworktime": _local(message.network_at, zone),
        "deliveredtohandsettime": _local(message.handset_at, zone),
        "operator": message.connection or message.provider,
        "callbackid": ",".join(message.network_ids)[:LONGEST_IDS] or None,
        "cost": message.segment_count,
        "errormessage": error_message(message),
        "status": status(message).value,
    }


def _common(message: MessageView) -> dict[str, Any]:
    text = content(message)
    return {
        "username": message.username,
        "msgtype": "SMS:TEXT" if message.data is None else "SMS:BINARY",
        "msgid": message.message_id,
        "sender": message.source,
        "receiver": message.destination,
        "msgsubject": text[:LONGEST_SUBJECT],
        "msgdata": text,
        "pducount": message.segment_count,
        "price": price(message),
        "buyprice": buying_price(message),
        "route": message.route or None,
        "reference": message.client_reference or None,
    }


_Value = Callable[[MessageView, ZoneInfo], Any]


def _time(moment: Callable[[MessageView], datetime | None]) -> _Value:
    def value(message: MessageView, zone: ZoneInfo) -> str | None:
        local = _local(moment(message), zone)
        return local.isoformat(" ", "seconds") if local else None

    return value


def _plain(value: Callable[[MessageView], Any]) -> _Value:
    return lambda message, _zone: value(message)


def _serving(message: MessageView) -> str:
    return message.segments[-1].provider if message.segments else message.provider


KEYWORDS: Mapping[str, _Value] = {
    "username": _plain(lambda message: message.username),
    "msgtype": _plain(lambda message: "SMS:TEXT" if message.data is None else "SMS:BINARY"),
    "msgid": _plain(lambda message: message.message_id),
    "sender": _plain(lambda message: message.source),
    "receiver": _plain(lambda message: message.destination),
    "msgsubject": _plain(lambda message: content(message)[:LONGEST_SUBJECT]),
    "msgdata": _plain(content),
    "senttime": _time(lambda message: message.send_at or message.created_at),
    "receivedtime": _time(lambda message: message.created_at),
    "operator": _plain(lambda message: message.connection or message.provider),
    "pducount": _plain(lambda message: message.segment_count),
    "acceptedfordeliverytime": _time(lambda message: message.created_at),
    "cost": _plain(lambda message: message.segment_count),
    "usedoperator": _plain(lambda message: message.connection),
    "deliveredtonetworktime": _time(lambda message: message.network_at),
    "callbackid": _plain(lambda message: ",".join(message.network_ids)),
    "sentthroughbackup": _plain(lambda message: "yes" if message.sent_through_backup else "no"),
    "serviceoperator": _plain(_serving),
    "deliveredtohandsettime": _time(lambda message: message.handset_at),
    "errormessage": _plain(lambda message: error_message(message) or ""),
    # What the reference product does not tell.
    "status": _plain(lambda message: "received" if message.direction is Direction.INBOUND else status(message).value),
    "state": _plain(lambda message: message.state),
    "price": _plain(lambda message: f"{price(message):f}"),
    "buyprice": _plain(lambda message: None if message.buy_uc is None else f"{buying_price(message):f}"),
    "provider": _plain(lambda message: message.provider),
    "connection": _plain(lambda message: message.connection),
    "route": _plain(lambda message: message.route),
    "reference": _plain(lambda message: message.client_reference),
}
"""What a keyword stands for. Times are `YYYY-MM-DD HH:MM:SS` in the zone that is set, NULL while they have not come."""

SYNONYMS: Mapping[str, str] = {
    "id": "msgid",
    "callback": "callbackid",
    "originator": "sender",
    "recipient": "receiver",
    "messagetype": "msgtype",
    "messagedata": "msgdata",
    "operatornames": "operator",
}
"""Words of the older generation's templates."""


def value_of(keyword: str, message: MessageView, zone: ZoneInfo) -> Any:
    """Return what a keyword stands for in a message."""
    return KEYWORDS[keyword](message, zone)
