"""Counting: follow the journal and add what happened to the sums, each event once.

The database does the summing: a stretch of the journal becomes a handful of rows, whatever its length. They are added in the
transaction that moves the cursor, and only if the cursor still stands where the stretch began.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session, aliased

from app import journal
from app.bulk import add_rows
from app.db import Database
from app.journal import Span
from app.lifecycle import State
from app.models import JournalCursor, JournalEvent, QuarterSums, table
from app.statistics.figures import COLUMNS, EVERYBODY, KEYS, QUARTER_S

CONSUMER = "statistics"
BATCH = 20_000
"""Most events that are counted in one transaction."""

Progress = Callable[[int, int], None]
"""Called with how many events were counted, and how many the journal had at the beginning."""

Key = tuple[int, int, str, int, str]
Counted = dict[Key, list[int]]

_SUMS = table(QuarterSums)
_HAPPENED = (State.SENT, State.DELIVERED, State.UNDELIVERABLE, State.REJECTED, State.EXPIRED, State.CANCELLED, State.IN_DOUBT)
_FAILED = (State.UNDELIVERABLE, State.REJECTED, State.EXPIRED, State.CANCELLED)
_AMOUNTS = {"charged_uc": "reserved", "settled_uc": "settled", "released_uc": "released", "refunded_uc": "refunded"}
_PLACES = {state.value: COLUMNS.index(f"{state}_count") for state in _HAPPENED}
_FIRST_AMOUNT, _FIRST_STANDING = COLUMNS.index("charged_uc"), COLUMNS.index("standing_sent_count")


# The statement.


def _words(states: tuple[State, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


def _amount_on_sqlite(name: str) -> str:
    """Return SQL that reads an amount of an event's data exactly: whole numbers only, as a binary fraction would not be exact."""
    text_ = f"(e.data ->> '$.{name}')"
    digits = f"ltrim({text_}, '-')"
    point = f"instr({digits}, '.')"
    decimals = f"CASE {point} WHEN 0 THEN 0 ELSE CAST(substr({digits} || '000000', {point} + 1, 6) AS INTEGER) END"
    sign = f"CASE WHEN {text_} LIKE '-%' THEN -1 ELSE 1 END"
    amount = f"COALESCE({sign} * (CAST({digits} AS INTEGER) * 1000000 + {decimals}), 0)"
    # Looking for the word first spares most events from being taken apart.
    return f"CASE WHEN instr(e.data, '\"{name}\"') > 0 THEN {amount} ELSE 0 END"


def _amount_on_postgresql(name: str) -> str:
    return f"COALESCE(CAST(CAST(e.data ->> '{name}' AS numeric) * 1000000 AS bigint), 0)"


AMOUNT = {"sqlite": _amount_on_sqlite, "postgresql": _amount_on_postgresql}
_QUARTER = {
    "sqlite": f"{{0}} / {QUARTER_S * 1_000_000}",
    "postgresql": f"CAST(floor(extract(epoch FROM {{0}}) / {QUARTER_S}) AS integer)",
}
# Held to the primary key: after a busy hour PostgreSQL's planner may believe that reading all messages were cheaper.
JOINED = {
    "sqlite": "events e JOIN messages m ON m.id = e.message_id",
    "postgresql": "events e CROSS JOIN LATERAL (SELECT * FROM messages WHERE id = e.message_id LIMIT 1) m",
}
BEHIND = {
    "sqlite": "e.id > :after_id",
    "postgresql": "(e.xid, e.id) > (CAST(CAST(:after_xid AS text) AS xid8), :after_id)",
}
UP_TO = {
    "sqlite": "e.id <= :last_id",
    "postgresql": "(e.xid, e.id) <= (CAST(CAST(:last_xid AS text) AS xid8), :last_id)",
}


def _facts(dialect: str, where: str) -> str:
    """Return SQL for a row of each event that counts, with what is known of its message.

    The provider is who took the first segment. Before anybody has, it is whom the message was accepted for.
    """
    amounts = ", ".join(f"CASE WHEN m.charged THEN {AMOUNT[dialect](word)} ELSE 0 END AS {name}" for name, word in _AMOUNTS.items())
    taken_by = "(SELECT s.provider FROM segments s WHERE s.message_id = m.id AND s.segment_index = 0)"
    sent_before = "(SELECT COUNT(*) FROM events b WHERE b.message_id = e.message_id AND b.version < e.version AND b.kind = 'sent')"
    return (
        f"SELECT {_QUARTER[dialect].format('e.at')} AS quarter, {_QUARTER[dialect].format('m.created_at')} AS origin,"  # noqa: S608  # our own text
        f" m.user_id, m.direction, COALESCE(m.route_id, 0) AS route_id, m.provider AS first_provider,"
        f" CASE WHEN e.version = 1 OR e.kind = '{State.IN_DOUBT}' THEN m.provider ELSE COALESCE({taken_by}, m.provider) END AS provider,"
        f" e.kind, e.version, m.segment_count, {amounts},"
        f" CASE WHEN e.version > 1 AND e.kind IN ({_words(_FAILED)}) THEN {sent_before} ELSE 0 END AS was_sent"
        f" FROM {JOINED[dialect]} WHERE {where} AND e.kind <> '{State.SENDING}'"
    )


_GROUPS = "user_id, direction, route_id, quarter, provider, origin, first_provider, kind, CASE version WHEN 1 THEN 1 ELSE 0 END"
# What comes in is charged and settled at once; its event names what was settled.
_MEASURES = (
    "COUNT(*), SUM(segment_count), SUM(was_sent),"
    " SUM(charged_uc + CASE WHEN direction = 'inbound' AND settled_uc > 0 THEN settled_uc ELSE 0 END),"
    " SUM(settled_uc), SUM(released_uc), SUM(refunded_uc)"
)


