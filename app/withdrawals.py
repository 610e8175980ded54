"""Taking messages out of the queue before they left: expiry and the operator's *Cancel*."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app import costs
from app.lifecycle import End, State
from app.models import OutboxRow, Segment, table
from app.outbox import IN_DOUBT, QUEUED, SENDING, WAITING
from app.progress import Change, MessageRow, apply, lock_messages, part_end, taken_counts
from app.snapshot import Snapshot

UNSENT = (State.SCHEDULED, State.HELD, State.QUEUED)
"""States of messages of which nothing has left."""

_OUTBOX = table(OutboxRow)
_SEGMENTS = table(Segment)


REPLACED = "replaced"
"""Error code of a message in whose place another went. Nobody is told of its end."""


def cancel(session: Session, snapshot: Snapshot, message_ids: Iterable[int], *, now: datetime, actor: str) -> set[int]:
    """Take messages back that have not left, and release their charge; return those that were taken back."""
    return withdraw(
        session,
        snapshot,
        _waiting(session, message_ids),
        State.CANCELLED,
        "Taken back before it was sent.",
        now=now,
        actor=actor,
    )


def displace(session: Session, snapshot: Snapshot, message_id: int, *, now: datetime, actor: str) -> bool:
    """Take a message back in whose place another goes, and release its charge; say whether it had not left."""
    return bool(
        withdraw(
            session,
            snapshot,
            _waiting(session, [message_id]),
            State.CANCELLED,
            "Its sender replaced it by another message.",
            now=now,
            actor=actor,
            error_code=REPLACED,
        )
    )


def _waiting(session: Session, message_ids: Iterable[int]) -> set[int]:
    rows = lock_messages(session, message_ids)
    return {row.id for row in rows.values() if row.state in UNSENT}


def withdraw(
    session: Session,
    snapshot: Snapshot,
    ids: Iterable[int],
    state: State,
    reason: str,
    *,
    now: datetime,
    actor: str = "gateway",
    error_code: str = "",
) -> set[int]:
    """Take messages out of the queue of which no segment is under way; return those that have ended.

    Where a segment is in doubt the others leave the queue, and the doubt's end is the message's.
    """
    found = lock_messages(session, ids)
    if not found:
        return set()
    busy = _with_rows(session, found, SENDING)
    doubtful = _with_rows(session, found, IN_DOUBT) - busy
    going = found.keys() - busy - doubtful
    close_rows(session, dict.fromkeys(going | doubtful, 0), state, now=now, states=(QUEUED, WAITING))
    taken = taken_counts(session, going)
    bought = costs.bought_totals(session, taken)
    changes = [
        Change(found[message_id], State.IN_DOUBT, data={"reason": reason})
        for message_id in sorted(doubtful)
        if found[message_id].state == State.SENDING
    ]
    for message_id in sorted(going):
        accepted_count = taken.get(message_id, 0)
        changes.append(
            Change(
                found[message_id],
                state,
                data={"reason": reason, "actor": actor},
                end=part_end(found[message_id], accepted_count, End.WITHDRAWN),
                accepted_count=accepted_count,
                error_code=error_code or state.value,
                error_reason=reason,
                buy_uc=bought.get(message_id, 0),
            )
        )
    apply(session, snapshot, changes, now=now, actor=actor)
    return going


def _with_rows(session: Session, messages: Mapping[int, MessageRow], state: int) -> set[int]:
    """Return the messages that have a row of that state in the queue."""
    return set(session.scalars(select(_OUTBOX.c.message_id).where(_OUTBOX.c.message_id.in_(messages), _OUTBOX.c.state == state)))


def close_rows(session: Session, costs_uc: Mapping[int, int | None], state: State, *, now: datetime, states: Iterable[int]) -> None:
    """Move the rows of messages that are in one of `states` out of the queue into segments of that state.

    `costs_uc` says of each message what such a segment costs us; None is not known.
    """
    found = (_OUTBOX.c.message_id.in_(costs_uc), _OUTBOX.c.state.in_(states))
    rows = session.execute(select(_OUTBOX).where(*found)).all()
    if rows:
        session.execute(
            insert(_SEGMENTS),
            [
                {
                    "message_id": row.message_id,
                    "segment_index": row.segment_index,
                    "state": state.value,
                    "provider": row.provider,
                    "connection_id": row.connection_id or 0,
                    "network_id": "",
                    "buy_uc": costs_uc[row.message_id],
                    "error_code": state.value,
                    "answered_at": now,
                }
                for row in rows
            ],
        )
        session.execute(delete(_OUTBOX).where(*found))
