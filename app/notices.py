"""Notices: what people should know of an account or of the gateway, and the ways by which it reaches them.

A notice is raised in the transaction of what it tells; engines deliver it afterwards, each way at least once. Pages show it as
long as it is true.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import Account, Notice, NoticeDelivery, Option, User

OPERATOR_OPTION = "operator_address"
"""Option: the e-mail address that hears of every notice."""

FIRST_PAUSE_S = 10
LONGEST_PAUSE_S = 3600
GIVE_UP_AFTER = timedelta(days=3)
"""How long a delivery is tried again."""

MAIL, CALLBACK = "mail", "callback"
LONGEST_ERROR = 500


class NoticeKind(StrEnum):
    """What a notice tells."""

    LOW_CREDIT = "low_credit"
    SUSPENDED = "suspended"
    RELEASED = "released"
    LEDGER_FAULT = "ledger_fault"


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One way of a notice. `state`: `delivered`, `waits` for its (next) try, or `given up`."""

    way: str
    target: str
    state: str
    try_count: int
    next_try_at: datetime | None
    delivered_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice as people see it. `username` is empty for the gateway's own. Units: microcredits."""

    id: int
    username: str
    kind: str
    threshold_uc: int | None
    available_uc: int | None
    text: str
    raised_at: datetime
    over_at: datetime | None
    deliveries: tuple[DeliveryView, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, with its notice."""

    id: int
    way: str
    target: str
    try_count: int
    notice: NoticeView


def raise_notice(
    session: Session,
    kind: NoticeKind,
    text: str,
    *,
    now: datetime,
    account_id: int | None = None,
    threshold_uc: int | None = None,
    available_uc: int | None = None,
    email: str = "",
    callback_url: str = "",
    over: bool = False,
) -> int:
    """Keep a notice and what it is to reach: the given addresses, and the operator's. Return its id.

    With `over` it tells of a moment, and pages do not go on showing it.
    """
    notice = Notice(
        account_id=account_id,
        kind=kind.value,
        threshold_uc=threshold_uc,
        available_uc=available_uc,
        text=text,
        raised_at=now,
        over_at=now if over else None,
    )
    session.add(notice)
    session.flush()
    mails = dict.fromkeys(address for address in (email, operator_address(session)) if address)
    ways = [(MAIL, address) for address in mails] + ([(CALLBACK, callback_url)] if callback_url else [])
    session.add_all(NoticeDelivery(notice_id=notice.id, way=way, target=target, next_try_at=now) for way, target in ways)
    return notice.id


def operator_address(session: Session) -> str:
    """Return the address that hears of every notice, or nothing."""
    row = session.get(Option, OPERATOR_OPTION)
    return str(row.value["value"] or "") if row else ""


def end_notices(
    session: Session, kind: NoticeKind, *, now: datetime, account_id: int | None, thresholds: Sequence[int] | None = None
) -> None:
    """Say that notices are not true any more: pages show them no longer. `thresholds` None is all."""
    open_ = (Notice.over_at.is_(None), Notice.kind == kind.value)
    statement = update(Notice).where(*open_, Notice.account_id.is_(None) if account_id is None else Notice.account_id == account_id)
    if thresholds is not None:
        statement = statement.where(Notice.threshold_uc.in_(thresholds))
    session.execute(statement.values(over_at=now))


def open_notices(session: Session, *, user_id: int | None = None, gateway_only: bool = False, limit: int = 10) -> list[NoticeView]:
    """Return what is still true, newest first: of one user, or of all and the gateway. Of several thresholds the lowest is told."""
    statement = _notices().where(Notice.over_at.is_(None))
    if user_id is not None:
        statement = statement.where(Account.user_id == user_id)
    elif gateway_only:
        statement = statement.where(Notice.account_id.is_(None))
    views = [_view(notice, name or "", ()) for notice, name in session.execute(statement.limit(10 * limit))]
    lowest: dict[str, int] = {}
    for view in views:
        if view.kind == NoticeKind.LOW_CREDIT and view.threshold_uc is not None:
            lowest[view.username] = min(view.threshold_uc, lowest.get(view.username, view.threshold_uc))
    told = (view for view in views if view.kind != NoticeKind.LOW_CREDIT or view.threshold_uc == lowest[view.username])
    return list(islice(told, limit))


def notices_of(session: Session, account_id: int | None, *, limit: int = 20) -> list[NoticeView]:
    """Return the last notices of an account (None: the gateway's own) with their deliveries, newest first."""
    statement = _notices().where(Notice.account_id.is_(None) if account_id is None else Notice.account_id == account_id).limit(limit)
    rows = session.execute(statement).all()
    ways = _deliveries(session, [notice.id for notice, _ in rows])
    return [_view(notice, name or "", ways.get(notice.id, ())) for notice, name in rows]


def _notices() -> Any:
    joined = select(Notice, User.username).join(Account, Account.id == Notice.account_id, isouter=True)
    return joined.join(User, User.id == Account.user_id, isouter=True).order_by(Notice.id.desc())


def _deliveries(session: Session, notice_ids: Iterable[int]) -> dict[int, tuple[DeliveryView, ...]]:
    found: dict[int, tuple[DeliveryView, ...]] = {}
    rows = session.scalars(select(NoticeDelivery).where(NoticeDelivery.notice_id.in_(list(notice_ids))).order_by(NoticeDelivery.id))
    for row in rows:
        state = "delivered" if row.delivered_at else "waits" if row.next_try_at else "given up"
        view = DeliveryView(row.way, row.target, state, row.try_count, row.next_try_at, row.delivered_at, row.last_error)
        found[row.notice_id] = (*found.get(row.notice_id, ()), view)
    return found


def _view(row: Notice, username: str, deliveries: tuple[DeliveryView, ...]) -> NoticeView:
    return NoticeView(row.id, username, row.kind, row.threshold_uc, row.available_uc, row.text, row.raised_at, row.over_at, deliveries)


# Deliveries.


def due(session: Session, way: str, limit: int, *, now: datetime, besides: Collection[int] = ()) -> list[Due]:
    """Return the deliveries of one way whose time has come, those that wait longest first; those `besides` are under way."""
    rows = session.execute(
        select(NoticeDelivery, Notice, User.username)
        .join(Notice, Notice.id == NoticeDelivery.notice_id)
        .join(Account, Account.id == Notice.account_id, isouter=True)
        .join(User, User.id == Account.user_id, isouter=True)
        .where(NoticeDelivery.way == way, NoticeDelivery.next_try_at <= now, NoticeDelivery.id.not_in(besides))
        .order_by(NoticeDelivery.next_try_at, NoticeDelivery.id)
        .limit(limit)
    )
    return [Due(row.id, row.way, row.target, row.try_count, _view(notice, name or "", ())) for row, notice, name in rows]


def delivered(session: Session, delivery: Due, *, now: datetime) -> None:
    """Say that a notice has arrived."""
    values = {"delivered_at": now, "next_try_at": None, "try_count": delivery.try_count + 1, "last_error": ""}
    session.execute(update(NoticeDelivery).where(NoticeDelivery.id == delivery.id).values(values))


def failed(session: Session, delivery: Due, error: str, *, now: datetime) -> None:
    """Keep why a notice did not arrive, and when it is tried again: after a pause that doubles, for three days."""
    pause_s = min(FIRST_PAUSE_S << min(delivery.try_count, 20), LONGEST_PAUSE_S)
    next_try_at = now + timedelta(seconds=pause_s)
    over = next_try_at > delivery.notice.raised_at + GIVE_UP_AFTER
    values = {"next_try_at": None if over else next_try_at, "try_count": delivery.try_count + 1, "last_error": error[:LONGEST_ERROR]}
    session.execute(update(NoticeDelivery).where(NoticeDelivery.id == delivery.id).values(values))
