"""The journal: what happened, written in the transaction in which it happened, and read by consumers at their own pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.bulk import insert_rows
from app.identifiers import public_id
from app.models import JournalCursor, JournalEvent, User, table
from pennywire import Event

_EVENTS = table(JournalEvent)
KEEP_DATA_OCTETS = 4096
APPLICATIONS = "applications"
"""The consumer that queues what applications are told."""


class Entry(TypedDict):
    """One event to be written; `version` is the message's version after the change, 0 for events of an account."""

    message_id: int | None
    version: int
    kind: str
    at: datetime
    user_id: int | None
    data: dict[str, Any]


_NOT_BEFORE_THE_LAST = (
    "GREATEST(pg_current_xact_id(), CASE WHEN v.version > 1 THEN"
    " (SELECT e.xid FROM events e WHERE e.message_id = v.message_id AND e.version = v.version - 1) END)"
)
"""The place of an event on PostgreSQL: its transaction, or a younger one that wrote the message's last event.

A transaction has its id from its first write. It may then see, and move on, a message that a younger one has committed since.
"""


def write(session: Session, entries: Sequence[Entry]) -> None:
    """Append events. Their order in the journal is the order of `entries`."""
    computed = (("xid", _NOT_BEFORE_THE_LAST),) if session.get_bind().dialect.name == "postgresql" else ()
    insert_rows(session, _EVENTS, entries, computed)


def open_cursor(session: Session, consumer: str, *, now: datetime, from_start: bool) -> None:
    """Make the consumer's cursor if it has none: at the first event, or behind the last."""
    if session.get(JournalCursor, consumer) is not None:
        return
    position = 0 if from_start else session.execute(select(JournalEvent.id).order_by(JournalEvent.id.desc()).limit(1)).scalar() or 0
    xid = 0
    if session.get_bind().dialect.name == "postgresql" and not from_start:
        xid = session.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one()
        position = 0
    session.add(JournalCursor(consumer=consumer, xid=xid, position=position, updated_at=now))
    session.flush()


def read(session: Session, consumer: str, limit: int) -> tuple[list[Event], tuple[int, int]]:
    """Return the next events of a consumer and the cursor behind them; the cursor moves only by `move`.

    On PostgreSQL ids are given before they are committed, so the order is that of transactions, and what a running
    transaction may still write is left for later.
    """
    cursor = session.get_one(JournalCursor, consumer)
    if session.get_bind().dialect.name == "postgresql":
        rows = session.execute(
            text(
                "SELECT e.id, e.message_id, e.version, e.kind, e.at, e.data, u.username, e.xid::text::bigint AS xid FROM events e "
                "LEFT JOIN users u ON u.id = e.user_id WHERE (e.xid, e.id) > (CAST(CAST(:xid AS text) AS xid8), :position) "
                "AND e.xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY e.xid, e.id LIMIT :limit"
            ),
            {"xid": cursor.xid, "position": cursor.position, "limit": limit},
        ).all()
        behind = (rows[-1].xid, rows[-1].id) if rows else (cursor.xid, cursor.position)
    else:
        rows = session.execute(
            select(
                JournalEvent.id,
                JournalEvent.message_id,
                JournalEvent.version,
                JournalEvent.kind,
                JournalEvent.at,
                JournalEvent.data,
                User.username,
            )
            .join(User, User.id == JournalEvent.user_id, isouter=True)
            .where(JournalEvent.id > cursor.position)
            .order_by(JournalEvent.id)
            .limit(limit)
        ).all()
        behind = (0, rows[-1].id) if rows else (0, cursor.position)
    return [event_of(row) for row in rows], behind


def event_of(row: Any) -> Event:
    """Return an event as consumers see it, of a row with the user's name."""
    return Event(
        position=row.id,
        kind=row.kind,
        at=row.at,
        message_id=public_id(row.message_id) if row.message_id is not None else "",
        version=row.version,
        username=row.username or "",
        data=row.data,
    )


def move(session: Session, consumer: str, behind: tuple[int, int], *, now: datetime) -> None:
    """Say that the consumer has dealt with everything before `behind`."""
    session.execute(
        update(JournalCursor)
        .where(JournalCursor.consumer == consumer)
        .values(xid=behind[0], position=behind[1], updated_at=now, last_error="")
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the journal: what comes behind `after`, up to and with `last`, as cursors of (xid, id)."""

    after: tuple[int, int]
    last: tuple[int, int]
    event_count: int


def next_span(session: Session, consumer: str, limit: int) -> Span:
    """Return where the next events of a consumer are, for one that has the database look at them; it moves by `pass_span`."""
    cursor = session.get(JournalCursor, consumer)
    after = (cursor.xid, cursor.position) if cursor is not None else (0, 0)
    if session.get_bind().dialect.name == "postgresql":
        row = session.execute(
            text(
                "WITH next AS (SELECT xid, id FROM events WHERE (xid, id) > (CAST(CAST(:xid AS text) AS xid8), :position)"
                " AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id LIMIT :limit)"
                " SELECT xid::text::bigint AS xid, id, (SELECT COUNT(*) FROM next) AS event_count FROM next"
                " ORDER BY next.xid DESC, id DESC LIMIT 1"
            ),
            {"xid": after[0], "position": after[1], "limit": limit},
        ).first()
        return Span(after, (row.xid, row.id), row.event_count) if row else Span(after, after, 0)
    following = select(JournalEvent.id).where(JournalEvent.id > after[1]).order_by(JournalEvent.id).limit(limit).subquery()
    last, event_count = session.execute(select(func.max(following.c.id), func.count()).select_from(following)).one()
    return Span(after, (0, last or after[1]), event_count)


def pass_span(session: Session, consumer: str, span: Span, *, now: datetime) -> bool:
    """Move a consumer behind a span if it still stands before it; say whether it did. What it wrote of the span counts once then."""
    stands = (JournalCursor.consumer == consumer, JournalCursor.xid == span.after[0], JournalCursor.position == span.after[1])
    moved = update(JournalCursor).where(*stands).values(xid=span.last[0], position=span.last[1], updated_at=now, last_error="")
    return session.execute(moved.returning(JournalCursor.consumer)).first() is not None


def begin_again(session: Session, consumer: str, *, now: datetime) -> None:
    """Put a consumer, known before or not, in front of the first event; who is passing a span meanwhile fails to."""
    open_cursor(session, consumer, now=now, from_start=True)
    cursor = session.get_one(JournalCursor, consumer, with_for_update=True, populate_existing=True)
    cursor.xid, cursor.position, cursor.updated_at = 0, 0, now
    session.flush()


def failed(session: Session, consumer: str, reason: str, *, now: datetime) -> None:
    """Keep the reason why a consumer could not take its batch; it gets the same batch again."""
    session.execute(
        update(JournalCursor).where(JournalCursor.consumer == consumer).values(last_error=reason[:KEEP_DATA_OCTETS], updated_at=now)
    )


def of_message(session: Session, message_id: int) -> Sequence[JournalEvent]:
    """Return a message's events in order, for its timeline."""
    return session.scalars(select(JournalEvent).where(JournalEvent.message_id == message_id).order_by(JournalEvent.version)).all()
