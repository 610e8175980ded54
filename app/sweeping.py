"""What time brings about: scheduled messages fall due, old ones expire, doubts and missing reports are decided.

One engine sweeps for all. Every task is a small transaction of its own and leaves the rest for the next round.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.orm import Session

from app import costs, holding, inbound, outcomes, reports
from app.arrays import among
from app.carriers import choose_provider, onward
from app.db import AnyRow, Database
from app.decisions import KEY_LIFETIME_S
from app.identifiers import IdMaker
from app.lifecycle import End, Remedy, State, Terms
from app.models import (
    ConnectionStatus,
    IdempotencyKey,
    Message,
    OutboxRow,
    ParkedReport,
    Segment,
    ServiceConnection,
    table,
)
from app.outbox import IN_DOUBT, QUEUED, WAITING, users_in_turn
from app.outcomes import AttemptOutcome
from app.progress import Change, MessageRow, apply, lock_messages, part_end, refused_messages, taken_counts
from app.routing import ANY
from app.snapshot import Snapshot
from app.withdrawals import close_rows, withdraw
from pennywire import Accepted

BATCH = 500
PARKED_LIFETIME = timedelta(days=14)
FAILOVER_AFTER = timedelta(seconds=60)
"""How long a provider may be down before its queue goes to the next of the route."""

RESEND_AFTER = timedelta(seconds=120)
"""How long a segment in doubt waits before a route that allows it sends it once more."""

_OUTBOX = table(OutboxRow)
_MESSAGES = table(Message)
_SEGMENTS = table(Segment)
_PARKED = table(ParkedReport)


@dataclass(frozen=True, slots=True)
class _Round:
    """What a task needs besides its session."""

    snapshot: Snapshot
    ids: IdMaker
    now: datetime


def sweep(database: Database, snapshot: Snapshot, *, ids: IdMaker, now: datetime) -> dict[str, int]:
    """Do one round of every task; return how much each did."""
    turn = _Round(snapshot, ids, now)
    return {task.__name__.lstrip("_"): database.run(partial(_turned, task, turn)) for task in TASKS}


def _turned(task: "Task", turn: _Round, session: Session) -> int:
    return task(session, turn)


def _due(session: Session, turn: _Round) -> int:
    """Queue scheduled messages, and segments that paused, whose time has come."""
    rows = session.execute(
        select(_OUTBOX.c.message_id, _OUTBOX.c.segment_index)
        .where(text("state = 3"), _OUTBOX.c.due_at <= turn.now)
        .order_by(_OUTBOX.c.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return 0
    found = lock_messages(session, (row.message_id for row in rows))
    session.execute(
        update(_OUTBOX)
        .where(_OUTBOX.c.message_id.in_(found), text("state = 3"), _OUTBOX.c.due_at <= turn.now)
        .values(state=QUEUED, due_at=None)
    )
    starting = [Change(row, State.QUEUED) for row in found.values() if row.state == State.SCHEDULED]
    apply(session, turn.snapshot, starting, now=turn.now)
    return len(rows)


def _expired(session: Session, turn: _Round) -> int:
    """End messages whose validity passed before they left, and give their money back (trap V5)."""
    ids = set(
        session.scalars(
            select(_OUTBOX.c.message_id)
            .where(text("state = 0"), _OUTBOX.c.expires_at <= turn.now)
            .order_by(_OUTBOX.c.expires_at)
            .limit(BATCH)
        )
    )
    return len(withdraw(session, turn.snapshot, ids, State.EXPIRED, "Its validity passed before it could be sent.", now=turn.now))


def _doubts(session: Session, turn: _Round) -> int:
    """Decide segments in doubt: one resend where the route allows it, else the end of their deadline."""
    over = _OUTBOX.c.deadline_at <= turn.now
    ended = set(session.scalars(_doubtful().where(over, _MESSAGES.c.state == State.IN_DOUBT.value).limit(BATCH)))
    allowed = [route.id for route in turn.snapshot.outbound if route.resend_in_doubt]
    resent = (*_may_be_resent(turn), _MESSAGES.c.route_id.in_(allowed))
    again = set(session.scalars(_doubtful().where(*resent).limit(BATCH))) if allowed else set()
    return _resend(session, turn, again) + _end_doubts(session, turn, ended)


def _doubtful() -> Any:
    """Return the statement for the messages with segments in doubt, those whose deadline is nearest first."""
    queue = _OUTBOX.join(_MESSAGES, _MESSAGES.c.id == _OUTBOX.c.message_id)
    return select(_OUTBOX.c.message_id).select_from(queue).where(text("outbox.state = 2")).order_by(_OUTBOX.c.deadline_at)


def _may_be_resent(turn: _Round) -> tuple[Any, ...]:
    """Return what must hold of a row in doubt that is sent once more: never tried again, in doubt for a while, not for too long."""
    lifetime = timedelta(seconds=int(turn.snapshot.options.get("doubt_deadline_s", outcomes.DOUBT_DEADLINE_S)))
    deadline = _OUTBOX.c.deadline_at
    return (_OUTBOX.c.attempt_count == 0, deadline > turn.now, deadline <= turn.now + lifetime - RESEND_AFTER)


def _resend(session: Session, turn: _Round, message_ids: set[int]) -> int:
    """Queue the segments in doubt of messages once more; return of how many messages.

    Their attempt count says that it has been done. The charge stays one, and the attempt's id stays, for its late answer.
    """
    going = lock_messages(session, message_ids).keys() - refused_messages(session, message_ids)
    if not going:
        return 0
    doubtful = (_OUTBOX.c.message_id.in_(going), text("state = 2"))
    session.execute(update(_OUTBOX).where(*doubtful, *_may_be_resent(turn)).values(state=QUEUED, attempt_count=1, deadline_at=None))
    queued: dict[int, int] = {
        row.message_id: row.segment_count
        for row in session.execute(
            select(_OUTBOX.c.message_id, func.count().label("segment_count"))
            .where(_OUTBOX.c.message_id.in_(going), _OUTBOX.c.state.in_((QUEUED, WAITING)))
            .group_by(_OUTBOX.c.message_id)
        )
    }
    changes = [
        Change(
            message,
            State.QUEUED if queued[message.id] == message.segment_count else State.SENDING,
            data={"reason": "Sent once more: the route allows it."},
        )
        for message in lock_messages(session, going).values()
        if message.state == State.IN_DOUBT and message.id in queued
    ]
    apply(session, turn.snapshot, changes, now=turn.now)
    return len(going)


def _end_doubts(session: Session, turn: _Round, message_ids: set[int]) -> int:
    """End messages whose doubts are over. What the network took for certain is paid; the terms decide about the rest."""
    if not message_ids:
        return 0
    going = {row.id: row for row in lock_messages(session, message_ids).values() if row.state == State.IN_DOUBT}
    taken = taken_counts(session, going)
    doubts = _doubt_counts(session, going)
    # Whether the supplier took them is not known: they stay as dear as they were planned to be.
    planned_uc = {message_id: going[message_id].buy_per_segment_uc for message_id in doubts}
    close_rows(session, planned_uc, State.EXPIRED, now=turn.now, states=(IN_DOUBT,))
    bought = costs.bought_totals(session, doubts)
    changes = [
        _doubt_over(going[message_id], taken.get(message_id, 0), count, bought[message_id], priced=turn.snapshot.supply.priced)
        for message_id, count in sorted(doubts.items())
    ]
    apply(session, turn.snapshot, changes, now=turn.now)
    return len(changes)


def _doubt_counts(session: Session, message_ids: Iterable[int]) -> dict[int, int]:
    statement = (
        select(_OUTBOX.c.message_id, func.count().label("segment_count"))
        .where(_OUTBOX.c.message_id.in_(message_ids), text("state = 2"))
        .group_by(_OUTBOX.c.message_id)
    )
    return {row.message_id: row.segment_count for row in session.execute(statement)}


def _doubt_over(message: MessageRow, taken_count: int, doubt_count: int, buy_uc: int | None, *, priced: bool) -> Change:
    released = Terms.of_code(message.terms).in_doubt is Remedy.REFUND
    reason = "No answer and no report came: whether the handset got it is not known."
    planned_uc = message.buy_per_segment_uc
    told = costs.bought(doubt_count, 0 if planned_uc is None else doubt_count, doubt_count * (planned_uc or 0)) if priced else {}
    return Change(
        message,
        State.EXPIRED,
        data={"reason": reason} | told,
        end=part_end(message, taken_count, End.DOUBT_OVER) if released else End.DOUBT_OVER,
        accepted_count=taken_count if released else taken_count + doubt_count,
        error_code="in_doubt",
        error_reason=reason,
        buy_uc=buy_uc,
    )


def _reports_missing(session: Session, turn: _Round) -> int:
    """Flag sent messages whose report is overdue; the route says what becomes of the money."""
    ids = list(
        session.scalars(
            select(_MESSAGES.c.id)
            .where(_MESSAGES.c.report_due_at.is_not(None), _MESSAGES.c.report_due_at <= turn.now)
            .order_by(_MESSAGES.c.report_due_at)
            .limit(BATCH)
        )
    )
    found = lock_messages(session, ids)
    changes = [
        Change(message, None, kind="report_missing", end=End.REPORT_MISSING, accepted_count=message.segment_count, report_missing=True)
        for message in found.values()
        if message.state == State.SENT and message.report_due_at is not None and message.report_due_at <= turn.now
    ]
    apply(session, turn.snapshot, changes, now=turn.now)
    return len(changes)


def _parked(session: Session, turn: _Round) -> int:
    """Match reports that came before their answer was stored by another process, and drop those that waited too long."""
    session.execute(delete(_PARKED).where(_PARKED.c.received_at <= turn.now - PARKED_LIFETIME))
    return reports.sweep_parked(session, turn.snapshot, now=turn.now) + _settle_doubts_by_report(session, turn)


def _settle_doubts_by_report(session: Session, turn: _Round) -> int:
    """Take a parked report for the answer to a segment in doubt, if only one to that number is (trap S3)."""
    rows = session.execute(
        select(_PARKED.c.network_id, _OUTBOX.c.attempt_id, _OUTBOX.c.message_id, _OUTBOX.c.segment_index, _OUTBOX.c.connection_id)
        .join(_MESSAGES, _MESSAGES.c.destination == _PARKED.c.destination)
        .join(_OUTBOX, (_OUTBOX.c.message_id == _MESSAGES.c.id) & text("outbox.state = 2"))
        .join(ServiceConnection, (ServiceConnection.id == _OUTBOX.c.connection_id) & (ServiceConnection.provider == _PARKED.c.provider))
        # An older report is about another message to that number, and one without an id proves nothing.
        .where(_PARKED.c.received_at >= _MESSAGES.c.created_at, _PARKED.c.network_id != "")
        .where(_PARKED.c.destination != "", _MESSAGES.c.id >= _oldest_doubt())
        .order_by(_PARKED.c.id)
        .limit(BATCH)
    ).all()
    doubts: dict[tuple[int, int], set[str]] = {}
    claims: dict[str, set[tuple[int, int]]] = {}
    for row in rows:
        doubts.setdefault((row.message_id, row.segment_index), set()).add(row.network_id)
        claims.setdefault(row.network_id, set()).add((row.message_id, row.segment_index))
    certain: dict[int, AttemptOutcome] = {}
    for row in rows:
        if len(claims[row.network_id]) == 1 and row.attempt_id not in certain:
            certain[row.attempt_id] = AttemptOutcome(
                row.attempt_id, row.message_id, row.segment_index, row.connection_id, Accepted(row.network_id)
            )
    outcomes.record_outcomes(session, turn.snapshot, list(certain.values()), now=turn.now)
    return len(certain)


def _oldest_doubt() -> Any:
    return select(func.min(_OUTBOX.c.message_id)).where(text("state = 2")).scalar_subquery()


def _incomplete(session: Session, turn: _Round) -> int:
    return inbound.deliver_incomplete(session, turn.snapshot, ids=turn.ids, now=turn.now)


def _held(session: Session, turn: _Round) -> int:
    """Deliver incoming messages that waited for credit, where there is some now."""
    return holding.release(session, turn.snapshot, now=turn.now)


def _old_keys(session: Session, turn: _Round) -> int:
    """Forget idempotency keys after their 7 days."""
    result = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= turn.now - timedelta(seconds=KEY_LIFETIME_S)))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


_CARRIED = tuple(_MESSAGES.c[name] for name in ("id", "route_id", "user_id", "source", "destination", "segment_count", "price_uc"))


_STUCK = (
    select(_OUTBOX.c.segment_index, *_CARRIED)
    .join(_MESSAGES, _MESSAGES.c.id == _OUTBOX.c.message_id)
    .where(
        _OUTBOX.c.provider == bindparam("provider"),
        text("outbox.state = 0"),
        _OUTBOX.c.user_id == bindparam("user"),
        among(_MESSAGES.c.route_id, "routes"),
    )
    .order_by(text("outbox.priority DESC"), _OUTBOX.c.message_id, _OUTBOX.c.segment_index)
    .limit(bindparam("share"))
)


def _failover(session: Session, turn: _Round) -> int:
    """Hand queues of providers that are stopped or have been down for a while to the next provider of the route."""
    stranded = _stranded(session, turn)
    moved = 0
    for provider in sorted(stranded):
        for row in _stuck(session, turn, provider, stranded):
            route = turn.snapshot.route_by_id(row.route_id)
            names = onward(turn.snapshot, route, row, holder=provider, now=turn.now) if route else ()
            target = choose_provider(turn.snapshot, [name for name in names if name not in stranded]) if provider in names else None
            if target is not None and target != provider:
                session.execute(
                    update(_OUTBOX)
                    .where(_OUTBOX.c.message_id == row.id, _OUTBOX.c.segment_index == row.segment_index, text("state = 0"))
                    .values(provider=target)
                )
                moved += 1
    return moved


def _stuck(session: Session, turn: _Round, provider: str, stranded: set[str]) -> list[AnyRow]:
    """Return segments that wait for a provider in vain and have another way out, an equal share of each user's.

    A queue without any way out is not read at all, or the sweeper would read it again every second for as long as it is stuck.
    """
    routes = _ways_out(turn.snapshot, provider, stranded)
    if not routes:
        return []
    users = sorted(turn.snapshot.users_by_id)
    # Where more users wait than one round takes, each round begins with others.
    after_user = users[int(turn.now.timestamp()) * BATCH % len(users)] if users else 0
    waiting = users_in_turn(session, provider, BATCH, after_user)
    rows: list[AnyRow] = []
    for user in waiting:
        values = {"provider": provider, "user": user, "routes": routes, "share": -(-BATCH // len(waiting))}
        rows += session.execute(_STUCK, values)
    return rows


def _ways_out(snapshot: Snapshot, provider: str, stranded: set[str]) -> list[int]:
    """Return the ids of the routes that lead to a provider, and to another that is not stranded."""
    return [
        route_id
        for route_id, route in snapshot.routes.items()
        if (provider in route.targets or ANY in route.targets)
        and any(target not in stranded for target in route.targets if target != provider)
    ]


def _stranded(session: Session, turn: _Round) -> set[str]:
    """Return providers of which no connection is started, or none has been up for a while."""
    since = turn.now - FAILOVER_AFTER
    usable = set(
        session.scalars(
            select(ServiceConnection.provider)
            .join(ConnectionStatus, ConnectionStatus.connection_id == ServiceConnection.id)
            .where(
                ServiceConnection.desired == "started",
                (ConnectionStatus.state == "up") | ConnectionStatus.since.is_(None) | (ConnectionStatus.since > since),
            )
        )
    )
    return {provider for provider in turn.snapshot.providers if provider not in usable and provider != ANY}


Task = Callable[[Session, _Round], int]

TASKS: tuple[Task, ...] = (
    _due,
    _expired,
    _doubts,
    _reports_missing,
    _parked,
    _incomplete,
    _held,
    _failover,
    _old_keys,
)
