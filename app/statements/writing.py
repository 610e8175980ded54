"""Statements as other programs read them: values for JSON, rows for CSV. Amounts are exact decimal text, moments carry their zone."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from app.identifiers import public_id
from app.ledger import format_credits
from app.periods import zone
from app.statements.figures import GROUPINGS, Line, Statement
from app.statements.month_end import AccountMonth
from app.statements.rows import Item

CHUNK_OCTETS = 32_768
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that a spreadsheet takes for a formula."""

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)

GROUPED_FIELDS = ("user", "interval", "section", "key", "label", "movements", "segments", "in", "out", "change", "currency")
ITEMISED_FIELDS = (
    "row",
    "time",
    "movement",
    "message",
    "source",
    "destination",
    "segments",
    "price",
    "change",
    "balance",
    "reserved",
    "reason",
    "reference",
    "actor",
)
MONTH_END_FIELDS = (
    "user",
    "month",
    "statement",
    "sent messages",
    "sent segments",
    "received messages",
    "received segments",
    "opening",
    "added",
    "used",
    "closing",
    "reserved",
    "currency",
)


def harmless(value: Any) -> Any:
    """Return a text from outside so that a spreadsheet does not run it; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA) and _NUMBER.fullmatch(value) is None:
        return f"'{value}"
    return value


def to_csv(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a table as CSV in chunks, the first one as soon as there is a row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(fields)
    first = True
    for row in rows:
        writer.writerow([harmless(value) for value in row])
        if first or buffer.tell() > CHUNK_OCTETS:
            first = False
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def moment(at: datetime, time_zone: str) -> str:
    """Return a moment by the clock of a time zone, with its offset."""
    return at.astimezone(zone(time_zone)).isoformat(timespec="milliseconds")


def described(statement: Statement) -> dict[str, Any]:
    """Return a statement for JSON, without its items."""
    interval, closed = statement.interval, statement.closed
    return {
        "username": statement.username,
        "currency": statement.currency,
        "month": str(interval.month) if interval.month is not None else None,
        "from": moment(interval.started_at, interval.time_zone),
        "until": moment(interval.ends_at, interval.time_zone),
        "time_zone": interval.time_zone,
        "opening": format_credits(statement.opening.balance_uc),
        "movements": format_credits(statement.change_uc),
        "added": format_credits(statement.added_uc),
        "used": format_credits(statement.used_uc),
        "closing": format_credits(statement.closing.balance_uc),
        "adds_up": statement.adds_up,
        "reservations": {
            "opening": format_credits(statement.opening.reserved_uc),
            "reserved": format_credits(statement.reservations.reserved_uc),
            "taken": format_credits(statement.reservations.taken_uc),
            "returned": format_credits(statement.reservations.returned_uc),
            "closing": format_credits(statement.closing.reserved_uc),
        },
        "groups": {name: [_described_line(line) for line in statement.groups[name]] for name in GROUPINGS},
        "closed": None
        if closed is None
        else {
            "number": closed.number,
            "at": moment(closed.closed_at, "UTC"),
            "by": closed.closed_by,
            "rows": closed.row_count,
            "first_row": closed.first_id,
            "last_row": closed.last_id,
            "digest": closed.digest,
        },
    }


def _described_line(line: Line) -> dict[str, Any]:
    return {
        "key": line.key,
        "label": line.label,
        "movements": line.row_count,
        "segments": line.segment_count,
        "in": format_credits(line.plus_uc),
        "out": format_credits(line.minus_uc),
        "change": format_credits(line.change_uc),
    }


def described_item(item: Item, time_zone: str) -> dict[str, Any]:
    """Return one row of a statement for JSON."""
    return {
        "row": item.transfer_id,
        "time": moment(item.at, time_zone),
        "movement": item.kind,
        "message": public_id(item.message_id) if item.message_id is not None else "",
        "source": item.source,
        "destination": item.destination,
        "segments": item.segment_count,
        "price": None if item.price_uc is None else format_credits(item.price_uc),
        "change": format_credits(item.balance_uc),
        "reserved": format_credits(item.reserved_uc),
        "reason": item.reason,
        "reference": item.reference,
        "actor": item.actor,
    }


def described_month(line: AccountMonth) -> dict[str, Any]:
    """Return one user's month for JSON."""
    traffic = line.traffic
    counts = (
        {}
        if traffic is None
        else {
            "sent_messages": traffic.sent_count,
            "sent_segments": traffic.sent_segment_count,
            "received_messages": traffic.received_count,
            "received_segments": traffic.received_segment_count,
        }
    )
    return {
        "username": line.username,
        "month": str(line.interval.month),
        "statement": line.number,
        **counts,
        "opening": format_credits(line.opening_uc),
        "added": format_credits(line.added_uc),
        "used": format_credits(line.used_uc),
        "closing": format_credits(line.closing_uc),
        "reserved": format_credits(line.reserved_uc),
        "currency": line.currency,
    }


