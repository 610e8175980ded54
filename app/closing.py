"""Closing months: what was stated of a month that is over stays as it was stated.

In three steps, so that no customer waits for a sum over a million rows. First the account is locked for a moment and told where
its closed time ends: whoever held the lock has committed by then, and whoever takes it later dates its rows behind that
(`ledger.dated`), whatever its own clock says. Then the month is read at leisure, because nothing comes into it any more. Last the
statement is stored. A process that dies in between leaves a month that the next one finishes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Select, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from app import ledger, statements
from app.administration import InvalidField, NotThere, audit
from app.administration.options import CLOSING_GRACE, DEFAULT_CLOSING_GRACE_H, OFF
from app.db import AnyRow, Database
from app.models import Account, ClosedStatement, User, table
from app.statements import Interval, Month, Statement, Traffic

SHORTEST_MONTH = timedelta(days=26)
"""A month of 28 days, less what a move around the world may take of it."""

ACTOR = "gateway"
CANDIDATES = 200
"""Accounts that are looked at in one go."""

_CLOSED = table(ClosedStatement)
_INSERTS: dict[str, Callable[[Any], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

Counted = dict[Interval, dict[int, Traffic]]


class DoesNotAddUp(Exception):
    """Opening and movements of a month do not make its closing: it is not closed. The ledger check tells what is wrong."""


@dataclass(frozen=True, slots=True)
class Due:
    """An account with the months that are to be closed, the earliest first. `number` is that of the first of them."""

    account_id: int
    username: str
    number: int
    intervals: Sequence[Interval]


def grace(options: Mapping[str, Any]) -> timedelta | None:
    """Return how long after its end a month is closed by itself; None where administrators close months."""
    value = str(options.get(CLOSING_GRACE, DEFAULT_CLOSING_GRACE_H))
    return None if value == OFF else timedelta(hours=int(value))


def due(session: Session, *, over_by: datetime, after_id: int = 0, limit: int = 100, account_ids: Sequence[int] | None = None) -> list[Due]:
    """Return accounts, by id, of which months had ended by a moment and are not closed."""
    found: list[Due] = []
    while True:
        rows = session.execute(_candidates(over_by, after_id, account_ids)).all()
        found += _due_of(session, rows, over_by)
        if len(rows) < CANDIDATES or len(found) >= limit:
            return found[:limit]
        after_id = rows[-1][0].id


def _candidates(over_by: datetime, after_id: int, account_ids: Sequence[int] | None) -> Select[Account, str, datetime]:
    """Choose accounts that may have an open month behind them: none is closed, the last one was long ago, or was cut short."""
    last = aliased(ClosedStatement)
    chosen = (
        select(Account, User.username, User.created_at)
        .join(User, User.id == Account.user_id)
        .outerjoin(last, (last.account_id == Account.id) & (last.ends_at == Account.closed_until))
        .where(
            Account.id > after_id,
            or_(Account.closed_until.is_(None), Account.closed_until < over_by - SHORTEST_MONTH, last.id.is_(None)),
        )
        .order_by(Account.id)
        .limit(CANDIDATES)
    )
    return chosen if account_ids is None else chosen.where(Account.id.in_(account_ids))


def _due_of(session: Session, rows: Sequence[AnyRow], over_by: datetime) -> list[Due]:
    found: list[Due] = []
    latest = _latest(session, [account.id for account, _, _ in rows])
    for account, username, created_at in rows:
        zone = statements.zone_of(session, account)
        number, month, started_at = latest.get(account.id, (0, None, None))
        first = statements.month_of(created_at, zone) if month is None else month.plus(1)
        intervals = _intervals(first, started_at, zone, over_by)
        if intervals:
            found.append(Due(account.id, username, number + 1, intervals))
    return found


def _latest(session: Session, account_ids: Sequence[int]) -> dict[int, tuple[int, Month, datetime]]:
    """Return number, month and end of the last closed month of accounts."""
    last = (
        select(_CLOSED.c.account_id, func.max(_CLOSED.c.month).label("month"))
        .where(_CLOSED.c.account_id.in_(account_ids))
        .group_by(_CLOSED.c.account_id)
        .subquery()
    )
    chosen = select(_CLOSED).join(last, (_CLOSED.c.account_id == last.c.account_id) & (_CLOSED.c.month == last.c.month))
    return {row.account_id: (row.number, Month.parse(row.month), row.ends_at) for row in session.execute(chosen)}


def _intervals(first: Month, started_at: datetime | None, zone: str, over_by: datetime) -> list[Interval]:
    """Return the months from `first` on that had ended by a moment; each begins where the one before it ends."""
    found: list[Interval] = []
    natural = statements.natural_interval(first, zone)
    while natural.ends_at <= over_by:
        found.append(Interval(started_at or natural.started_at, natural.ends_at, zone, natural.month))
        started_at = natural.ends_at
        assert natural.month is not None
        natural = statements.natural_interval(natural.month.plus(1), zone)
    return found


@dataclass(frozen=True, slots=True)
class Round:
    """What one call of `close_due` found: how many accounts, the id of the last, and what does not add up."""

    count: int
    last_id: int
    problems: Sequence[str]


def close_due(
    database: Database, *, now: datetime, grace: timedelta, after_id: int = 0, limit: int = 50, counted: Counted | None = None
) -> Round:
    """Close what is due of up to `limit` accounts behind an id. What does not add up is left open, and the others are closed.

    `counted` keeps what was counted of the traffic of all users from one call to the next.
    """
    with database.read() as session:
        found = due(session, over_by=now - grace, after_id=after_id, limit=limit)
    problems: list[str] = []
    for item in found:
        try:
            close(database, item, now=now, actor=ACTOR, counted=counted)
        except DoesNotAddUp as error:
            problems.append(str(error))
    return Round(len(found), found[-1].account_id if found else 0, problems)


def close(database: Database, item: Due, *, now: datetime, actor: str, counted: Counted | None = None) -> list[int]:
    """Close the months of an account; return the numbers of the statements. Raises: DoesNotAddUp."""
    database.run(partial(_shut, account_id=item.account_id, until=item.intervals[-1].ends_at))
    numbers = []
    for number, interval in enumerate(item.intervals, item.number):
        row = _frozen(database, item, number, interval, now=now, actor=actor, counted={} if counted is None else counted)
        database.run(partial(_store, row=row, username=item.username))
        numbers.append(number)
    return numbers


def _shut(session: Session, *, account_id: int, until: datetime) -> None:
    """Let no row be dated before `until` any more; under the lock that every movement of the account takes."""
    ledger.lock_accounts(session, [account_id])
    session.execute(
        update(Account)
        .where(Account.id == account_id, or_(Account.closed_until.is_(None), Account.closed_until < until))
        .values(closed_until=until),
        execution_options={"synchronize_session": False},
    )


def _frozen(
    database: Database, item: Due, number: int, interval: Interval, *, now: datetime, actor: str, counted: Counted
) -> dict[str, Any]:
    """Return the row of a closed month, with its seal."""
    with database.read() as session:
        _take_time(session)
        account = session.get_one(Account, item.account_id)
        statement = statements.statement(session, account, interval)
        if interval not in counted:
            counted[interval] = statements.traffic(session, interval, None)
        assert account.user_id is not None
        traffic = counted[interval].get(account.user_id, Traffic())
    if not statement.adds_up:
        raise DoesNotAddUp(
            f"{interval.words} of {item.username}: the opening of {ledger.format_credits(statement.opening.balance_uc)} and movements of "
            f"{ledger.format_credits(statement.change_uc)} do not make {ledger.format_credits(statement.closing.balance_uc)}."
        )
    seal = statements.seal(database.read, item.account_id, interval)
    row = {
        "account_id": item.account_id,
        "number": number,
        "month": str(interval.month),
        "started_at": interval.started_at,
        "ends_at": interval.ends_at,
        "time_zone": interval.time_zone,
        **_figures(statement),
        "sent_count": traffic.sent_count,
        "sent_segment_count": traffic.sent_segment_count,
        "received_count": traffic.received_count,
        "received_segment_count": traffic.received_segment_count,
        "row_count": seal.row_count,
        "first_id": seal.first_id,
        "last_id": seal.last_id,
        "groups": _groups(statement),
    }
    digest = seal.digest({name: row[name] for name in statements.FIGURES})
    return row | {"digest": digest, "closed_at": now, "closed_by": actor}


def _take_time(session: Session) -> None:
    """Let the sums of a large month take longer than a page may."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))


