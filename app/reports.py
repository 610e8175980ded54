"""Delivery reports: matched to segments by provider and network id, in any order, any number of times.

A report that matches nothing is parked and tried again when its segment's answer is stored (trap D8), and by the sweeper.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.arrays import among
from app.bulk import insert_rows, update_rows
from app.db import AnyRow, storable
from app.lifecycle import FINAL, STATE_OF_REPORT, End, State, joint_state
from app.models import OutboxRow, ParkedReport, Segment, table
from app.progress import Change, MessageRow, apply, lock_messages
from app.snapshot import ConnectionView, Snapshot
from pennywire import Report, ReportState

_SEGMENTS = table(Segment)
_PARKED = table(ParkedReport)
KEEP_RAW_CHARACTERS = 2_000

_END_OF: dict[State, End] = {
    State.DELIVERED: End.HANDSET,
    State.UNDELIVERABLE: End.UNDELIVERABLE,
    State.REJECTED: End.UNDELIVERABLE,
    State.EXPIRED: End.EXPIRED,
}


_Moved = dict[tuple[int, int], tuple[State, str, datetime]]
"""New state, error code and time of segments."""


@dataclass(frozen=True, slots=True)
class _News:
    """A report with the provider it came from."""

    provider: str
    connection_id: int
    report: Report


def apply_reports(session: Session, snapshot: Snapshot, reports: Sequence[tuple[ConnectionView, Report]], *, now: datetime) -> None:
    """Move segments, messages and money on by reports; what matches nothing is parked durably."""
    unmatched = _apply(session, snapshot, [_News(view.provider, view.id, _storable(report)) for view, report in reports], now=now)
    if unmatched:
        insert_rows(session, _PARKED, [row for news in unmatched for row in _parked_rows(news, now)])


def _storable(report: Report) -> Report:
    return replace(
        report,
        network_ids=tuple(storable(form) for form in report.network_ids),
        error_code=storable(report.error_code),
        raw=storable(report.raw),
        destination=storable(report.destination),
    )


def match_parked(session: Session, snapshot: Snapshot, network_ids: Sequence[str], *, now: datetime) -> int:
    """Try parked reports again, for segments whose network ids have just become known; return how many matched."""
    if not network_ids or session.execute(select(_PARKED.c.id).limit(1)).first() is None:
        return 0
    return _match(session, snapshot, _parked_for(session, network_ids), now=now)


def sweep_parked(session: Session, snapshot: Snapshot, *, now: datetime, limit: int = 500) -> int:
    """Try parked reports again whose segment was stored meanwhile by another process; return how many matched."""
    rows = session.execute(
        select(_PARKED)
        .join(_SEGMENTS, (_SEGMENTS.c.network_id == _PARKED.c.network_id) & (_SEGMENTS.c.provider == _PARKED.c.provider))
        .order_by(_PARKED.c.id)
        .limit(limit)
    ).all()
    return _match(session, snapshot, rows, now=now)


def _parked_for(session: Session, network_ids: Sequence[str]) -> list[AnyRow]:
    statement = select(_PARKED).where(among(_PARKED.c.network_id, "ids")).order_by(_PARKED.c.id)
    return list(session.execute(statement, {"ids": network_ids}))


def _match(session: Session, snapshot: Snapshot, rows: Sequence[AnyRow], *, now: datetime) -> int:
    news = {row.report_id: _unparked(row) for row in rows}
    if not news:
        return 0
    unmatched = {id(item) for item in _apply(session, snapshot, list(news.values()), now=now)}
    matched = [report_id for report_id, item in news.items() if id(item) not in unmatched]
    session.execute(delete(_PARKED).where(among(_PARKED.c.report_id, "ids")), {"ids": matched})
    return len(matched)


def _parked_rows(news: _News, now: datetime) -> list[dict[str, Any]]:
    """Return a row for each form of the report's id, so that whichever form the answer had finds it."""
    report = news.report
    shared = {
        "report_id": uuid4().hex,
        "provider": news.provider,
        "network_ids": list(report.network_ids),
        "connection_id": news.connection_id,
        "state": report.state.value,
        "error_code": report.error_code[:32],
        "destination": report.destination[:21],
        "done_at": report.done_at,
        "raw": report.raw[:KEEP_RAW_CHARACTERS],
        "received_at": now,
    }
    return [{**shared, "network_id": form[:65]} for form in dict.fromkeys(report.network_ids)] or [{**shared, "network_id": ""}]


def _unparked(row: AnyRow) -> _News:
    report = Report(tuple(row.network_ids), ReportState(row.state), row.error_code, row.done_at, row.raw, row.destination)
    return _News(row.provider, row.connection_id, report)


def _apply(session: Session, snapshot: Snapshot, news: Sequence[_News], *, now: datetime) -> list[_News]:
    """Apply what matches and return what does not."""
    found = _find_segments(session, news)
    matches: list[tuple[_News, list[AnyRow]]] = []
    unmatched: list[_News] = []
    for item in news:
        rows = next((found[item.provider, form] for form in item.report.network_ids if (item.provider, form) in found), None)
        if rows is None:
            unmatched.append(item)
        else:
            matches.append((item, _meant(rows, item.connection_id)))
    messages = lock_messages(session, (row.message_id for _, rows in matches for row in rows))
    # Another process may have moved a segment between the look-up and the lock.
    states = _present_states(session, messages) if session.get_bind().dialect.name == "postgresql" else {}
    moved: _Moved = {}
    events: dict[int, list[dict[str, Any]]] = {}
    for item, rows in matches:
        for row in rows:
            key = (row.message_id, row.segment_index)
            present = moved[key][0] if key in moved else State(states.get(key, row.state))
            _take(item.report, row, present, moved, events, now)
    news_rows = [(state.value, code, at, *key) for key, (state, code, at) in moved.items()]
    update_rows(session, _SEGMENTS, ("message_id", "segment_index"), ("state", "error_code", "reported_at"), news_rows)
    apply(session, snapshot, _changes(session, messages, moved, events), now=now)
    return unmatched


