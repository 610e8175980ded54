"""The rows of a statement one by one, in the order of their dates: in pages for a screen, as a stream for a file."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from app.db import AnyRow
from app.ledger import Kind
from app.models import Message, Transfer, table
from app.numbering import shortened
from app.statements.figures import effect, sides
from app.statements.intervals import Interval

PAGE = 2_000
"""Rows of one read transaction: none outlives a page."""

Reader = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction that reads: `Database.read`."""

Place = tuple[datetime, int]
"""Moment and id of a row: where a page ends and the next begins."""

_TRANSFERS, _MESSAGES = table(Transfer), table(Message)
_RESERVATIONS = (Kind.CHARGE.value, Kind.RELEASE.value)


@dataclass(frozen=True, slots=True)
class Item:
    """One row as its account sees it. Units: microcredits. `price_uc` is what was charged for the message, where the row says it.

    `destination` is the other side's address, of an incoming message the one it came to; numbers are shortened.
    """

    place: Place
    kind: str
    message_id: int | None
    source: str
    destination: str
    segment_count: int | None
    price_uc: int | None
    balance_uc: int
    reserved_uc: int
    reason: str
    reference: str
    actor: str

    @property
    def at(self) -> datetime:
        return self.place[0]

    @property
    def transfer_id(self) -> int:
        return self.place[1]


def one_session(session: Session) -> Reader:
    """Return a reader that gives one session again and again, for a caller that has one already."""
    return lambda: nullcontext(session)


def items(reader: Reader, account_id: int, interval: Interval, *, with_reservations: bool = False) -> Iterator[Item]:
    """Yield the rows of an account in an interval, oldest first. Charges and releases move no balance: they come if asked for."""
    both = (_side(reader, account_id, interval, debited=debited, with_reservations=with_reservations) for debited in (True, False))
    return heapq.merge(*both, key=attrgetter("place"))


def items_page(
    session: Session, account_id: int, interval: Interval, *, after: Place | None, limit: int, with_reservations: bool = False
) -> list[Item]:
    """Return the next rows behind a place, oldest first."""
    found: list[Item] = []
    for debited in (True, False):
        found += _page(session, account_id, interval, after, limit, debited=debited, with_reservations=with_reservations)
    return sorted(found, key=attrgetter("place"))[:limit]


def place_of(session: Session, transfer_id: int) -> Place | None:
    """Return the place of a row, or None where there is no such row."""
    at = session.execute(select(_TRANSFERS.c.at).where(_TRANSFERS.c.id == transfer_id)).scalar_one_or_none()
    return (at, transfer_id) if at is not None else None


def _side(reader: Reader, account_id: int, interval: Interval, *, debited: bool, with_reservations: bool) -> Iterator[Item]:
    after: Place | None = None
    while True:
        with reader() as session:
            page = _page(session, account_id, interval, after, PAGE, debited=debited, with_reservations=with_reservations)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].place


def _page(
    session: Session,
    account_id: int,
    interval: Interval,
    after: Place | None,
    limit: int,
    *,
    debited: bool,
    with_reservations: bool,
) -> list[Item]:
    # Two lower bounds of one index would be a choice, and the wrong one reads everything before the page again.
    since = after[0] if after is not None else interval.started_at
    conditions: list[ColumnElement[bool]] = [*sides([account_id], since, interval.ends_at)[0 if debited else 1][1]]
    if after is not None:
        conditions.append(tuple_(_TRANSFERS.c.at, _TRANSFERS.c.id) > tuple_(*after, types=[_TRANSFERS.c.at.type, _TRANSFERS.c.id.type]))
    if not with_reservations:
        conditions.append(_TRANSFERS.c.kind.not_in(_RESERVATIONS))
    columns = (
        _TRANSFERS,
        _MESSAGES.c.source,
        _MESSAGES.c.destination,
        _MESSAGES.c.segment_count,
    )
    chosen = (
        select(*columns)
        .select_from(_TRANSFERS.outerjoin(_MESSAGES, _MESSAGES.c.id == _TRANSFERS.c.message_id))
        .where(*conditions)
        .order_by(_TRANSFERS.c.at, _TRANSFERS.c.id)
        .limit(limit)
    )
    return [_item(row, debited=debited) for row in session.execute(chosen)]


def _item(row: AnyRow, *, debited: bool) -> Item:
    change = effect(row.kind, row.amount_uc, row.released_uc, debited=debited)
    about_charge = row.kind in (Kind.CHARGE, Kind.SETTLE, Kind.RELEASE)
    return Item(
        (row.at, row.id),
        row.kind,
        row.message_id,
        shortened(row.source or ""),
        shortened(row.destination or ""),
        row.segment_count,
        row.amount_uc + row.released_uc if about_charge else None,
        change.balance_uc,
        change.reserved_uc,
        row.reason,
        row.reference,
        row.actor,
    )
