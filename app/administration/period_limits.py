"""Period limits of accounts: the most in a day, week, month, year and in all, and the calendar by which they are counted."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import ledger, limits
from app.administration.changes import InvalidField, NotThere, audit
from app.administration.users import account_of, find_present_user
from app.limits import Meter, Unit, Use
from app.models import Account, AccountLimit
from app.periods import WEEKDAYS, Period, UnknownZone, zone

PERIODS = tuple(period.value for period in Period)
UNITS = tuple(unit.value for unit in Unit)
MOST_SEGMENTS = 10**12


@dataclass(frozen=True, slots=True)
class Limit:
    """One period limit. Units: segments, or microcredits where `unit` is credits."""

    period: Period
    unit: Unit
    most: int


def set_limit(session: Session, username: str, period: str, unit: str, most: int, *, now: datetime, actor: str) -> None:
    """Let an account send at most so much in each period; it counts what was accepted in the present one already.

    Units: `most` is segments or microcredits, as `unit` says. Raises: InvalidField, NotThere.
    """
    kind, counted = _kind(period, unit)
    if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= _largest(counted):
        raise InvalidField("most", f"A limit is 0 or more, and at most {show_most(counted, _largest(counted))} {counted}.")
    account = _locked(session, username)
    row = session.get(AccountLimit, (account.id, kind.value, counted.value))
    before = {"most": show_most(counted, row.most)} if row else None
    session.merge(AccountLimit(account_id=account.id, period=kind.value, unit=counted.value, most=most))
    account.limited = True
    session.flush()
    limits.recount(session, account, now=now, afresh=False)
    subject, after = f"user {username}", {"period": kind.value, "unit": counted.value, "most": show_most(counted, most)}
    audit(session, now=now, actor=actor, verb="set limit", subject=subject, before=before, after=after)


def remove_limit(session: Session, username: str, period: str, unit: str, *, now: datetime, actor: str) -> None:
    """Take one limit away. Raises: InvalidField, NotThere."""
    kind, counted = _kind(period, unit)
    account = _locked(session, username)
    row = session.get(AccountLimit, (account.id, kind.value, counted.value))
    if row is None:
        raise NotThere(f"{username} has no limit in {counted} for the period {kind}.")
    before = {"period": kind.value, "unit": counted.value, "most": show_most(counted, row.most)}
    session.delete(row)
    session.flush()
    account.limited = bool(limits_of(session, account))
    limits.recount(session, account, now=now, afresh=False)
    session.flush()
    audit(session, now=now, actor=actor, verb="remove limit", subject=f"user {username}", before=before)


def limits_of(session: Session, account: Account) -> list[Limit]:
    """Return the limits of an account, the shortest period first."""
    rows = session.scalars(select(AccountLimit).where(AccountLimit.account_id == account.id))
    found = [Limit(Period(row.period), Unit(row.unit), row.most) for row in rows]
    return sorted(found, key=lambda item: (PERIODS.index(item.period), UNITS.index(item.unit)))


def usage_of(session: Session, account: Account, now: datetime) -> list[Use]:
    """Return for each limit of an account what is used of it in the present period, the shortest period first."""
    if not account.limited:
        return []
    return Meter(session, [session.execute(limits.CALENDAR, {"id": account.id}).one()], now=now).uses(account.id)


def set_calendar(session: Session, username: str, *, time_zone: str, week_start: int, now: datetime, actor: str) -> None:
    """Say where an account's days begin and on which weekday its weeks do (0 is Monday); its present periods are counted again.

    An empty time zone means the gateway's. Raises: InvalidField, NotThere.
    """
    name = time_zone.strip()
    if name:
        try:
            zone(name)
        except UnknownZone as error:
            raise InvalidField("time_zone", str(error)) from error
    if isinstance(week_start, bool) or not isinstance(week_start, int) or week_start not in range(7):
        raise InvalidField("week_start", "A week begins on a day from 0, Monday, to 6, Sunday.")
    account = _locked(session, username)
    before = {"time_zone": account.time_zone, "week_start": WEEKDAYS[account.week_start]}
    account.time_zone, account.week_start = name, week_start
    session.flush()
    limits.recount(session, account, now=now, afresh=True)
    after = {"time_zone": name, "week_start": WEEKDAYS[week_start]}
    audit(session, now=now, actor=actor, verb="set calendar", subject=f"user {username}", before=before, after=after)


def read_most(unit: str, text: object) -> int:
    """Read a limit as people write it: whole segments, or an amount of credits. Raises: InvalidField."""
    if unit == Unit.CREDITS:
        try:
            return ledger.parse_credits(text)
        except ledger.InvalidAmount as error:
            raise InvalidField("most", str(error)) from error
    if isinstance(text, bool) or not isinstance(text, str | int) or not re.fullmatch(r"[0-9]{1,13}", str(text).strip(), re.ASCII):
        raise InvalidField("most", f"{str(text)[:40]!r} is not a number of segments. Write digits only, such as 1000.")
    return int(text)


def show_most(unit: str, most: int) -> str:
    """Return a limit, or what is used of it, as people read it."""
    return ledger.format_credits(most) if unit == Unit.CREDITS else str(most)


def read_week_start(text: object) -> int:
    """Read a weekday: its English name, or 0 for Monday to 6 for Sunday. Raises: InvalidField."""
    word = str(text).strip().casefold()
    for number, name in enumerate(WEEKDAYS):
        if word in {name.casefold(), str(number)}:
            return number
    raise InvalidField("week_start", f"{str(text)[:40]!r} is not a day of the week. Write one such as Monday.")


def _kind(period: str, unit: str) -> tuple[Period, Unit]:
    if period not in PERIODS:
        raise InvalidField("period", f"A limit is for one of: {', '.join(PERIODS)}.")
    if unit not in UNITS:
        raise InvalidField("unit", f"A limit counts one of: {', '.join(UNITS)}.")
    return Period(period), Unit(unit)


def _largest(unit: Unit) -> int:
    return ledger.LARGEST_UC if unit is Unit.CREDITS else MOST_SEGMENTS


def _locked(session: Session, username: str) -> Account:
    """Return a user's account, locked: nobody charges it meanwhile."""
    account = account_of(session, find_present_user(session, username))
    session.refresh(account, with_for_update=True)
    return account