def _figures(statement: Statement) -> dict[str, int]:
    return {
        "opening_uc": statement.opening.balance_uc,
        "added_uc": statement.added_uc,
        "used_uc": statement.used_uc,
        "closing_uc": statement.closing.balance_uc,
        "opening_reserved_uc": statement.opening.reserved_uc,
        "closing_reserved_uc": statement.closing.reserved_uc,
    }


def _groups(statement: Statement) -> dict[str, Any]:
    reservations = statement.reservations
    return {
        **{
            name: [[line.key, line.label, line.row_count, line.segment_count, line.plus_uc, line.minus_uc] for line in lines]
            for name, lines in statement.groups.items()
        },
        "reservations": [reservations.reserved_uc, reservations.taken_uc, reservations.returned_uc],
    }


def _store(session: Session, *, row: dict[str, Any], username: str) -> None:
    """Store a closed month; another process that closed it too has stored the same."""
    statement = _INSERTS[session.get_bind().dialect.name](_CLOSED).values(row).on_conflict_do_nothing()
    stored = session.execute(statement.returning(_CLOSED.c.id)).first()
    if stored is not None and row["closed_by"] != ACTOR:
        after = {
            "month": row["month"],
            "number": row["number"],
            "closing": ledger.format_credits(row["closing_uc"]),
            "digest": row["digest"],
        }
        subject = f"statement {row['month']} of {username}"
        audit(session, now=row["closed_at"], actor=row["closed_by"], verb="close", subject=subject, after=after)


def close_by_hand(database: Database, month: Month, *, username: str = "", now: datetime, actor: str) -> list[str]:
    """Close a month, and those before it that are open, of one user or of all; return the names of those whose months were closed.

    Raises: InvalidField where the month is not over; NotThere; DoesNotAddUp.
    """
    with database.read() as session:
        chosen = select(Account, User.created_at).join(User, User.id == Account.user_id).order_by(Account.id)
        rows = session.execute(chosen.where(User.username == username) if username else chosen).all()
        if not rows:
            raise NotThere(f"There is no user {username!r}.")
        zones = {account.id: statements.zone_of(session, account) for account, _ in rows}
        ends = {number: statements.natural_interval(month, zone).ends_at for number, zone in zones.items()}
        if (latest := max(ends.values())) > now:
            raise InvalidField(
                "month", f"{month.words} is not over everywhere before {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Close it then."
            )
        everybody = not username and len(set(ends.values())) == 1
        found = [
            item
            for moment in sorted(set(ends.values()))
            for item in due(
                session,
                over_by=moment,
                limit=len(rows) + 1,
                account_ids=None if everybody else [key for key, end in ends.items() if end == moment],
            )
        ]
    counted: Counted = {}
    for item in found:
        close(database, item, now=now, actor=actor, counted=counted)
    return [item.username for item in found]
