"""One account over one interval: opening, movements by kind, day, route and destination, closing. Units: microcredits.

The opening is summed forwards from the last closed month before the interval, the closing backwards from the first closed month
behind it, or from the balance that the account keeps. That both meet is what a statement shows and what a fault would break.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import intervals
from app.intervals import OPTION as ZONE_OPTION
from app.models import Account, ClosedStatement, Option, Transfer, User, table
from app.statements.figures import GROUPINGS, Change, Line, Reservations, Statement, effect, sides
from app.statements.grouping import grouped
from app.statements.intervals import Interval, Month, natural_interval

_TRANSFERS = table(Transfer)


class NotForStatements(LookupError):
    """The account has no statements: it is one of the gateway's own."""


def zone_of(session: Session, account: Account) -> str:
    """Return the name of an account's time zone: its own, or the gateway's, or UTC."""
    return zone_named(account.time_zone, gateway_zone(session))


def gateway_zone(session: Session) -> str:
    """Return the name of the gateway's time zone as the operator wrote it; empty where he did not."""
    option = session.get(Option, ZONE_OPTION)
    return str(option.value["value"] or "") if option is not None else ""


def zone_named(own: str, of_gateway: str) -> str:
    """Return the first of two names that is one, or UTC."""
    return intervals.zone_of(own, {ZONE_OPTION: of_gateway}).key


def month_interval(session: Session, account: Account, month: Month) -> Interval:
    """Return a month of an account: as it was closed, or from where the last closed one ends."""
    if (row := _closed(session, account.id, month)) is not None:
        return Interval(row.started_at, row.ends_at, row.time_zone, month)
    natural = natural_interval(month, zone_of(session, account))
    if (before := _closed(session, account.id, month.plus(-1))) is not None:
        return Interval(before.ends_at, natural.ends_at, natural.time_zone, month)
    return natural


def _closed(session: Session, account_id: int, month: Month) -> ClosedStatement | None:
    chosen = select(ClosedStatement).where(ClosedStatement.account_id == account_id, ClosedStatement.month == str(month))
    return session.scalars(chosen).one_or_none()


def closed_statements(session: Session, account_id: int) -> Sequence[ClosedStatement]:
    """Return the closed months of an account, the latest first."""
    chosen = select(ClosedStatement).where(ClosedStatement.account_id == account_id).order_by(ClosedStatement.ends_at.desc())
    return session.scalars(chosen).all()


def statement(session: Session, account: Account, interval: Interval) -> Statement:
    """Return the statement of an account over an interval; a closed month is given as it was closed.

    Shape: `session` sees one state of the database. Raises: NotForStatements.
    """
    if account.user_id is None:
        raise NotForStatements(f"The account {account.name} is one of the gateway's own: it has rows, and no statements.")
    if interval.month is not None and (row := _closed(session, account.id, interval.month)) is not None:
        return stored_statement(session, account, row)
    groups, reservations = grouped(session, account.id, interval)
    return Statement(
        account.id,
        _username(session, account),
        account.currency,
        interval,
        opening(session, account.id, interval.started_at),
        closing(session, account, interval.ends_at),
        groups,
        reservations,
    )


def _username(session: Session, account: Account) -> str:
    return session.scalars(select(User.username).where(User.id == account.user_id)).one_or_none() or account.name


def stored_statement(session: Session, account: Account, row: ClosedStatement) -> Statement:
    """Return a closed month as it was closed."""
    groups = {name: tuple(Line(*values) for values in row.groups[name]) for name in GROUPINGS}
    return Statement(
        account.id,
        _username(session, account),
        account.currency,
        Interval(row.started_at, row.ends_at, row.time_zone, Month.parse(row.month)),
        Change(row.opening_uc, row.opening_reserved_uc),
        Change(row.closing_uc, row.closing_reserved_uc),
        groups,
        Reservations(*row.groups["reservations"]),
        row,
    )


# Anchors: places where the sum of all rows before is known.


def opening(session: Session, account_id: int, moment: datetime) -> Change:
    """Sum the rows dated before a moment, from the last closed month on."""
    anchor = session.scalars(
        select(ClosedStatement)
        .where(ClosedStatement.account_id == account_id, ClosedStatement.ends_at <= moment)
        .order_by(ClosedStatement.ends_at.desc())
        .limit(1)
    ).one_or_none()
    if anchor is None:
        return changes(session, account_id, None, moment)
    base = Change(anchor.closing_uc, anchor.closing_reserved_uc)
    return base if anchor.ends_at == moment else base + changes(session, account_id, anchor.ends_at, moment)


def closing(session: Session, account: Account, moment: datetime) -> Change:
    """Return balance and reservations before a moment, from the next closed month, or from what the account keeps, backwards."""
    anchor = session.scalars(
        select(ClosedStatement)
        .where(ClosedStatement.account_id == account.id, ClosedStatement.ends_at >= moment)
        .order_by(ClosedStatement.ends_at)
        .limit(1)
    ).one_or_none()
    if anchor is None:
        kept = session.execute(select(Account.balance_uc, Account.reserved_uc).where(Account.id == account.id)).one()
        return Change(kept.balance_uc, kept.reserved_uc) - changes(session, account.id, moment, None)
    base = Change(anchor.closing_uc, anchor.closing_reserved_uc)
    return base if anchor.ends_at == moment else base - changes(session, account.id, moment, anchor.ends_at)


def changes(session: Session, account_id: int, since: datetime | None, until: datetime | None) -> Change:
    """Sum what the rows of an account do, dated from `since` on and before `until`."""
    total = Change()
    for debited, conditions in sides([account_id], since, until):
        chosen = (
            select(_TRANSFERS.c.kind, func.sum(_TRANSFERS.c.amount_uc), func.sum(_TRANSFERS.c.released_uc))
            .where(*conditions)
            .group_by(_TRANSFERS.c.kind)
        )
        for kind, amount_uc, released_uc in session.execute(chosen):
            total += effect(kind, int(amount_uc), int(released_uc), debited=debited)
    return total
