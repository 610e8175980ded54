"""Checking: the sums of costs and margin must be what the journal says, and that what the ledger and the segments say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.journal import Span
from app.models import JournalCursor, MarginSums, table
from app.statistics.margins import COLUMNS, CONSUMER, EPOCH, sums_of

TITLES: Mapping[str, str] = {
    "margin_journal": "Sums of costs and margin are what the journal says",
    "margin_rows": "Costs and margin are what ledger and segments say",
}

_SUMS = table(MarginSums)
_PLACE = (_SUMS.c.day, _SUMS.c.user_id, _SUMS.c.route_id, _SUMS.c.country_code)
_END = (2**63 - 1, 2**63 - 1)
"""A cursor behind every event."""

_SOLD = """
SELECT m.user_id, SUM(CASE t.kind WHEN 'settle' THEN t.amount_uc ELSE -t.amount_uc END)
FROM transfers t JOIN messages m ON m.id = t.message_id
WHERE t.kind IN ('settle', 'refund') AND t.level = 0 AND m.direction = 'outbound' GROUP BY m.user_id
"""
_BOUGHT = """
SELECT m.user_id, SUM(s.buy_uc) FROM segments s JOIN messages m ON m.id = s.message_id
WHERE s.buy_uc IS NOT NULL AND m.direction = 'outbound' GROUP BY m.user_id
"""

_Place = tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class MarginDifference:
    """A sum that is not what its rows say. `kind` is a word of `TITLES`; `column` ends in `_uc` where the values are microcredits.

    `place` says in words which day, route and country it is about; empty where it is about everything of the user.
    """

    kind: str
    user_id: int
    place: str
    column: str
    expected: int
    found: int


def check(session: Session) -> Iterator[MarginDifference]:
    """Compare the sums with what they were made of; nothing is compared where no sums were ever made.

    By day, user, route and country. Who counts as the provider depends on how many segments had been answered when an event was
    counted, so the split between providers cannot be computed again to the segment; the sum over them can.
    Shape: `session` sees one state of the database throughout.
    """
    cursor = session.get(JournalCursor, CONSUMER)
    behind = (cursor.xid, cursor.position) if cursor is not None else (0, 0)
    stored = _stored(session)
    if cursor is None and not stored:
        return
    counted = _folded(session, Span((0, 0), behind, 0))
    zero = [0] * len(COLUMNS)
    for place in sorted(stored.keys() | counted.keys()):
        wanted, present = counted.get(place, zero), stored.get(place, zero)
        for column, one, other in zip(COLUMNS, wanted, present, strict=True):
            if one != other:
                yield MarginDifference("margin_journal", place[1], _words(place), column, one, other)
    yield from _against_rows(session, stored, _folded(session, Span(behind, _END, 0)))


def _stored(session: Session) -> dict[_Place, list[int]]:
    rows = session.execute(select(*_PLACE, *(func.sum(_SUMS.c[name]) for name in COLUMNS)).group_by(*_PLACE))
    return {(day, user_id, route_id, country): [int(number) for number in numbers] for day, user_id, route_id, country, *numbers in rows}


def _folded(session: Session, span: Span) -> dict[_Place, list[int]]:
    """Return what a span adds, over all providers."""
    found: dict[_Place, list[int]] = {}
    for (day, user_id, route_id, _provider, country), numbers in sums_of(session, span).items():
        sums = found.setdefault((day, user_id, route_id, country), [0] * len(COLUMNS))
        sums[:] = [one + other for one, other in zip(sums, numbers, strict=True)]
    return found


def _against_rows(session: Session, *parts: dict[_Place, list[int]]) -> Iterator[MarginDifference]:
    """Compare what sums and uncounted events say of each user with what was settled and refunded, and what segments cost."""
    for column, statement in (("sold_uc", _SOLD), ("bought_uc", _BOUGHT)):
        index, present = COLUMNS.index(column), dict[int, int]()
        for part in parts:
            for (_day, user_id, _route, _country), numbers in part.items():
                present[user_id] = present.get(user_id, 0) + numbers[index]
        wanted = {user_id: int(amount_uc) for user_id, amount_uc in session.execute(text(statement))}
        for user_id in sorted(wanted.keys() | present.keys()):
            one, other = wanted.get(user_id, 0), present.get(user_id, 0)
            if one != other:
                yield MarginDifference("margin_rows", user_id, "", column, one, other)


def _words(place: _Place) -> str:
    day, _user, route_id, country = place
    route, where = f"route {route_id}" if route_id else "no route", f"+{country}" if country else "short codes"
    return f"{EPOCH + timedelta(days=day)}, {route}, {where}"