def grouped_rows(statement: Statement) -> Iterator[Sequence[Any]]:
    """Yield a statement as rows of one table; the sections tell what they are."""
    name, words, currency = statement.username, statement.interval.words, statement.currency

    def row(section: str, line: Line) -> Sequence[Any]:
        amounts = (format_credits(line.plus_uc), format_credits(line.minus_uc), format_credits(line.change_uc))
        return (name, words, section, line.key, line.label, line.row_count, line.segment_count, *amounts, currency)

    def figure(section: str, label: str, amount_uc: int) -> Sequence[Any]:
        return (name, words, section, "", label, "", "", "", "", format_credits(amount_uc), currency)

    yield figure("balance", "Opening", statement.opening.balance_uc)
    for grouping in GROUPINGS:
        yield from (row(grouping, line) for line in statement.groups[grouping])
    yield figure("balance", "Closing", statement.closing.balance_uc)
    yield figure("reserved", "Opening", statement.opening.reserved_uc)
    yield figure("reserved", "Set aside", statement.reservations.reserved_uc)
    yield figure("reserved", "Taken", -statement.reservations.taken_uc)
    yield figure("reserved", "Returned", -statement.reservations.returned_uc)
    yield figure("reserved", "Closing", statement.closing.reserved_uc)


def itemised_rows(found: Iterable[Item], *, opening_uc: int, time_zone: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of a statement with the balance after each, between a line for the opening and one for the closing."""
    balance_uc = opening_uc
    yield ("", "", "opening", "", "", "", "", "", "", format_credits(balance_uc), "", "", "", "")
    for item in found:
        balance_uc += item.balance_uc
        yield (
            item.transfer_id,
            moment(item.at, time_zone),
            item.kind,
            public_id(item.message_id) if item.message_id is not None else "",
            item.source,
            item.destination,
            "" if item.segment_count is None else item.segment_count,
            "" if item.price_uc is None else format_credits(item.price_uc),
            format_credits(item.balance_uc),
            format_credits(balance_uc),
            format_credits(item.reserved_uc),
            item.reason,
            item.reference,
            item.actor,
        )
    yield ("", "", "closing", "", "", "", "", "", "", format_credits(balance_uc), "", "", "", "")


def month_end_rows(lines: Iterable[AccountMonth]) -> Iterator[Sequence[Any]]:
    """Yield every user's month as rows of a table."""
    for line in lines:
        traffic = line.traffic
        counts: Sequence[Any] = (
            ("", "", "", "")
            if traffic is None
            else (traffic.sent_count, traffic.sent_segment_count, traffic.received_count, traffic.received_segment_count)
        )
        amounts = (line.opening_uc, line.added_uc, line.used_uc, line.closing_uc, line.reserved_uc)
        yield (
            line.username,
            str(line.interval.month),
            line.number if line.number is not None else "open",
            *counts,
            *(format_credits(amount_uc) for amount_uc in amounts),
            line.currency,
        )
