"""The end of a month for every user: what he sent and received, what it took, what was added, what he has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.identifiers import id_floor
from app.models import Account, ClosedStatement, Message, Transfer, User, table
from app.statements.figures import Change, effect, sides
from app.statements.intervals import Interval, Month, natural_interval
from app.statements.rows import Reader
from app.statements.sums import changes, closing, gateway_zone, zone_named

PAGE = 500

_TRANSFERS, _MESSAGES = table(Transfer), table(Message)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages that were accepted in a month, whatever became of them, and their segments."""

    sent_count: int = 0
    sent_segment_count: int = 0
    received_count: int = 0
    received_segment_count: int = 0


Counted = dict[Interval, dict[int, Traffic]]


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One user's month. Units: microcredits. `number` is that of the closed statement, None while the month is open.

    `closing_uc` = `opening_uc` + `added_uc` - `used_uc`. `traffic` is None where nobody asked for it.
    """

    account_id: int
    user_id: int
    username: str
    accounting_enabled: bool
    currency: str
    interval: Interval
    number: int | None
    opening_uc: int
    added_uc: int
    used_uc: int
    closing_uc: int
    reserved_uc: int
    traffic: Traffic | None


def all_account_months(reader: Reader, month: Month, *, user_ids: Sequence[int] | None = None) -> Iterator[AccountMonth]:
    """Yield every user's month with its traffic, by user name, page by page."""
    after = ""
    counted: Counted = {}
    while True:
        with reader() as session:
            page = account_months(session, month, after=after, limit=PAGE, with_traffic=True, user_ids=user_ids, counted=counted)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].username


def account_months(
    session: Session,
    month: Month,
    *,
    after: str = "",
    limit: int = PAGE,
    with_traffic: bool = False,
    user_ids: Sequence[int] | None = None,
    search: str = "",
    counted: Counted | None = None,
) -> list[AccountMonth]:
    """Return the months of the users behind a name, in the order of their names. Closed months are given as they were closed.

    With `counted`, the traffic of all users is counted once for each interval and kept there, for a caller who wants many pages.
    """
    chosen = select(User, Account).join(Account, Account.user_id == User.id).where(User.username > after)
    if user_ids is not None:
        chosen = chosen.where(User.id.in_(user_ids))
    if search:
        chosen = chosen.where(User.username.contains(search, autoescape=True))
    pairs = [(user, account) for user, account in session.execute(chosen.order_by(User.username).limit(limit))]
    closed = {row.account_id: row for row in session.scalars(_closed_of(month, [account.id for _, account in pairs]))}
    rest = [(user, account) for user, account in pairs if account.id not in closed]
    still_open = _open_months(session, month, rest, with_traffic=with_traffic, counted=counted)
    return [_of_closed(user, account, closed[account.id]) if account.id in closed else still_open[account.id] for user, account in pairs]


def _closed_of(month: Month, account_ids: Sequence[int]) -> Select[Any]:
    return select(ClosedStatement).where(ClosedStatement.month == str(month), ClosedStatement.account_id.in_(account_ids))


def _of_closed(user: User, account: Account, row: ClosedStatement) -> AccountMonth:
    return AccountMonth(
        account.id,
        user.id,
        user.username,
        user.accounting_enabled,
        account.currency,
        Interval(row.started_at, row.ends_at, row.time_zone, Month.parse(row.month)),
        row.number,
        row.opening_uc,
        row.added_uc,
        row.used_uc,
        row.closing_uc,
        row.closing_reserved_uc,
        Traffic(row.sent_count, row.sent_segment_count, row.received_count, row.received_segment_count),
    )


def _open_months(
    session: Session, month: Month, pairs: Sequence[tuple[User, Account]], *, with_traffic: bool, counted: Counted | None
) -> dict[int, AccountMonth]:
    """Return months that are not closed: opening from the last closed one, closing from what the accounts keep."""
    if not pairs:
        return {}
    of_gateway = gateway_zone(session)
    anchors = _last_closed(session, month, [account.id for _, account in pairs])
    by_interval: dict[Interval, list[tuple[User, Account]]] = {}
    for user, account in pairs:
        natural = natural_interval(month, zone_named(account.time_zone, of_gateway))
        anchor = anchors.get(account.id)
        if anchor is not None and anchor.month == str(month.plus(-1)):
            natural = Interval(anchor.ends_at, natural.ends_at, natural.time_zone, month)
        by_interval.setdefault(natural, []).append((user, account))
    found: dict[int, AccountMonth] = {}
    for interval, members in by_interval.items():
        counts = _counts(session, interval, members, counted) if with_traffic else None
        found |= _open_of_interval(session, interval, members, anchors, counts)
    return found


