"""What the network answered: outcomes of attempts move segments, messages and money on.

An outcome is matched by its attempt id, so it counts whenever it comes: in time, after another engine took the connection
over, or after the segment was put in doubt.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import carriers, costs, reports
from app.arrays import among
from app.bulk import delete_rows, insert_rows, update_rows
from app.db import AnyRow, storable
from app.lifecycle import FINAL, End, State, joint_state
from app.models import OutboxRow, Segment, table
from app.outbox import IN_DOUBT, QUEUED, SENDING, STATE_OF_ROW, WAITING
from app.progress import TAKEN, Change, MessageRow, apply, lock_messages, part_end, refused_messages
from app.snapshot import Snapshot
from pennywire import Accepted, LinkDown, Outcome, OutcomeUnknown, Rejected, Throttled

MAX_ATTEMPTS = 5
"""Answered tries of a segment that every provider of its route refuses for the moment."""

FIRST_PAUSE_S = 30
DOUBT_DEADLINE_S = 24 * 3600
"""How long a segment in doubt waits for a late answer or a report, in seconds; the option `doubt_deadline_s` changes it."""

_OUTBOX = table(OutboxRow)
_ORDER = (_OUTBOX.c.message_id, _OUTBOX.c.segment_index)
_SEGMENTS = table(Segment)

Result = Outcome | LinkDown | OutcomeUnknown


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What became of one attempt. `message_id` is the internal one."""

    attempt_id: int
    message_id: int
    segment_index: int
    connection_id: int
    result: Result


@dataclass(slots=True)
class _Batch:
    """What a batch of outcomes writes, gathered before anything is written."""

    snapshot: Snapshot
    now: datetime
    #: Rows that leave the queue, rows that go back to it or into doubt.
    done: dict[tuple[int, int], None] = field(default_factory=dict)
    requeued: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    abandoned: set[int] = field(default_factory=set)
    notes: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)
    #: Messages whose reports came before the last of their answers.
    concluded: list[int] = field(default_factory=list)


def record_outcomes(
    session: Session, snapshot: Snapshot, outcomes: Sequence[AttemptOutcome], *, now: datetime, actor: str = "gateway"
) -> None:
    """Write outcomes of attempts: segments, states, money and events; repeats and late ones do no harm."""
    if not outcomes:
        return
    messages = lock_messages(session, (outcome.message_id for outcome in outcomes))
    rows = _outbox_rows(session, messages)
    by_attempt: dict[tuple[int, int | None], list[AnyRow]] = {}
    for row in rows:
        by_attempt.setdefault((row.message_id, row.attempt_id), []).append(row)
    batch = _Batch(snapshot, now)
    handled: set[int] = set()
    for outcome in outcomes:
        message = messages.get(outcome.message_id)
        if message is None or outcome.attempt_id in handled:
            continue
        handled.add(outcome.attempt_id)
        for row in by_attempt.get((message.id, outcome.attempt_id)) or _tried_again(outcome, rows):
            if (row.message_id, row.segment_index) not in batch.done:
                _HANDLERS[type(outcome.result)](batch, message, row, outcome)
    _drop_siblings(session, batch, messages, rows)
    _write_rows(session, batch)
    touched = [messages[message_id] for message_id in batch.notes]
    apply(session, snapshot, _changes(session, batch, touched, rows), now=now, actor=actor)
    if batch.concluded:
        reports.conclude(session, snapshot, batch.concluded, now=now)
    reports.match_parked(session, snapshot, [row["network_id"] for row in batch.answered if row["network_id"]], now=now)


# Locked, because another engine may be claiming a segment that is about to be taken out of the queue.
_OUTBOX_ROWS = select(_OUTBOX).where(among(_OUTBOX.c.message_id, "ids")).order_by(*_ORDER).with_for_update()


def _outbox_rows(session: Session, message_ids: Iterable[int]) -> list[AnyRow]:
    return list(session.execute(_OUTBOX_ROWS, {"ids": sorted(message_ids)}))


