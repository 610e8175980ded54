"""What consumers of the journal stand on: the messages of a batch, how far a consumer has come, and what happened long ago."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from app import journal
from app.db import AnyRow, Database
from app.identifiers import id_floor, internal_id, public_id
from app.lifecycle import State
from app.models import JournalCursor, JournalEvent, Message, Segment, User, table
from app.snapshot import Snapshot
from pennywire import Alphabet, Direction, Event, JournalStatus, MessageView, SegmentView

IN_CHUNK = 900
"""Most ids in one IN list: SQLite's oldest limit on parameters is 999."""

COUNTED = 100_000
"""A backlog is counted up to here; beyond it, more exactly does not matter and would cost time."""

REPLAY_CHUNK = 1_000

_MESSAGES = table(Message)
_SEGMENTS = table(Segment)
_DIRECTIONS = {direction.value: direction for direction in Direction}
_ALPHABETS = {alphabet.value: alphabet for alphabet in Alphabet}
_TAKEN = frozenset({State.SENT, State.DELIVERED, State.UNDELIVERABLE})
_LOOKED_UP = ("id", "direction", "route_id", "route_why", "connection_id", "alphabet", "provider")
_HEAD = ("state", "version", "source", "destination", "text", "data")
_MIDDLE = ("segment_count", "created_at", "updated_at", "send_at", "client_reference", "entrance")
_TAIL = ("price_uc", "charged", "error_code", "error_reason", "incomplete", "report_missing", "buy_uc")
_COLUMNS = [_MESSAGES.c[name] for name in (*_LOOKED_UP, *_HEAD, *_MIDDLE, *_TAIL)]
"""What a view is made of; the last three groups in the order of `MessageView`, which takes them as they come."""

_OF_SEGMENT = [
    _SEGMENTS.c[name]
    for name in (
        "message_id",
        "segment_index",
        "state",
        "provider",
        "connection_id",
        "network_id",
        "error_code",
        "answered_at",
        "reported_at",
    )
]


def messages_of(session: Session, snapshot: Snapshot, events: Iterable[Event]) -> dict[str, MessageView]:
    """Return the messages that events are about by their public ids, with their segments, by two statements for 900."""
    # A user who is newer than the snapshot is known to his events.
    names = {event.message_id: event.username for event in events if event.message_id}
    wanted = sorted(map(internal_id, names))
    views: dict[str, MessageView] = {}
    for start in range(0, len(wanted), IN_CHUNK):
        chunk = wanted[start : start + IN_CHUNK]
        segments: dict[int, list[AnyRow]] = {}
        rows = session.execute(select(*_OF_SEGMENT).where(_SEGMENTS.c.message_id.in_(chunk)).order_by(*_SEGMENTS.primary_key)).all()
        for row in rows:
            segments.setdefault(row.message_id, []).append(row)
        for row in session.execute(select(*_COLUMNS).where(_MESSAGES.c.id.in_(chunk))):
            name = public_id(row.id)
            views[name] = _view(snapshot, row, segments.get(row.id, ()), name, names[name])
    return views


def _view(snapshot: Snapshot, row: AnyRow, segments: Sequence[AnyRow], name: str, username: str) -> MessageView:
    # By place and not by name: this is done for every event of every message, and looking up 26 names costs more than the rest.
    _id, direction, route_id, route_why, connection_id, alphabet, provider = row[:7]
    head, middle, tail = row[7:13], row[13:19], row[19:]
    state, segment_count, updated_at = head[0], middle[0], middle[2]
    route = snapshot.routes.get(route_id)
    shown = tuple(_segment(snapshot, segment) for segment in segments)
    taken = [segment for segment in shown if segment.state in _TAKEN or segment.reported_at is not None]
    whole = len(taken) == segment_count and bool(taken)
    first = route.targets[0] if route and route.targets and route.targets[0] != "*" else ""
    values: tuple[Any, ...] = (
        name,
        _DIRECTIONS[direction],
        username,
        *head,
        _ALPHABETS[alphabet],
        *middle,
        route.name if route else route_why.partition(": ")[0],
        provider,
        _connection(snapshot, connection_id),
        *tail,
        bool(first) and any(segment.provider != first for segment in taken),
        max(segment.answered_at for segment in taken) if whole else None,
        max(segment.reported_at or updated_at for segment in taken) if whole and state == State.DELIVERED else None,
        shown,
    )
    return MessageView(*values)


def _segment(snapshot: Snapshot, row: AnyRow) -> SegmentView:
    _message_id, index, state, provider, connection_id, network_id, error_code, answered_at, reported_at = row
    return SegmentView(index, state, provider, _connection(snapshot, connection_id), network_id, error_code, answered_at, reported_at)


def _connection(snapshot: Snapshot, connection_id: int | None) -> str:
    return snapshot.connection_name(connection_id)


def forget(session: Session, consumer: str) -> None:
    """Drop a consumer's cursor: when it follows again, it begins behind the last event."""
    session.execute(delete(JournalCursor).where(JournalCursor.consumer == consumer))


def status(session: Session, consumer: str) -> JournalStatus:
    """Return how far a consumer has come; counts what waits for it up to `COUNTED`."""
    cursor = session.get(JournalCursor, consumer)
    if cursor is None:
        return JournalStatus(following=False)
    waiting: Any = select(JournalEvent.id, JournalEvent.at)
    if session.get_bind().dialect.name == "postgresql":
        behind = text("(events.xid, events.id) > (CAST(CAST(:xid AS text) AS xid8), :position)")
        waiting = waiting.where(behind.bindparams(xid=cursor.xid, position=cursor.position))
    else:
        waiting = waiting.where(JournalEvent.id > cursor.position)
    counted = waiting.limit(COUNTED).subquery()
    count, oldest_at = session.execute(select(func.count(), func.min(counted.c.at)).select_from(counted)).one()
    return JournalStatus(following=True, backlog_count=count, oldest_at=oldest_at, moved_at=cursor.updated_at, last_error=cursor.last_error)


def past_events(
    database: Database, snapshot: Snapshot, since: datetime, until: datetime | None = None
) -> Iterator[tuple[list[Event], Mapping[str, MessageView]]]:
    """Yield the events of the messages accepted from `since` until before `until`, each message's in order, in chunks.

    The messages come as they are when their chunk is read; no transaction is kept between chunks.
    """
    # The identifiers' time has milliseconds, and a cursor stands before the first event of the first message.
    place, end = (id_floor(int(since.timestamp() * 1000)) - 1, 1 << 30), id_floor(int(until.timestamp() * 1000)) if until else None
    while True:
        with database.read() as session:
            events, place = _events_behind(session, place, end)
            messages = messages_of(session, snapshot, events)
        if not events:
            return
        yield events, messages


def _events_behind(session: Session, place: tuple[int, int], end: int | None) -> tuple[list[Event], tuple[int, int]]:
    number, version = place
    event = JournalEvent
    statement = (
        select(event.id, event.message_id, event.version, event.kind, event.at, event.data, User.username)
        .join(User, User.id == event.user_id, isouter=True)
        .where(event.message_id >= number, (event.message_id > number) | (event.version > version))
        .order_by(event.message_id, event.version)
        .limit(REPLAY_CHUNK)
    )
    if end is not None:
        statement = statement.where(event.message_id < end)
    rows = session.execute(statement).all()
    return [journal.event_of(row) for row in rows], (rows[-1].message_id, rows[-1].version) if rows else place