_OF_NETWORK = select(
    _SEGMENTS.c.message_id,
    _SEGMENTS.c.segment_index,
    _SEGMENTS.c.state,
    _SEGMENTS.c.provider,
    _SEGMENTS.c.network_id,
    _SEGMENTS.c.connection_id,
).where(among(_SEGMENTS.c.network_id, "ids"))


def _find_segments(session: Session, news: Iterable[_News]) -> dict[tuple[str, str], list[AnyRow]]:
    forms = sorted({form for item in news for form in item.report.network_ids if form})
    found: dict[tuple[str, str], list[AnyRow]] = {}
    for row in session.execute(_OF_NETWORK, {"ids": forms}):
        found.setdefault((row.provider, row.network_id), []).append(row)
    return found


def _meant(rows: Sequence[AnyRow], connection_id: int) -> list[AnyRow]:
    """Choose among segments with one id: those of the connection that brought the report, and of these the newest message's.

    A report may come over another connection of the provider (trap S16), and networks use their ids again.
    """
    own = [row for row in rows if row.connection_id == connection_id] or rows
    newest = max(row.message_id for row in own)
    return [row for row in own if row.message_id == newest]


_STATES = select(_SEGMENTS.c.message_id, _SEGMENTS.c.segment_index, _SEGMENTS.c.state).where(among(_SEGMENTS.c.message_id, "ids"))


def _present_states(session: Session, messages: Iterable[int]) -> dict[tuple[int, int], str]:
    return {(row.message_id, row.segment_index): row.state for row in session.execute(_STATES, {"ids": sorted(messages)})}


def _take(
    report: Report,
    row: AnyRow,
    present: State,
    moved: _Moved,
    events: dict[int, list[dict[str, Any]]],
    now: datetime,
) -> None:
    """Move one segment by one report. A repeat is passed over; what contradicts a final state is only noted (traps D9 to D11)."""
    target = STATE_OF_REPORT[report.state]
    if target is present:
        return
    note = {"report": report.state.value, "network_id": row.network_id, "segment": row.segment_index}
    if report.error_code:
        note["error_code"] = report.error_code
    if report.raw:
        note["raw"] = report.raw[:KEEP_RAW_CHARACTERS]
    if target is not None and present is State.SENT:
        moved[row.message_id, row.segment_index] = (target, report.error_code[:32], report.done_at or now)
    elif present in FINAL:
        note["ignored"] = f"The segment is {present.value} already."
    events.setdefault(row.message_id, []).append(note)


def conclude(session: Session, snapshot: Snapshot, message_ids: Iterable[int], *, now: datetime) -> None:
    """Give sent messages the end that their segments' reports, which came before the last answer, have decided."""
    messages = lock_messages(session, message_ids)
    segments: dict[int, list[State]] = {}
    for (message_id, _), state in _present_states(session, messages).items():
        segments.setdefault(message_id, []).append(State(state))
    changes = [
        Change(messages[message_id], joint, data={"reports": "came before the last answer"}, end=_END_OF[joint], accepted_count=len(states))
        for message_id, states in segments.items()
        if (joint := joint_state(states)) in _END_OF
    ]
    apply(session, snapshot, changes, now=now)


def _changes(
    session: Session,
    messages: dict[int, MessageRow],
    moved: _Moved,
    events: dict[int, list[dict[str, Any]]],
) -> list[Change]:
    states = _message_states(session, messages, moved)
    changes = []
    for message_id, notes in events.items():
        message = messages[message_id]
        present = State(message.state)
        target = states.get(message_id)
        data = notes[0] if len(notes) == 1 else {"reports": notes}
        if target is None or target is present or present in FINAL or target not in _END_OF:
            changes.append(Change(message, None, kind="report", data=data))
            continue
        code = next((str(note["error_code"]) for note in notes if "error_code" in note), "") if target is not State.DELIVERED else ""
        reason = "" if target is State.DELIVERED else f"The network reported {target.value}."
        changes.append(
            Change(
                message,
                target,
                data=data,
                end=_END_OF[target],
                accepted_count=message.segment_count,
                error_code=code[:32],
                error_reason=reason,
            )
        )
    return changes


def _message_states(session: Session, messages: dict[int, MessageRow], moved: _Moved) -> dict[int, State]:
    """Return the joint state of each message of which a segment moved; one with segments in the queue has none yet."""
    states = {message_id: state for (message_id, _), (state, *_rest) in moved.items() if messages[message_id].segment_count == 1}
    long = sorted({message_id for message_id, _ in moved if messages[message_id].segment_count > 1})
    if not long:
        return states
    pending = set(session.scalars(select(OutboxRow.message_id).where(OutboxRow.message_id.in_(long))))
    segments: dict[int, list[State]] = {}
    for (message_id, _), state in _present_states(session, long).items():
        segments.setdefault(message_id, []).append(State(state))
    for message_id in long:
        joint = joint_state(segments[message_id])
        if message_id not in pending and joint is not State.SENT:
            states[message_id] = joint
    return states
