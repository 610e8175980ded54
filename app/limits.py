"""Period limits: the most that an account may send in a day, a week, a month, a year, and in all. Units: segments, microcredits.

What is accepted is counted under the account's lock, in the transaction that accepts it. What is given back is taken off the
period in which the message was accepted. An account without limits is never asked for here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, func, or_, select
from sqlalchemy.orm import Session

from app.bulk import insert_rows, update_rows
from app.db import AnyRow
from app.models import Account, AccountLimit, AccountUsage, Message, Option, Transfer, table
from app.periods import Period, Window, window, zone
from pennywire.money import format_credits

OPTION = "time_zone"
"""The gateway's setting: the time zone of accounts that name none."""

_LIMITS = table(AccountLimit)
_USAGE = table(AccountUsage)
_MESSAGES = table(Message)
_TRANSFERS = table(Transfer)


class Unit(StrEnum):
    """What a limit counts."""

    SEGMENTS = "segments"
    CREDITS = "credits"


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that a message of `wanted` would pass. Units: segments or microcredits, as `unit` says."""

    period: Period
    unit: Unit
    most: int
    used: int
    wanted: int
    ends_at: datetime | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What the end of a message gives back to an account, of what was accepted at `accepted_at`."""

    account_id: int
    accepted_at: datetime
    segment_count: int
    amount_uc: int


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is used in the present period. Units: segments or microcredits, as `unit` says."""

    period: Period
    unit: Unit
    most: int
    used: int
    started_at: datetime
    ends_at: datetime | None


@dataclass(slots=True)
class _Counter:
    """The present period of an account, with its limits."""

    window: Window
    segment_count: int
    amount_uc: int
    fresh: bool
    most: dict[Unit, int] = field(default_factory=dict)

    def used(self, unit: Unit) -> int:
        return self.segment_count if unit is Unit.SEGMENTS else self.amount_uc


_PRESENT = and_(
    _USAGE.c.account_id == _LIMITS.c.account_id,
    _USAGE.c.period == _LIMITS.c.period,
    _USAGE.c.started_at <= bindparam("now"),
    or_(_USAGE.c.ends_at.is_(None), _USAGE.c.ends_at > bindparam("now")),
)
_READ = (
    select(_LIMITS, _USAGE.c.started_at, _USAGE.c.ends_at, _USAGE.c.segment_count, _USAGE.c.amount_uc)
    .select_from(_LIMITS.outerjoin(_USAGE, _PRESENT))
    .where(_LIMITS.c.account_id.in_(bindparam("ids", expanding=True)))
)
_TOUCHED = select(_USAGE).where(
    _USAGE.c.account_id.in_(bindparam("ids", expanding=True)),
    _USAGE.c.started_at <= bindparam("last"),
    or_(_USAGE.c.ends_at.is_(None), _USAGE.c.ends_at > bindparam("first")),
)
CALENDAR = select(Account.id, Account.time_zone, Account.week_start).where(Account.id == bindparam("id"))
"""What a `Meter` needs to know of an account."""

_KEY = ("account_id", "period", "started_at")
_ORDER = {period: place for place, period in enumerate(Period)}


class Meter:
    """The limits of the locked accounts of one transaction: read once, asked and counted for each message, written once.

    Without accounts no statement is run. `accounts` are locked rows with id, time_zone and week_start.
    """

    def __init__(self, session: Session, accounts: Sequence[AnyRow], *, now: datetime) -> None:
        self._session = session
        self._accounts = {row.id: row for row in accounts}
        self._counters: dict[int, dict[Period, _Counter]] = {row.id: {} for row in accounts}
        if accounts:
            for row in session.execute(_READ, {"ids": sorted(self._accounts), "now": now}):
                self._add(row, now)

    def _add(self, row: AnyRow, now: datetime) -> None:
        period, counters = Period(row.period), self._counters[row.account_id]
        if period not in counters:
            counters[period] = self._counter(row, period, now)
        counters[period].most[Unit(row.unit)] = row.most

    def _counter(self, row: AnyRow, period: Period, now: datetime) -> _Counter:
        if row.started_at is not None:
            return _Counter(Window(row.started_at, row.ends_at), row.segment_count, row.amount_uc, fresh=False)
        return _Counter(window_of(self._session, self._accounts[row.account_id], period, now=now), 0, 0, fresh=True)

    def reached(self, account_id: int, segment_count: int, amount_uc: int) -> Reached | None:
        """Return the first limit of an account that a message would pass, the shortest period first."""
        wanted = {Unit.SEGMENTS: segment_count, Unit.CREDITS: amount_uc}
        for period, counter in sorted(self._counters.get(account_id, {}).items(), key=lambda pair: _ORDER[pair[0]]):
            for unit, most in sorted(counter.most.items()):
                if wanted[unit] and counter.used(unit) + wanted[unit] > most:
                    name = zone_of(self._session, self._accounts[account_id].time_zone)
                    return Reached(period, unit, most, counter.used(unit), wanted[unit], counter.window.ends_at, name)
        return None

    def count(self, account_id: int, segment_count: int, amount_uc: int) -> None:
        """Count what was accepted."""
        for counter in self._counters.get(account_id, {}).values():
            counter.segment_count += segment_count
            counter.amount_uc += amount_uc

    def write(self) -> None:
        """Write what was counted."""
        fresh: list[dict[str, Any]] = []
        known: list[tuple[Any, ...]] = []
        for account_id, counters in sorted(self._counters.items()):
            for period, counter in counters.items():
                if counter.fresh:
                    fresh.append(_row(account_id, period, counter.window, counter.segment_count, counter.amount_uc))
                else:
                    known.append((counter.segment_count, counter.amount_uc, account_id, period.value, counter.window.started_at))
        insert_rows(self._session, _USAGE, fresh)
        update_rows(self._session, _USAGE, _KEY, ("segment_count", "amount_uc"), known)

    def uses(self, account_id: int) -> list[Use]:
        """Return how much of each limit of an account is used, the shortest period first."""
        return [
            Use(period, unit, most, counter.used(unit), counter.window.started_at, counter.window.ends_at)
            for period, counter in sorted(self._counters[account_id].items(), key=lambda pair: _ORDER[pair[0]])
            for unit, most in sorted(counter.most.items(), reverse=True)
        ]


def _row(account_id: int, period: Period, present: Window, segment_count: int, amount_uc: int) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "period": period.value,
        "started_at": present.started_at,
        "ends_at": present.ends_at,
        "segment_count": segment_count,
        "amount_uc": amount_uc,
    }


def give_back(session: Session, returned: Sequence[Returned]) -> None:
    """Take what messages gave back off the periods in which they were accepted. The accounts are locked."""
    returned = [item for item in returned if item.segment_count or item.amount_uc]
    if not returned:
        return
    moments = [item.accepted_at for item in returned]
    values = {"ids": sorted({item.account_id for item in returned}), "first": min(moments), "last": max(moments)}
    changed: list[tuple[Any, ...]] = []
    for row in session.execute(_TOUCHED, values):
        mine = [item for item in returned if item.account_id == row.account_id and _covers(row, item.accepted_at)]
        if mine:
            segment_count = row.segment_count - sum(item.segment_count for item in mine)
            amount_uc = row.amount_uc - sum(item.amount_uc for item in mine)
            changed.append((segment_count, amount_uc, row.account_id, row.period, row.started_at))
    update_rows(session, _USAGE, _KEY, ("segment_count", "amount_uc"), changed)


def _covers(row: AnyRow, moment: datetime) -> bool:
    return bool(row.started_at <= moment and (row.ends_at is None or moment < row.ends_at))


def zone_of(session: Session, time_zone: str) -> str:
    """Return the time zone that counts for an account which names `time_zone`, or none."""
    if time_zone:
        return time_zone
    value = session.execute(select(Option.value).where(Option.name == OPTION)).scalar()
    return str(value["value"]) if value else "UTC"


def window_of(session: Session, account: AnyRow | Account, period: Period, *, now: datetime) -> Window:
    """Return the present period of an account by its own calendar."""
    return window(period, now, time_zone=zone_of(session, account.time_zone), week_start=account.week_start)


def lasting(session: Session, account: Account, segment_count: int, amount_uc: int, *, now: datetime) -> bool:
    """Say whether an account's limits would let so much through now; nothing is locked or counted."""
    if not account.limited:
        return True
    return (
        Meter(session, [session.execute(CALENDAR, {"id": account.id}).one()], now=now).reached(account.id, segment_count, amount_uc) is None
    )