def _statement(dialect: str, where: str) -> str:
    return f"SELECT {_GROUPS}, {_MEASURES} FROM ({_facts(dialect, where)}) facts GROUP BY {_GROUPS}"  # noqa: S608  # our own text


_OF_SPAN = {dialect: text(_statement(dialect, f"{BEHIND[dialect]} AND {UP_TO[dialect]}")) for dialect in JOINED}
_OF_REST = {dialect: text(_statement(dialect, BEHIND[dialect])) for dialect in JOINED}


def sums_of(session: Session, span: Span) -> Counted:
    """Return what the events of a span add to which sums."""
    values = {"after_id": span.after[1], "last_id": span.last[1]}
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        values |= {"after_xid": span.after[0], "last_xid": span.last[0]}
    return _folded(session, _OF_SPAN[dialect], values)


def sums_of_rest(session: Session) -> Counted:
    """Return what everything that is not counted yet would add, also what running transactions hold back."""
    cursor = session.get(JournalCursor, CONSUMER)
    values = {"after_id": cursor.position if cursor else 0}
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        values["after_xid"] = cursor.xid if cursor else 0
    return _folded(session, _OF_REST[dialect], values)


def _folded(session: Session, statement: object, values: dict[str, int]) -> Counted:
    counted: Counted = {}
    for row in session.execute(statement, values):  # type: ignore[call-overload]  # one of the texts above
        user_id, direction, route_id, quarter, provider, origin, first_provider, kind, accepted = row[:9]
        numbers = [int(number) for number in row[9:]]
        happened = _happened(kind, numbers, accepted=bool(accepted))
        _add(counted, (user_id, quarter, direction, route_id, provider), happened)
        _add(counted, (EVERYBODY, quarter, direction, 0, ""), happened)
        if direction == "outbound" and not accepted:
            standing = _standing(kind, numbers)
            _add(counted, (user_id, origin, direction, route_id, first_provider), standing)
            _add(counted, (EVERYBODY, origin, direction, 0, ""), standing)
    return counted


def _happened(kind: str, numbers: list[int], *, accepted: bool) -> list[int]:
    """Return what events of one kind add to the columns of the quarter in which they happened. Shape: `numbers` as in `_MEASURES`."""
    event_count, segment_count, _, *amounts = numbers
    columns = [0] * len(COLUMNS)
    if accepted:
        columns[0:2] = event_count, segment_count
    if kind in _PLACES:
        columns[_PLACES[kind] : _PLACES[kind] + 2] = event_count, segment_count
    columns[_FIRST_AMOUNT:_FIRST_STANDING] = amounts
    return columns


def _standing(kind: str, numbers: list[int]) -> list[int]:
    """Return what events of one kind add to where the messages stand that were accepted in a quarter."""
    event_count, _, was_sent_count = numbers[:3]
    moved = (0, 0, 0)
    if kind == State.SENT:
        moved = (event_count, 0, 0)
    elif kind == State.DELIVERED:
        moved = (-event_count, event_count, 0)
    elif kind in _FAILED:
        moved = (-was_sent_count, 0, event_count)
    return [*([0] * _FIRST_STANDING), *moved]


def _add(counted: Counted, key: Key, numbers: list[int]) -> None:
    if any(numbers):
        present = counted.get(key)
        counted[key] = numbers if present is None else [one + other for one, other in zip(present, numbers, strict=True)]


# Following.


def count_next(database: Database, *, now: datetime, limit: int = BATCH) -> int:
    """Count the next events of the journal and return how many they were; 0 where there is none, or another process was quicker."""
    with database.read() as session:
        span = journal.next_span(session, CONSUMER, limit)
        counted = sums_of(session, span) if span.event_count else {}
    if not span.event_count:
        return 0
    return span.event_count if database.run(lambda session: _write(session, span, counted, now)) else 0


def _write(session: Session, span: Span, counted: Counted, now: datetime) -> bool:
    """Move the cursor, then add the sums: both or neither."""
    if span.after == (0, 0):
        journal.open_cursor(session, CONSUMER, now=now, from_start=True)
    if not journal.pass_span(session, CONSUMER, span, now=now):
        return False
    add_rows(session, _SUMS, KEYS, COLUMNS, [(*key, *numbers) for key, numbers in sorted(counted.items())])
    return True


def catch_up(database: Database, *, now: datetime, progress: Progress | None = None, total: int = 0) -> int:
    """Count until nothing is left to count, and return how many events that was."""
    done = 0
    while count := count_next(database, now=now):
        done += count
        if progress is not None:
            progress(done, max(total, done))
    return done


def rebuild(database: Database, *, now: datetime, progress: Progress | None = None) -> int:
    """Forget all sums and count the whole journal again; return how many events there were.

    Where this is broken off, the engine goes on with it; pages say meanwhile how far the sums reach.
    """

    def reset(session: Session) -> int:
        journal.begin_again(session, CONSUMER, now=now)
        session.execute(delete(_SUMS))
        return int(session.execute(text("SELECT COUNT(*) FROM events")).scalar_one())

    return catch_up(database, now=now, progress=progress, total=database.run(reset))


def uncounted_since(session: Session) -> datetime | None:
    """Return when the oldest event happened that is not counted yet, None where all are."""
    cursor = session.get(JournalCursor, CONSUMER)
    event = aliased(JournalEvent, name="e")
    dialect = session.get_bind().dialect.name
    values = {"after_id": cursor.position if cursor else 0}
    if dialect == "postgresql":
        values["after_xid"] = cursor.xid if cursor else 0
    order = text("e.xid, e.id") if dialect == "postgresql" else event.id
    return session.execute(select(event.at).where(text(BEHIND[dialect])).order_by(order).limit(1), values).scalar()