def _tried_again(outcome: AttemptOutcome, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return the rows that a late acceptance decides though they wait for another attempt, or are in the middle of it."""
    if not isinstance(outcome.result, Accepted):
        return []
    place = (outcome.message_id, outcome.segment_index)
    row = next((row for row in rows if (row.message_id, row.segment_index) == place), None)
    if row is None or row.attempt_id is None:
        return [] if row is None else [row]
    # Segments that share an attempt were sent as one message.
    return [other for other in rows if (other.message_id, other.attempt_id) == (row.message_id, row.attempt_id)]


def _accepted(batch: _Batch, message: MessageRow, row: AnyRow, outcome: AttemptOutcome) -> None:
    assert isinstance(outcome.result, Accepted)
    network_id = storable(outcome.result.network_id)[:65]
    buy_uc, alarm = costs.of_taken(batch.snapshot, message, outcome.connection_id, now=batch.now)
    _answer(batch, row, outcome, State.SENT, network_id=network_id, buy_uc=buy_uc)
    _note(batch, message, outcome, network_id=network_id, **({"negative_margin": True} if alarm else {}))


def _rejected(batch: _Batch, message: MessageRow, row: AnyRow, outcome: AttemptOutcome) -> None:
    """Take a refusal: another provider of the route, a pause, or the end."""
    result = outcome.result
    assert isinstance(result, Rejected)
    code, reason = storable(result.code)[:32], storable(result.reason)[:500]
    _note(batch, message, outcome, error_code=code, error_reason=reason)
    if not result.permanent and _try_again(batch, message, row):
        return
    batch.errors[message.id] = (code, reason)
    batch.abandoned.add(message.id)
    _answer(batch, row, outcome, State.REJECTED, error_code=code, buy_uc=0)


def _try_again(batch: _Batch, message: MessageRow, row: AnyRow) -> bool:
    """Queue a segment again with the route's next provider, or after a pause with the first; say whether that is possible."""
    route = batch.snapshot.route_by_id(message.route_id)
    attempt_count = row.attempt_count + 1
    if attempt_count >= MAX_ATTEMPTS:
        return False
    targets = carriers.onward(batch.snapshot, route, message, holder=row.provider, now=batch.now) if route else ()
    later = targets[targets.index(row.provider) + 1 :] if row.provider in targets else ()
    if later:
        _requeue(batch, row, QUEUED, provider=later[0], attempt_count=attempt_count)
        return True
    pause = timedelta(seconds=FIRST_PAUSE_S * 2 ** (attempt_count - 1))
    provider = targets[0] if row.provider in targets else row.provider
    _requeue(batch, row, WAITING, provider=provider, attempt_count=attempt_count, due_at=batch.now + pause)
    return True


def _given_back(batch: _Batch, message: MessageRow, row: AnyRow, outcome: AttemptOutcome) -> None:
    """Take a segment back that did not leave, or that the network asked to hold: no attempt is burned."""
    if row.state == SENDING:
        _requeue(batch, row, QUEUED)
        _note(batch, message, outcome, given_back=type(outcome.result).__name__)


def _unknown(batch: _Batch, message: MessageRow, row: AnyRow, outcome: AttemptOutcome) -> None:
    if row.state != SENDING:
        return
    deadline = batch.now + timedelta(seconds=int(batch.snapshot.options.get("doubt_deadline_s", DOUBT_DEADLINE_S)))
    _requeue(batch, row, IN_DOUBT, deadline_at=deadline, attempt_id=row.attempt_id, connection_id=row.connection_id)
    _note(batch, message, outcome, error_reason=storable(str(outcome.result))[:500] or "No answer came.")


_HANDLERS: dict[type[object], Callable[[_Batch, MessageRow, AnyRow, AttemptOutcome], None]] = {
    Accepted: _accepted,
    Rejected: _rejected,
    Throttled: _given_back,
    LinkDown: _given_back,
    OutcomeUnknown: _unknown,
}


def _answer(
    batch: _Batch,
    row: AnyRow,
    outcome: AttemptOutcome,
    state: State,
    *,
    buy_uc: int | None,
    network_id: str = "",
    error_code: str = "",
) -> None:
    connection = batch.snapshot.connections.get(outcome.connection_id)
    batch.done[row.message_id, row.segment_index] = None
    batch.answered.append(
        {
            "message_id": row.message_id,
            "segment_index": row.segment_index,
            "state": state.value,
            "provider": connection.provider if connection else row.provider,
            "connection_id": outcome.connection_id,
            "network_id": network_id,
            "buy_uc": buy_uc,
            "error_code": error_code,
            "answered_at": batch.now,
        }
    )


def _requeue(batch: _Batch, row: AnyRow, state: int, **values: Any) -> None:
    batch.requeued.append(
        {
            "message_id": row.message_id,
            "segment_index": row.segment_index,
            "state": state,
            "provider": values.get("provider", row.provider),
            "attempt_count": values.get("attempt_count", row.attempt_count),
            "due_at": values.get("due_at"),
            "deadline_at": values.get("deadline_at"),
            "attempt_id": values.get("attempt_id"),
            "connection_id": values.get("connection_id"),
        }
    )


def _note(batch: _Batch, message: MessageRow, outcome: AttemptOutcome, **data: Any) -> None:
    """Keep what the message's event will say; segments of one message share an event."""
    note = batch.notes.setdefault(message.id, {"connection_id": outcome.connection_id})
    if message.segment_count == 1:
        note.update(data)
    else:
        note.setdefault("segments", {})[str(outcome.segment_index)] = data


def _drop_siblings(session: Session, batch: _Batch, messages: Mapping[int, MessageRow], rows: Sequence[AnyRow]) -> None:
    """Take the unsent segments of a refused message out of the queue: without the refused one the handset cannot join it."""
    states = {(row.message_id, row.segment_index): row.state for row in rows}
    states |= {(row["message_id"], row["segment_index"]): row["state"] for row in batch.requeued}
    waiting = {key for key, state in states.items() if state in _WAITING and key not in batch.done}
    back = {row["message_id"] for row in batch.requeued if row["state"] in _WAITING and messages[row["message_id"]].segment_count > 1}
    abandoned = batch.abandoned | refused_messages(session, back - batch.abandoned)
    batch.requeued = [row for row in batch.requeued if row["message_id"] not in abandoned or row["state"] not in _WAITING]
    for row in rows:
        key = (row.message_id, row.segment_index)
        if row.message_id in abandoned and key in waiting:
            batch.done[key] = None
            batch.answered.append(
                {
                    "message_id": row.message_id,
                    "segment_index": row.segment_index,
                    "state": State.REJECTED.value,
                    "provider": row.provider,
                    "connection_id": 0,
                    "network_id": "",
                    "buy_uc": 0,
                    "error_code": "not sent",
                    "answered_at": batch.now,
                }
            )


_WAITING = (QUEUED, WAITING)
_KEYS = ("message_id", "segment_index")
_REQUEUED = ("state", "provider", "attempt_count", "due_at", "deadline_at", "attempt_id", "connection_id")


def _write_rows(session: Session, batch: _Batch) -> None:
    delete_rows(session, _OUTBOX, _KEYS, list(batch.done))
    insert_rows(session, _SEGMENTS, batch.answered)
    rows = [tuple(row[name] for name in (*_REQUEUED, *_KEYS)) for row in batch.requeued]
    update_rows(session, _OUTBOX, _KEYS, _REQUEUED, rows)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a segment stands after the batch. `taken` says whether the network took it, `buy_uc` what it costs us."""

    state: State
    taken: bool = False
    buy_uc: int | None = None
    waits: bool = True


def _changes(session: Session, batch: _Batch, touched: Sequence[MessageRow], before: Sequence[AnyRow]) -> list[Change]:
    """Turn what happened to segments into what happened to their messages."""
    standings = _segment_states(session, batch, touched, before)
    changes = []
    if batch.snapshot.supply.priced:
        for message_id, told in costs.told(batch.answered).items():
            batch.notes[message_id] |= told
    for message in touched:
        present = State(message.state)
        segments = standings[message.id]
        answered_uc = [segment.buy_uc for segment in segments if not segment.waits]
        cost_uc = costs.of_message(answered_uc, len(segments) - len(answered_uc), message.buy_per_segment_uc)
        if present in FINAL:
            changes.append(Change(message, None, kind="late_answer", data=_described(batch, message), buy_uc=cost_uc))
            continue
        state = joint_state([segment.state for segment in segments])
        if state in FINAL:
            missed = [segment.state for segment in segments if not segment.taken]
            state = joint_state(missed) if missed else State.SENT
            if not missed:
                batch.concluded.append(message.id)
        change = _change(batch, message, present, state, sum(segment.taken for segment in segments))
        change.buy_uc = cost_uc
        changes.append(change)
    return changes


def _change(batch: _Batch, message: MessageRow, present: State, state: State, taken_count: int) -> Change:
    code, reason = batch.errors.get(message.id, ("", ""))
    change = Change(
        message,
        state if state is not present else None,
        kind="segment",
        data=_described(batch, message),
        accepted_count=taken_count,
        error_code=code,
        error_reason=reason,
        connection_id=batch.notes[message.id]["connection_id"] or None,
    )
    if state is State.SENT:
        change.end = End.NETWORK
        if message.report_requested:
            route = batch.snapshot.route_by_id(message.route_id)
            change.report_due_at = batch.now + timedelta(seconds=route.report_timeout_s if route else 72 * 3600)
    elif state in FINAL:
        change.end = part_end(message, taken_count, End.REFUSED)
    return change


def _described(batch: _Batch, message: MessageRow) -> dict[str, Any]:
    data = dict(batch.notes[message.id])
    connection = batch.snapshot.connections.get(data.pop("connection_id"))
    return {"connection": connection.name, **data} if connection else data


_STANDING = select(_SEGMENTS.c.message_id, _SEGMENTS.c.segment_index, _SEGMENTS.c.state, TAKEN.label("taken"), _SEGMENTS.c.buy_uc).where(
    among(_SEGMENTS.c.message_id, "ids")
)


def _segment_states(session: Session, batch: _Batch, touched: Sequence[MessageRow], before: Sequence[AnyRow]) -> dict[int, list[_Standing]]:
    """Return how all segments of the touched messages stand after the batch."""
    known = {(row.message_id, row.segment_index): _Standing(STATE_OF_ROW[row.state]) for row in before}
    known |= {(row["message_id"], row["segment_index"]): _Standing(STATE_OF_ROW[row["state"]]) for row in batch.requeued}
    known |= {
        (row["message_id"], row["segment_index"]): _Standing(State(row["state"]), row["state"] == State.SENT, row["buy_uc"], waits=False)
        for row in batch.answered
    }
    long = [message.id for message in touched if message.segment_count > 1]
    if long:
        known |= {
            (row.message_id, row.segment_index): _Standing(State(row.state), bool(row.taken), row.buy_uc, waits=False)
            for row in session.execute(_STANDING, {"ids": long})
        }
    wanted = {message.id for message in touched}
    states: dict[int, list[_Standing]] = {}
    for (message_id, _), standing in known.items():
        if message_id in wanted:
            states.setdefault(message_id, []).append(standing)
    return states


def give_back(session: Session, snapshot: Snapshot, outcomes: Sequence[AttemptOutcome], *, now: datetime) -> None:
    """Queue attempts again that were claimed and never handed to a connector."""
    record_outcomes(session, snapshot, outcomes, now=now)


def put_in_doubt(session: Session, snapshot: Snapshot, *, connection_id: int, below_token: int, now: datetime) -> int:
    """Put what an engine of an older lease had claimed in doubt, after it died or lost the connection; return how many."""
    rows = session.execute(
        select(_OUTBOX.c.attempt_id, _OUTBOX.c.message_id, _OUTBOX.c.segment_index).where(
            _OUTBOX.c.state == SENDING, _OUTBOX.c.connection_id == connection_id, _OUTBOX.c.token < below_token
        )
    ).all()
    error = OutcomeUnknown("The engine that was sending it ended without an answer.")
    record_outcomes(
        session,
        snapshot,
        [AttemptOutcome(row.attempt_id, row.message_id, row.segment_index, connection_id, error) for row in rows],
        now=now,
    )
    return len(rows)
