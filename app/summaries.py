"""Summaries for people: what was counted over an interval, by time, route or provider, and what an account uses.

Pages, downloads and the command line show the same lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app import intervals, statistics
from app.forecast import DAY, WEEK, Forecast, Pace, forecast
from app.intervals import Interval
from app.ledger import Kind, format_credits
from app.models import Account, Option, Route, Transfer
from app.routing import ANY
from app.statistics import FIGURES, Figure, Totals

BY: Mapping[str, str] = {"time": "Time", "route": "Route", "provider": "Connection"}
"""What a summary may be grouped by; the first is the default."""

USED_IN: Mapping[str, str] = {"today": "Used today", "this_week": "Used this week", "this_month": "Used this month"}
"""The intervals whose use is told with the balance."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a summary."""

    label: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands: what it used in each of `USED_IN`, its last top-up, and when it is empty. Units: microcredits."""

    available_uc: int
    used_uc: Mapping[str, int]
    last_top_up: Transfer | None
    outlook: Forecast


def lines(session: Session, interval: Interval, by: str, *, user_id: int) -> list[Line]:
    """Return the lines of a user's summary: every part of the interval, or every route or provider that had something."""
    since, until = interval.since, interval.until
    if by == "route":
        names = {row.id: row.name for row in session.execute(select(Route.id, Route.name))}
        found = statistics.by_route(session, since, until, user_id=user_id)
        return _named((names.get(number, f"Route {number}, deleted") if number else "No route", totals) for number, totals in found.items())
    if by == "provider":
        taken = statistics.by_provider(session, since, until, user_id=user_id)
        return _named((_OPEN.get(name, name), totals) for name, totals in taken.items())
    return [
        Line(label, totals)
        for label, totals in zip(interval.labels(), statistics.over_time(session, interval.boundaries(), user_id=user_id), strict=True)
    ]


_OPEN = {"": "None", ANY: "Any, not sent yet"}


def _named(found: Iterable[tuple[str, Totals]]) -> list[Line]:
    return sorted((Line(label, totals) for label, totals in found), key=lambda line: line.label.lower())


def together(found: Sequence[Line]) -> Totals:
    """Return the sums of all lines."""
    whole = Totals()
    for line in found:
        whole.take(line.totals)
    return whole


def amount_or_count(figure: Figure, totals: Totals) -> str:
    """Return a figure as exact text for programs: credits with a point, counts as they are."""
    value = figure.value(totals)
    return format_credits(value) if figure.amount else str(value)


def table(found: Sequence[Line], heading: str) -> list[list[str]]:
    """Return a summary with every figure as rows of text, headings first, for a download."""
    rows = [[heading, *(figure.label for figure in FIGURES.values())]]
    rows += [[line.label, *(amount_or_count(figure, line.totals) for figure in FIGURES.values())] for line in found]
    return rows


def here(session: Session, account: Account) -> ZoneInfo:
    """Return the time zone in which an account's days are told."""
    return intervals.zone_of(account.time_zone, options(session))


def options(session: Session) -> dict[str, Any]:
    """Return the options that intervals depend on."""
    row = session.get(Option, intervals.OPTION)
    return {intervals.OPTION: row.value["value"]} if row else {}


def standing(session: Session, account: Account, *, now: datetime) -> Standing:
    """Say how an account stands now."""
    place = here(session, account)
    used_uc = {}
    for name in USED_IN:
        interval = intervals.of_preset(name, now, place, week_start=account.week_start)
        used_uc[name] = used(session, account, interval.since, interval.until)
    available_uc = account.balance_uc - account.reserved_uc - account.limit_uc
    outlook = forecast(available_uc, _pace(session, account, now), unlimited=account.unlimited, now=now)
    return Standing(available_uc, used_uc, last_top_up(session, account.id), outlook)


def used(session: Session, account: Account, since: datetime, until: datetime) -> int:
    """Return what an account used: for its own user's messages, and for those of accounts below that share its credit."""
    own_uc = statistics.total(session, since, until, user_id=account.user_id).used_uc if account.user_id else 0
    return own_uc + (_used_below(session, account.id, since, until) if _shares(session, account.id) else 0)


def _shares(session: Session, account_id: int) -> bool:
    below = select(Account.id).where(Account.parent_id == account_id, Account.parent_mode == "shared").limit(1)
    return session.execute(below).first() is not None


def _used_below(session: Session, account_id: int, since: datetime, until: datetime) -> int:
    """Return what the messages of accounts below took. What they cost this account stands in the ledger only."""
    within = (Transfer.level > 0, Transfer.at >= since, Transfer.at < until)
    taken = select(func.sum(Transfer.amount_uc)).where(Transfer.debit_id == account_id, Transfer.kind == Kind.SETTLE.value, *within)
    back = select(func.sum(Transfer.amount_uc)).where(Transfer.credit_id == account_id, _RECEIVED, Transfer.kind.in_(_BACK), *within)
    return int(session.execute(taken).scalar() or 0) - int(session.execute(back).scalar() or 0)


_RECEIVED = text("transfers.kind NOT IN ('charge', 'settle', 'release')")
"""What the index of received rows holds, word for word: SQLite uses it only then."""

_BACK = (Kind.REFUND.value, Kind.PAY.value)


def _pace(session: Session, account: Account, now: datetime) -> Pace:
    """Return what an account used lately. Sums begin at quarters of an hour, so the present one counts as whole."""
    until = now + statistics.QUARTER
    began_at = statistics.first_used_at(session, now - WEEK, user_id=account.user_id) if account.user_id else None
    if began_at is None and _shares(session, account.id):
        first = select(func.min(Transfer.at)).where(
            Transfer.debit_id == account.id, Transfer.at >= now - WEEK, Transfer.kind == Kind.SETTLE.value
        )
        began_at = session.execute(first).scalar()
    return Pace(
        week_uc=used(session, account, until - WEEK, until), day_uc=used(session, account, until - DAY, until), first_used_at=began_at
    )


def last_top_up(session: Session, account_id: int) -> Transfer | None:
    """Return the last row by which an account was topped up."""
    statement = (
        select(Transfer)
        .where(Transfer.credit_id == account_id, _RECEIVED)
        .where(Transfer.kind.in_((Kind.TOP_UP.value, Kind.ALLOT.value)))
        .order_by(Transfer.at.desc(), Transfer.id.desc())
        .limit(1)
    )
    return session.scalars(statement).first()
