"""Incoming segments before they are a message: stored as they came, known again when they come twice, joined in order."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import AnyRow, storable
from app.models import IncomingSegment, table
from app.snapshot import ConnectionView
from pennywire import Alphabet, Concatenation, Incoming

REPEAT_WINDOW = timedelta(minutes=15)
"""How long a segment without an id of the network's own is recognised as a repeat (trap S9)."""

JOIN_WINDOW = timedelta(minutes=30)
"""How long a series waits for its missing segments; then it is delivered as it is, marked incomplete (trap T16)."""

_SEGMENTS = table(IncomingSegment)


def fresh(session: Session, incoming: Sequence[tuple[ConnectionView, Incoming]], now: datetime) -> list[tuple[ConnectionView, Incoming]]:
    """Leave out what was stored already, in this batch or before."""
    prints = [fingerprint(connection, segment) for connection, segment in incoming]
    known = set(
        session.scalars(
            select(_SEGMENTS.c.fingerprint).where(_SEGMENTS.c.fingerprint.in_(prints), _SEGMENTS.c.received_at > now - REPEAT_WINDOW)
        )
    )
    fresh = []
    for item, mark in zip(incoming, prints, strict=True):
        if mark not in known:
            known.add(mark)
            fresh.append(item)
    return fresh


def storable_segment(segment: Incoming) -> Incoming:
    """Return the segment with texts that a database takes."""
    return replace(
        segment,
        source=storable(segment.source),
        destination=storable(segment.destination),
        text=None if segment.text is None else storable(segment.text),
        network_id=storable(segment.network_id),
        raw=storable(segment.raw),
        parameters=_storable_value(segment.parameters),
    )


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): _storable_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_value(inner) for inner in value]
    return value if isinstance(value, bool | int | float | None) else storable(repr(value))


def fingerprint(connection: ConnectionView, segment: Incoming) -> str:
    """Return what recognises a repeat: the network's id, else addresses, content and the time the network gives.

    Without an id and a time two equal texts within the window could be two messages, so then nothing is left out.
    """
    if not segment.network_id and segment.sent_at is None and segment.concatenation is None:
        return uuid4().hex
    parts = (
        connection.provider,
        segment.source,
        segment.destination,
        segment.network_id,
        "" if segment.network_id else repr((segment.sent_at, segment.concatenation, segment.text, segment.user_data)),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def store(session: Session, connection: ConnectionView, segment: Incoming, now: datetime) -> int:
    place = segment.concatenation or Concatenation(0, 1, 1)
    row = IncomingSegment(
        connection_id=connection.id,
        provider=connection.provider,
        source=segment.source[:21],
        destination=segment.destination[:21],
        reference=place.reference,
        total=place.total,
        segment_index=place.index,
        body=encode_incoming(segment),
        fingerprint=fingerprint(connection, segment),
        received_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def encode_incoming(segment: Incoming) -> bytes:
    """Return the stored form of a segment, everything the network said."""
    return msgspec.json.encode(asdict(segment))


def decode_incoming(body: bytes) -> Incoming:
    """Read what `encode_incoming` wrote."""
    values: dict[str, Any] = msgspec.json.decode(body)
    place = values.pop("concatenation")
    sent_at = values.pop("sent_at")
    octets = {name: base64.b64decode(values.pop(name)) for name in ("user_data", "udh")}
    return Incoming(
        **values | octets | {"alphabet": Alphabet(values["alphabet"])},
        concatenation=Concatenation(**place) if place else None,
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
    )


Stored = tuple[list[int], Incoming]
"""A segment with the ids of its rows: the network may have sent it several times."""


def series(session: Session, connection: ConnectionView, segment: Incoming, now: datetime) -> list[Stored]:
    """Return the stored segments of the series, one of each index, in order."""
    place = segment.concatenation
    assert place is not None
    rows = session.execute(
        select(_SEGMENTS.c.id, _SEGMENTS.c.segment_index, _SEGMENTS.c.body)
        .where(
            _SEGMENTS.c.message_id.is_(None),
            _SEGMENTS.c.source == segment.source[:21],
            _SEGMENTS.c.reference == place.reference,
            _SEGMENTS.c.destination == segment.destination[:21],
            _SEGMENTS.c.total == place.total,
            _SEGMENTS.c.provider == connection.provider,
            _SEGMENTS.c.received_at > now - JOIN_WINDOW,
        )
        .order_by(_SEGMENTS.c.segment_index, _SEGMENTS.c.id)
        .with_for_update()
    ).all()
    return _one_of_each(rows)


def overdue(session: Session, first: AnyRow) -> list[Stored]:
    """Return what there is of the series of `first`, one of each index, in order."""
    rows = session.execute(
        select(_SEGMENTS.c.id, _SEGMENTS.c.segment_index, _SEGMENTS.c.body)
        .where(
            _SEGMENTS.c.message_id.is_(None),
            _SEGMENTS.c.source == first.source,
            _SEGMENTS.c.reference == first.reference,
            _SEGMENTS.c.destination == first.destination,
            _SEGMENTS.c.total == first.total,
            _SEGMENTS.c.provider == first.provider,
        )
        .order_by(_SEGMENTS.c.segment_index, _SEGMENTS.c.id)
    ).all()
    return _one_of_each(rows)


def _one_of_each(rows: Iterable[AnyRow]) -> list[Stored]:
    found: dict[int, Stored] = {}
    for row in rows:
        if row.segment_index in found:
            found[row.segment_index][0].append(row.id)
        else:
            found[row.segment_index] = ([row.id], decode_incoming(row.body))
    return list(found.values())
