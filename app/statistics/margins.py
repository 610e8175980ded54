"""Costs and margin: sums by day, user, route, provider and country, made from the journal beside the pipe.

The journal says of each answer what its segments cost us and of each end what was settled or refunded; the database adds that up
for a stretch of the journal at a time. Nobody counts messages to show a report, however many there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from app import journal
from app.bulk import add_rows
from app.db import Database
from app.journal import Span
from app.models import JournalEvent, MarginSums, table
from app.numbering import LONGEST_CALLING_CODE, calling_code
from app.statistics.counting import AMOUNT, BEHIND, JOINED, UP_TO

CONSUMER = "margins"
BATCH = 20_000
"""Most events that are counted in one transaction."""

EPOCH = date(1970, 1, 1)
COLUMNS = ("segment_count", "priced_count", "sold_uc", "bought_uc")
"""What is added up."""

_SUMS = table(MarginSums)
_KEYS = ("day", "user_id", "route_id", "provider", "country_code")
_DAY = {"sqlite": "e.at / 86400000000", "postgresql": "CAST(floor(extract(epoch FROM e.at) / 86400) AS integer)"}
# Kinds of events that tell nothing of money moved or segments taken; they are half of the journal.
_SILENT = "'queued', 'sending', 'scheduled', 'held'"
_COUNT = {"sqlite": "CAST(e.data ->> '$.{}' AS INTEGER)", "postgresql": "CAST(e.data ->> '{}' AS integer)"}


def _statement(dialect: str) -> str:
    """Return SQL that adds up a span. An answer that says nothing of prices was given before any price was known."""
    taken = f"COALESCE({_COUNT[dialect].format('taken')}, CASE e.kind WHEN 'sent' THEN m.segment_count ELSE 0 END)"
    provider = "COALESCE((SELECT s.provider FROM segments s WHERE s.message_id = m.id AND s.segment_index = 0), m.provider)"
    sold = f"{AMOUNT[dialect]('settled')} - {AMOUNT[dialect]('refunded')}"
    facts = (
        f"SELECT {_DAY[dialect]} AS day, m.user_id, COALESCE(m.route_id, 0) AS route_id, {provider} AS provider,"  # noqa: S608  # our own text
        f" substr(m.destination, 1, {LONGEST_CALLING_CODE + 1}) AS beginning, {taken} AS taken,"
        f" COALESCE({_COUNT[dialect].format('priced')}, 0) AS priced, {sold} AS sold, {AMOUNT[dialect]('bought')} AS bought"
        f" FROM {JOINED[dialect]} WHERE {BEHIND[dialect]} AND {UP_TO[dialect]} AND m.direction = 'outbound' AND e.kind NOT IN ({_SILENT})"
    )
    groups = "day, user_id, route_id, provider, beginning"
    return f"SELECT {groups}, SUM(taken), SUM(priced), SUM(sold), SUM(bought) FROM ({facts}) facts GROUP BY {groups}"  # noqa: S608  # as above


_STATEMENTS = {dialect: text(_statement(dialect)) for dialect in _DAY}

Key = tuple[int, int, int, str, str]


def sums_of(session: Session, span: Span) -> dict[Key, list[int]]:
    """Return what the events of a span add to which sums."""
    dialect = session.get_bind().dialect.name
    values = {"after_id": span.after[1], "last_id": span.last[1]}
    if dialect == "postgresql":
        values |= {"after_xid": span.after[0], "last_xid": span.last[0]}
    found: dict[Key, list[int]] = {}
    for day, user_id, route_id, provider, beginning, *numbers in session.execute(_STATEMENTS[dialect], values):
        if any(numbers):
            sums = found.setdefault((day, user_id, route_id, provider, calling_code(beginning)), [0] * len(COLUMNS))
            sums[:] = [one + int(other) for one, other in zip(sums, numbers, strict=True)]
    return found


def count_next(database: Database, *, now: datetime, limit: int = BATCH) -> int:
    """Count the next events of the journal and return how many they were; 0 where there is none, or another process was quicker."""
    with database.read() as session:
        span = journal.next_span(session, CONSUMER, limit)
        counted = sums_of(session, span) if span.event_count else {}
    if not span.event_count:
        return 0
    return span.event_count if database.run(lambda session: _write(session, span, counted, now)) else 0


def _write(session: Session, span: Span, counted: dict[Key, list[int]], now: datetime) -> bool:
    """Move the cursor, then add the sums: both or neither."""
    if span.after == (0, 0):
        journal.open_cursor(session, CONSUMER, now=now, from_start=True)
    if not journal.pass_span(session, CONSUMER, span, now=now):
        return False
    add_rows(session, _SUMS, _KEYS, COLUMNS, [(*key, *numbers) for key, numbers in sorted(counted.items())])
    return True


def rebuild(database: Database, *, now: datetime) -> int:
    """Forget all sums and add up the whole journal again; return how many events there were. An engine may count meanwhile."""

    def reset(session: Session) -> None:
        journal.begin_again(session, CONSUMER, now=now)
        session.execute(delete(_SUMS))

    database.run(reset)
    done = 0
    while count := count_next(database, now=now):
        done += count
    return done


# Reading.


@dataclass(frozen=True, slots=True)
class Line:
    """What one day, user, route, provider or country brought and cost. Units: microcredits. `key` is what the line is about."""

    key: Any
    segment_count: int = 0
    priced_count: int = 0
    sold_uc: int = 0
    bought_uc: int = 0

    @property
    def margin_uc(self) -> int:
        return self.sold_uc - self.bought_uc

    @property
    def unknown_permille(self) -> int:
        """Share of the segments whose price nobody knows, rounded up, so that one of many is not nothing."""
        unknown = self.segment_count - self.priced_count
        return -(-1000 * unknown // self.segment_count) if self.segment_count else 0


GROUPS: dict[str, Callable[[Any], Any]] = {
    "day": lambda day: EPOCH + timedelta(days=day),
    "user": int,
    "route": int,
    "provider": str,
    "country": str,
}
"""What a report may be broken down by, with what makes the key of a line of the stored value."""

_GROUP_COLUMNS = {"day": "day", "user": "user_id", "route": "route_id", "provider": "provider", "country": "country_code"}


def lines(session: Session, group: str, *, since: date, until: date, user_id: int | None = None) -> list[Line]:
    """Return the sums from `since` until before `until` by a word of `GROUPS`; of days also those on which nothing happened."""
    column = _SUMS.c[_GROUP_COLUMNS[group]]
    statement = (
        select(column, *(func.sum(_SUMS.c[name]) for name in COLUMNS))
        .where(_SUMS.c.day >= day_number(since), _SUMS.c.day < day_number(until))
        .group_by(column)
    )
    if user_id is not None:
        statement = statement.where(_SUMS.c.user_id == user_id)
    found = [Line(GROUPS[group](key), *(int(number) for number in numbers)) for key, *numbers in session.execute(statement)]
    if group != "day":
        return sorted(found, key=lambda line: (-line.segment_count, -line.sold_uc, str(line.key)))
    by_day = {line.key: line for line in found}
    return [by_day.get(day, Line(day)) for day in _days(since, until)]


def _days(since: date, until: date) -> Sequence[date]:
    return [since + timedelta(days=number) for number in range((until - since).days)]


def day_number(day: date) -> int:
    """Return a day as it is stored."""
    return (day - EPOCH).days


def together(found: Sequence[Line]) -> Line:
    """Return the sum of lines."""
    return Line("", *(sum(getattr(line, name) for line in found) for name in COLUMNS))


def uncounted_since(session: Session) -> datetime | None:
    """Return when the oldest event happened that is not counted yet; None where all are."""
    span = journal.next_span(session, CONSUMER, 1)
    if not span.event_count:
        return None
    return session.execute(select(JournalEvent.at).where(JournalEvent.id == span.last[1])).scalar()
