"""Segments of long messages that wait for the others: durable before they are answered, joined before they are priced.

A client with a window of 1 sends the second segment when the first is answered, so answers cannot wait for the whole message.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, delete, insert, select, update
from sqlalchemy.orm import Session

from pennywire import Alphabet, Concatenation, Draft, Storage
from pennywire_smpp.server.reading import Submitted

_PARTS = Table(
    "smpp_parts",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("username", String(16)),
    Column("series", String(16)),
    Column("source", String(65)),
    Column("destination", String(65)),
    Column("reference", Integer),
    Column("total", Integer),
    Column("segment_index", Integer),
    Column("body", Text),
    Column("receipt", Integer),
    Column("received_at", BigInteger),
    Column("fate", String(13)),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fate(StrEnum):
    """What became of a segment whose message never was."""

    WAITING = ""
    #: The others did not come in time.
    EXPIRED = "expired"
    #: They came, and the message was refused; the last segment's answer said why.
    REJECTED = "rejected"


class Stored(NamedTuple):
    """A segment as it is stored. `name` is its message_id."""

    id: int
    series: str
    place: int
    total: int
    receipt: int
    submitted: Submitted
    received_at: datetime
    fate: Fate

    @property
    def name(self) -> str:
        return part_name(self.series, self.place)


def part_name(series: str, index: int) -> str:
    """Return the message_id of a segment: its series and its index. The message has the series as its client reference."""
    return f"{series}-{index}"


class Parts:
    """The waiting segments of one user. Its calls block."""

    def __init__(self, storage: Storage, username: str) -> None:
        self._storage = storage
        self._username = username

    def store(self, submissions: Sequence[Submitted]) -> list[str]:
        """Keep segments and return the series of each; a repeat changes nothing."""
        with self._storage.write() as session:
            return [self._store(session, one) for one in submissions]

    def _store(self, session: Session, submitted: Submitted) -> str:
        place = submitted.place
        assert place is not None, "only segments are stored"
        columns = _PARTS.c
        mine = self._mine(submitted, place)
        rows = session.execute(select(columns.series, columns.segment_index).where(*mine, columns.fate == Fate.WAITING)).all()
        series = rows[0].series if rows else secrets.token_hex(8)
        if all(row.segment_index != place.index for row in rows):
            row = {
                "username": self._username,
                "series": series,
                "source": submitted.source,
                "destination": submitted.destinations[0],
                "reference": place.reference,
                "total": place.total,
                "segment_index": place.index,
                "body": _write(submitted),
                "receipt": submitted.receipt,
                "received_at": _microseconds(self._storage.now),
                "fate": Fate.WAITING,
            }
            session.execute(insert(_PARTS), [row])
        return series

    def _mine(self, submitted: Submitted, place: Concatenation) -> tuple[Any, ...]:
        columns = _PARTS.c
        return (
            columns.username == self._username,
            columns.source == submitted.source,
            columns.destination == submitted.destinations[0],
            columns.reference == place.reference,
            columns.total == place.total,
        )

    def complete(self, series: str) -> list[Stored]:
        """Return the segments of a series in their order if all are there, else nothing."""
        found = self._read(_PARTS.c.series == series)
        return found if found and len(found) == found[0].total else []

    def find(self, name: str) -> Stored | None:
        """Return a segment by its message_id, waiting or not."""
        series, _, index = name.rpartition("-")
        if not series or not index.isdecimal():
            return None
        return next(iter(self._read(_PARTS.c.series == series, _PARTS.c.segment_index == int(index))), None)

    def overdue(self, timeout_s: float) -> list[str]:
        """Return the series whose first segment has waited too long."""
        before = _microseconds(self._storage.now - timedelta(seconds=timeout_s))
        columns = _PARTS.c
        late = (columns.username == self._username, columns.fate == Fate.WAITING, columns.received_at < before)
        with self._storage.read() as session:
            return list(session.scalars(select(columns.series).where(*late).distinct()))

    def settle(self, series: str, fate: Fate) -> None:
        """Say what became of segments that never made a message; those without a receipt to be sent go at once."""
        columns = _PARTS.c
        with self._storage.write() as session:
            session.execute(delete(_PARTS).where(columns.series == series, columns.receipt == 0))
            session.execute(update(_PARTS).where(columns.series == series).values(fate=fate))

    def told(self, limit: int) -> list[Stored]:
        """Return segments whose receipt is to be sent."""
        return self._read(_PARTS.c.fate != Fate.WAITING)[:limit]

    def drop(self, series: Sequence[str] = (), *, ids: Sequence[int] = ()) -> None:
        """Forget whole series, or single segments."""
        with self._storage.write() as session:
            session.execute(delete(_PARTS).where(_PARTS.c.series.in_(series) if series else _PARTS.c.id.in_(ids)))

    def _read(self, *conditions: Any) -> list[Stored]:
        columns = _PARTS.c
        wanted = select(_PARTS).where(columns.username == self._username, *conditions).order_by(columns.series, columns.segment_index)
        with self._storage.read() as session:
            return [
                Stored(
                    row.id,
                    row.series,
                    row.segment_index,
                    row.total,
                    row.receipt,
                    _read(row.body),
                    _EPOCH + timedelta(microseconds=row.received_at),
                    Fate(row.fate),
                )
                for row in session.execute(wanted)
            ]


def join(parts: Sequence[Stored]) -> Draft:
    """Return the draft of a whole message: octets are joined before they are decoded; the first segment says the rest."""
    first = parts[0].submitted
    whole = replace(first, user_data=b"".join(part.submitted.user_data for part in parts), receipt=max(part.receipt for part in parts))
    receipts = {part.name: part.receipt for part in parts if part.receipt}
    return whole.draft(first.destinations[0], client_reference=parts[0].series, parameters={"receipts": receipts})


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _write(submitted: Submitted) -> str:
    return json.dumps(
        {
            "source": submitted.source,
            "destinations": submitted.destinations,
            "user_data": submitted.user_data.hex(),
            "alphabet": submitted.alphabet,
            "header": submitted.header.hex(),
            "shifts": submitted.shifts,
            "message_class": submitted.message_class,
            "priority": submitted.priority,
            "send_at": submitted.send_at and submitted.send_at.isoformat(),
            "expires_at": submitted.expires_at and submitted.expires_at.isoformat(),
            "receipt": submitted.receipt,
            "reference": submitted.reference,
            "service_type": submitted.service_type,
        }
    )


def _read(body: str) -> Submitted:
    values: Mapping[str, Any] = json.loads(body)
    return Submitted(
        **{name: values[name] for name in ("source", "message_class", "priority", "receipt", "reference")},
        destinations=tuple(values["destinations"]),
        user_data=bytes.fromhex(values["user_data"]),
        alphabet=Alphabet(values["alphabet"]),
        header=bytes.fromhex(values["header"]),
        shifts=tuple(values["shifts"]),
        service_type=values.get("service_type", ""),
        send_at=_moment(values["send_at"]),
        expires_at=_moment(values["expires_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