# Counting from the rows: when a limit is new, and when a calendar changes.


def recount(session: Session, account: AnyRow | Account, *, now: datetime, afresh: bool) -> None:
    """Make the counters of the present periods from what was accepted in them; `afresh` forgets all counters first.

    The account is locked. Counters of periods for which there is no limit any more are dropped.
    """
    wanted = {Period(word) for word in session.scalars(select(_LIMITS.c.period).where(_LIMITS.c.account_id == account.id))}
    stale = delete(_USAGE).where(_USAGE.c.account_id == account.id)
    session.execute(stale if afresh else stale.where(_USAGE.c.period.not_in([period.value for period in wanted])))
    counted = set(session.scalars(select(_USAGE.c.period).where(_USAGE.c.account_id == account.id)))
    rows = []
    for period in sorted(wanted - counted):
        present = window_of(session, account, period, now=now)
        rows.append(_row(account.id, period, present, *_counted(session, account, present)))
    insert_rows(session, _USAGE, rows)


def recount_followers(session: Session, *, now: datetime) -> None:
    """Count again for the accounts that follow the gateway's time zone, after a change of it."""
    followers = select(Account).where(Account.limited, Account.time_zone == "").order_by(Account.id).with_for_update()
    for account in session.scalars(followers).all():
        recount(session, account, now=now, afresh=True)