def _last_closed(session: Session, month: Month, account_ids: Sequence[int]) -> dict[int, ClosedStatement]:
    last = (
        select(ClosedStatement.account_id, func.max(ClosedStatement.month).label("month"))
        .where(ClosedStatement.account_id.in_(account_ids), ClosedStatement.month < str(month))
        .group_by(ClosedStatement.account_id)
        .subquery()
    )
    chosen = select(ClosedStatement).join(last, (ClosedStatement.account_id == last.c.account_id) & (ClosedStatement.month == last.c.month))
    return {row.account_id: row for row in session.scalars(chosen)}


def _open_of_interval(
    session: Session,
    interval: Interval,
    members: Sequence[tuple[User, Account]],
    anchors: Mapping[int, ClosedStatement],
    counts: Mapping[int, Traffic] | None,
) -> dict[int, AccountMonth]:
    ids = [account.id for _, account in members]
    added = _sums_by_account(session, ids, interval.started_at, interval.ends_at, booked=True)
    before = _sums_by_account(session, [number for number in ids if number not in anchors], None, interval.started_at)
    later = _sums_by_account(session, ids, interval.ends_at, None)
    closed_since = select(ClosedStatement.account_id).where(
        ClosedStatement.account_id.in_(ids), ClosedStatement.ends_at >= interval.ends_at
    )
    reclosed = set(session.scalars(closed_since))
    found: dict[int, AccountMonth] = {}
    for user, account in members:
        anchor = anchors.get(account.id)
        first = before.get(account.id, Change()) if anchor is None else _opening(session, account.id, interval, anchor)
        last = (
            closing(session, account, interval.ends_at)
            if account.id in reclosed
            else Change(account.balance_uc, account.reserved_uc) - later.get(account.id, Change())
        )
        added_uc = added.get(account.id, Change()).balance_uc
        found[account.id] = AccountMonth(
            account.id,
            user.id,
            user.username,
            user.accounting_enabled,
            account.currency,
            interval,
            None,
            first.balance_uc,
            added_uc,
            first.balance_uc + added_uc - last.balance_uc,
            last.balance_uc,
            last.reserved_uc,
            None if counts is None else counts.get(user.id, Traffic()),
        )
    return found


def _opening(session: Session, account_id: int, interval: Interval, anchor: ClosedStatement) -> Change:
    base = Change(anchor.closing_uc, anchor.closing_reserved_uc)
    if anchor.ends_at == interval.started_at:
        return base
    return base + changes(session, account_id, anchor.ends_at, interval.started_at)


def _sums_by_account(
    session: Session, account_ids: Sequence[int], since: datetime | None, until: datetime | None, *, booked: bool = False
) -> dict[int, Change]:
    """Sum what rows do to several accounts; with `booked` only those that are about no message, which have an index of their own."""
    found: dict[int, Change] = {}
    if not account_ids:
        return found
    for debited, conditions in sides(account_ids, since, until):
        column = _TRANSFERS.c.debit_id if debited else _TRANSFERS.c.credit_id
        chosen = select(column, _TRANSFERS.c.kind, func.sum(_TRANSFERS.c.amount_uc), func.sum(_TRANSFERS.c.released_uc)).where(*conditions)
        if booked:
            chosen = chosen.where(_TRANSFERS.c.message_id.is_(None))
        for account_id, kind, amount_uc, released_uc in session.execute(chosen.group_by(column, _TRANSFERS.c.kind)):
            change = effect(kind, int(amount_uc), int(released_uc), debited=debited)
            found[account_id] = found.get(account_id, Change()) + change
    return found


def _counts(
    session: Session, interval: Interval, members: Sequence[tuple[User, Account]], counted: Counted | None
) -> Mapping[int, Traffic]:
    if counted is None:
        return traffic(session, interval, [user.id for user, _ in members])
    if interval not in counted:
        counted[interval] = traffic(session, interval, None)
    return counted[interval]


def traffic(session: Session, interval: Interval, user_ids: Sequence[int] | None) -> dict[int, Traffic]:
    """Count the messages of an interval by user, None is every user. A message's id holds its time: an interval is a range of ids."""
    first, last = (id_floor(int(moment.timestamp() * 1000)) for moment in (interval.started_at, interval.ends_at))
    chosen = (
        select(_MESSAGES.c.user_id, _MESSAGES.c.direction, func.count(), func.sum(_MESSAGES.c.segment_count))
        .where(_MESSAGES.c.id >= first, _MESSAGES.c.id < last)
        .group_by(_MESSAGES.c.user_id, _MESSAGES.c.direction)
    )
    if user_ids is not None:
        chosen = chosen.where(_MESSAGES.c.user_id.in_(user_ids))
    found: dict[int, Traffic] = {}
    for user_id, direction, count, segment_count in session.execute(chosen):
        was = found.get(user_id, Traffic())
        if direction == "inbound":
            found[user_id] = Traffic(was.sent_count, was.sent_segment_count, count, int(segment_count))
        else:
            found[user_id] = Traffic(count, int(segment_count), was.received_count, was.received_segment_count)
    return found
