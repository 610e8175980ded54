"""What waits for applications: ends of messages that they sent and incoming messages of their users, until it is acknowledged."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app import following, journal
from app.db import AnyRow
from app.identifiers import internal_id, public_id
from app.lifecycle import State
from app.models import ApplicationRow, DeliveryRow, JournalCursor, Message, User, table
from app.snapshot import Snapshot
from app.withdrawals import REPLACED
from pennywire import Delivery, Event

BATCH = 1_000
KEEP = timedelta(days=7)
"""How long something waits for an application that does not fetch it."""

ENTRANCE_LENGTH = 8
"""A message's entrance is its application's kind, cut to this length."""

RECEIVED = "received"
ENDS = frozenset({State.DELIVERED, State.UNDELIVERABLE, State.EXPIRED, State.REJECTED, State.CANCELLED})
_TOLD = {*map(str, ENDS), RECEIVED}
_DELIVERIES = table(DeliveryRow)
_MESSAGES = table(Message)


def collect(session: Session, *, now: datetime) -> int:
    """Put what the next events of the journal tell applications into their queues, and move the cursor; return how many events.

    Both in one transaction, so that nothing is queued twice. An end goes to the application that sent the message and asked for it;
    an incoming message to every application of its user.
    """
    if session.get(JournalCursor, journal.APPLICATIONS, with_for_update=True) is None:
        return 0  # Nobody ever had an application.
    events, behind = journal.read(session, journal.APPLICATIONS, BATCH)
    told = [event for event in events if event.kind in _TOLD and event.message_id]
    if told:
        rows = _rows(session, told)
        if rows:
            session.execute(insert(_DELIVERIES), rows)
    if events:
        journal.move(session, journal.APPLICATIONS, behind, now=now)
    return len(events)


def behind(session: Session) -> bool:
    """Say whether there is anything to collect, without the lock of a writer."""
    if session.get(JournalCursor, journal.APPLICATIONS) is None:
        return False
    events, _ = journal.read(session, journal.APPLICATIONS, 1)
    return bool(events)


def _rows(session: Session, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the rows of events, in their order."""
    applications: dict[str, list[AnyRow]] = {}
    started = select(ApplicationRow.id, ApplicationRow.kind, User.username).join(User, User.id == ApplicationRow.user_id)
    for row in session.execute(started.where(ApplicationRow.desired == "started")):
        applications.setdefault(row.username, []).append(row)
    ours = [event for event in events if event.username in applications]
    sent = _entrances(session, [internal_id(event.message_id) for event in ours if event.kind != RECEIVED])
    return [
        {"application_id": row.id, "message_id": internal_id(event.message_id), "kind": event.kind, "at": event.at}
        for event in ours
        for row in applications[event.username]
        if event.kind == RECEIVED or sent.get(internal_id(event.message_id)) == row.kind[:ENTRANCE_LENGTH]
    ]


def _entrances(session: Session, numbers: Sequence[int]) -> dict[int, str]:
    """Return which application sent each message whose end is asked for."""
    found: dict[int, str] = {}
    for start in range(0, len(numbers), following.IN_CHUNK):
        chunk = numbers[start : start + following.IN_CHUNK]
        # In the place of a replaced message another is on its way, whose end is told.
        told = (_MESSAGES.c.id.in_(chunk), _MESSAGES.c.report_requested, _MESSAGES.c.error_code != REPLACED)
        asked = select(_MESSAGES.c.id, _MESSAGES.c.entrance).where(*told)
        found.update((row.id, row.entrance) for row in session.execute(asked))
    return found


def waiting(session: Session, snapshot: Snapshot, application_id: int, username: str, *, after: int, limit: int) -> list[Delivery]:
    """Return what waits for an application, oldest first, from behind the delivery `after`."""
    mine = (_DELIVERIES.c.application_id == application_id, _DELIVERIES.c.id > after)
    rows = session.execute(select(_DELIVERIES).where(*mine).order_by(_DELIVERIES.c.id).limit(limit)).all()
    events = [Event(row.id, row.kind, row.at, public_id(row.message_id), username=username) for row in rows]
    messages = following.messages_of(session, snapshot, events)
    parameters = _parameters(session, [row.message_id for row in rows])
    return [
        Delivery(row.id, row.kind, row.at, messages[event.message_id], parameters.get(row.message_id) or {})
        for row, event in zip(rows, events, strict=True)
        if event.message_id in messages
    ]


def _parameters(session: Session, numbers: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    for start in range(0, len(numbers), following.IN_CHUNK):
        chunk = numbers[start : start + following.IN_CHUNK]
        rows = session.execute(select(_MESSAGES.c.id, _MESSAGES.c.parameters).where(_MESSAGES.c.id.in_(chunk)))
        found.update((row.id, row.parameters) for row in rows)
    return found


def acknowledge(session: Session, application_id: int, delivery_ids: Sequence[int]) -> None:
    """Forget what the application's peer has."""
    ids = list(delivery_ids)
    for start in range(0, len(ids), following.IN_CHUNK):
        chunk = ids[start : start + following.IN_CHUNK]
        session.execute(delete(_DELIVERIES).where(_DELIVERIES.c.application_id == application_id, _DELIVERIES.c.id.in_(chunk)))


def forget_old(session: Session, *, now: datetime) -> None:
    """Drop what nobody has fetched for `KEEP`."""
    session.execute(delete(_DELIVERIES).where(_DELIVERIES.c.at < now - KEEP))
