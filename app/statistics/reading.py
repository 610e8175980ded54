"""Reading: sums over stretches of time, by route and by provider."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.models import QuarterSums, table
from app.statistics.figures import COLUMNS, EVERYBODY, Totals, quarter_of, start_of

_SUMS = table(QuarterSums)
_NUMBERS = [func.sum(_SUMS.c[name]) for name in COLUMNS]


def over_time(session: Session, boundaries: Sequence[datetime], *, user_id: int = EVERYBODY) -> list[Totals]:
    """Return the sums from each boundary up to the next, so one fewer than there are boundaries.

    Shape: boundaries rise, and each begins a quarter of an hour. Stretches of one length cost one statement together.
    """
    starts = [quarter_of(boundary) for boundary in boundaries]
    found = [Totals() for _ in starts[1:]]
    for first, count in _runs(starts):
        start, size = starts[first], starts[first + 1] - starts[first]
        number = ((_SUMS.c.quarter - start) // size).label("number")
        for row in _rows(session, [number, _SUMS.c.direction], user_id, start, start + size * count):
            found[first + int(row[0])].add(row[1], row[2:])
    return found


def _runs(starts: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs of stretches of one length, as their first index and how many they are."""
    runs: list[tuple[int, int]] = []
    sizes = [end - start for start, end in pairwise(starts)]
    for index, size in enumerate(sizes):
        if runs and sizes[runs[-1][0]] == size:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs


def total(session: Session, since: datetime, until: datetime, *, user_id: int = EVERYBODY) -> Totals:
    """Return the sums from `since` until before `until`; both begin a quarter of an hour."""
    return over_time(session, (since, until), user_id=user_id)[0]


def by_route(session: Session, since: datetime, until: datetime, *, user_id: int) -> dict[int, Totals]:
    """Return a user's sums by route; 0 is what had none."""
    return _by(session, _SUMS.c.route_id, since, until, user_id)


def by_provider(session: Session, since: datetime, until: datetime, *, user_id: int) -> dict[str, Totals]:
    """Return a user's sums by the provider that took the messages."""
    return _by(session, _SUMS.c.provider, since, until, user_id)


def _by(session: Session, column: ColumnElement[Any], since: datetime, until: datetime, user_id: int) -> dict[Any, Totals]:
    found: dict[Any, Totals] = {}
    for row in _rows(session, [column, _SUMS.c.direction], user_id, quarter_of(since), quarter_of(until)):
        found.setdefault(row[0], Totals()).add(row[1], row[2:])
    return found


def _rows(session: Session, groups: list[ColumnElement[Any]], user_id: int, start: int, end: int) -> Sequence[Any]:
    where = (_SUMS.c.user_id == user_id, _SUMS.c.quarter >= start, _SUMS.c.quarter < end)
    return session.execute(select(*groups, *_NUMBERS).where(*where).group_by(*groups)).all()


def first_used_at(session: Session, since: datetime, *, user_id: int) -> datetime | None:
    """Return the first quarter of an hour, from `since` on, in which credit of a user was settled; None where there is none."""
    where = (_SUMS.c.user_id == user_id, _SUMS.c.quarter >= quarter_of(since), _SUMS.c.settled_uc > 0)
    quarter = session.execute(select(func.min(_SUMS.c.quarter)).where(*where)).scalar()
    return None if quarter is None else start_of(quarter)