def _counted(session: Session, account: AnyRow | Account, present: Window) -> tuple[int, int]:
    """Return the segments and the microcredits that were accepted in a period, less what was given back."""
    own = select(func.sum(_MESSAGES.c.counted_count)).where(
        _MESSAGES.c.user_id == account.user_id, _MESSAGES.c.direction == "outbound", _within(_MESSAGES.c.created_at, present)
    )
    charge, ending, refund = _TRANSFERS.alias("c"), _TRANSFERS.alias("e"), _TRANSFERS.alias("r")
    # What is accepted is dated by the message; a row of the ledger may be later, where a month was closed meanwhile.
    accepted_at = case((_MESSAGES.c.direction == "outbound", _MESSAGES.c.created_at), else_=charge.c.at)
    mine = and_(charge.c.debit_id == account.id, charge.c.kind == "charge", charge.c.at >= present.started_at)
    charged = and_(mine, _within(accepted_at, present))
    join = charge.join(_MESSAGES, _MESSAGES.c.id == charge.c.message_id)
    below = select(func.sum(_MESSAGES.c.counted_count)).select_from(join).where(charged, charge.c.level > 0)
    released = case((ending.c.kind == "release", ending.c.amount_uc), else_=ending.c.released_uc)
    spent = (
        select(func.sum(charge.c.amount_uc - func.coalesce(released, 0) - func.coalesce(refund.c.amount_uc, 0)))
        .select_from(join.outerjoin(ending, _of_phase(charge, ending, 1)).outerjoin(refund, _of_phase(charge, refund, 2)))
        .where(charged)
    )
    segment_count = sum(int(session.execute(statement).scalar() or 0) for statement in (own, below))
    return segment_count, int(session.execute(spent).scalar() or 0)


def _of_phase(charge: Any, other: Any, phase: int) -> Any:
    return and_(other.c.message_id == charge.c.message_id, other.c.level == charge.c.level, other.c.phase == phase)


def _within(column: Any, present: Window) -> Any:
    after = column >= present.started_at
    return after if present.ends_at is None else and_(after, column < present.ends_at)


# In words.

_EVERY: Mapping[Period, str] = {
    Period.DAY: "a day",
    Period.WEEK: "a week",
    Period.MONTH: "a month",
    Period.YEAR: "a year",
    Period.ALL_TIME: "in all",
}


def in_words(reached: Reached) -> str:
    """Say which limit a message would pass, how much is used, and when the next period begins."""
    every = _EVERY[reached.period]
    if reached.unit is Unit.SEGMENTS:
        limit = f"The account may send {reached.most} segments {every}; {reached.used} are used, and this message has {reached.wanted}."
    else:
        most, used, wanted = (format_credits(amount) for amount in (reached.most, reached.used, reached.wanted))
        limit = f"The account may spend {most} credits {every}; {used} are used, and this message costs {wanted}."
    if reached.ends_at is None:
        return f"{limit} Ask the operator for a higher limit."
    again = reached.ends_at.astimezone(zone(reached.time_zone))
    return f"{limit} The count begins again on {again:%Y-%m-%d at %H:%M} ({reached.time_zone})."
