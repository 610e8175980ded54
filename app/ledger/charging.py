"""Charges: credit is reserved for messages in their order, while credit and limits last; incoming messages are settled at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.arrays import among
from app.bulk import insert_rows
from app.ledger.rows import TRANSFERS, dated, lock_accounts, move_sums, reserve, transfer_row
from app.ledger.values import CHARGE_PHASE, END_PHASE, Charge, Kind, Lack
from app.limits import Meter

_ABOVE = (
    select(TRANSFERS.c.message_id, TRANSFERS.c.level, TRANSFERS.c.debit_id, TRANSFERS.c.amount_uc)
    .where(among(TRANSFERS.c.message_id, "ids"), TRANSFERS.c.level > 0, TRANSFERS.c.phase == CHARGE_PHASE)
    .order_by(TRANSFERS.c.message_id, TRANSFERS.c.level)
)


class _Till:
    """The locked accounts of one batch of charges: what is free of each, what was taken, what counts towards limits."""

    def __init__(self, session: Session, charges: Sequence[Charge], *, now: datetime) -> None:
        accounts = lock_accounts(session, (account_id for item in charges for account_id, _ in item.legs()))
        self.moments = {row.id: dated(now, row) for row in accounts.values()}
        self.totals: dict[int, int] = {}
        self.meter = Meter(session, [row for row in accounts.values() if row.limited], now=now)
        self._limited = {row.id for row in accounts.values() if row.limited}
        self._free: dict[int, int | None] = {
            row.id: None if row.unlimited else row.balance_uc - row.reserved_uc - row.limit_uc for row in accounts.values()
        }

    def take(self, item: Charge) -> Lack | None:
        """Take a charge from all its levels; or from none, and return what it lacks, the lowest level first."""
        legs = item.legs()
        for level, (account_id, amount_uc) in enumerate(legs):
            left = self._free[account_id]
            if amount_uc and left is not None and amount_uc > left:
                return Lack(level)
            if account_id in self._limited and (reached := self.meter.reached(account_id, item.segment_count, amount_uc)) is not None:
                return Lack(level, reached)
        for account_id, amount_uc in legs:
            left = self._free[account_id]
            if left is not None:
                self._free[account_id] = left - amount_uc
            if amount_uc:
                self.totals[account_id] = self.totals.get(account_id, 0) + amount_uc
            if account_id in self._limited:
                self.meter.count(account_id, item.segment_count, amount_uc)
        return None


def charge(session: Session, charges: Sequence[Charge], *, now: datetime, actor: str, revenue_id: int) -> list[Lack | None]:
    """Reserve credit for messages in their order while it lasts; return None for each that was reserved, else what was lacking.

    An account's balance minus its reservations never falls below its limit, and what is accepted in a period stays within the
    account's period limits. A message is charged to all its levels or to none.
    """
    if not charges:
        return []
    till = _Till(session, charges, now=now)
    lacks: list[Lack | None] = []
    rows: list[dict[str, Any]] = []
    for item in charges:
        lack = till.take(item)
        lacks.append(lack)
        if lack is None:
            rows += _charge_rows(item, till.moments, actor, revenue_id)
    insert_rows(session, TRANSFERS, rows)
    reserve(session, till.totals)
    till.meter.write()
    return lacks


def _charge_rows(item: Charge, moments: Mapping[int, datetime], actor: str, revenue_id: int) -> list[dict[str, Any]]:
    """Return a row for each level. An account above has one even for nothing: it says whose limits the message counts towards."""
    return [
        transfer_row(
            Kind.CHARGE,
            account_id,
            revenue_id,
            amount_uc,
            moments[account_id],
            actor,
            message_id=item.message_id,
            level=level,
            phase=CHARGE_PHASE,
        )
        for level, (account_id, amount_uc) in enumerate(item.legs())
        if amount_uc or level
    ]


def charges_above(session: Session, message_ids: Iterable[int]) -> dict[int, list[tuple[int, int, int]]]:
    """Return (level, account, amount) of what accounts above were charged for messages, by message. Without messages nothing is asked."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    wanted = sorted(message_ids)
    for row in session.execute(_ABOVE, {"ids": wanted}) if wanted else ():
        found.setdefault(row.message_id, []).append((row.level, row.debit_id, row.amount_uc))
    return found


def take_inbound(session: Session, charges: Sequence[Charge], *, now: datetime, actor: str, revenue_id: int, guarded: bool) -> list[bool]:
    """Charge incoming messages and settle at once; a negative amount pays the user. Say for each whether it was taken.

    With `guarded` an account is not taken below its limit; without, it may go below, because the message is there already.
    Charges count towards period limits in credits, which never refuse an incoming message; the accounts above pay nothing.
    """
    if not charges:
        return []
    accounts = lock_accounts(session, (item.account_id for item in charges))
    free = {row.id: row.balance_uc - row.reserved_uc - row.limit_uc for row in accounts.values()}
    meter = Meter(session, [row for row in accounts.values() if row.limited], now=now)
    rows: list[dict[str, Any]] = []
    moved: dict[int, list[int]] = {}
    taken: list[bool] = []
    for item in charges:
        fits = not guarded or accounts[item.account_id].unlimited or item.amount_uc <= max(free[item.account_id], 0)
        taken.append(fits)
        if not fits:
            continue
        free[item.account_id] -= item.amount_uc
        moved.setdefault(item.account_id, [0, 0])[0] -= item.amount_uc
        meter.count(item.account_id, 0, max(item.amount_uc, 0))
        rows += _inbound_rows(item, dated(now, accounts[item.account_id]), actor, revenue_id)
    if rows:
        insert_rows(session, TRANSFERS, rows)
    move_sums(session, moved)
    meter.write()
    return taken


def _inbound_rows(item: Charge, now: datetime, actor: str, revenue_id: int) -> list[dict[str, Any]]:
    if item.amount_uc < 0:
        return [
            transfer_row(Kind.PAY, revenue_id, item.account_id, -item.amount_uc, now, actor, message_id=item.message_id, phase=END_PHASE)
        ]
    return [
        transfer_row(kind, item.account_id, revenue_id, item.amount_uc, now, actor, message_id=item.message_id, phase=phase)
        for kind, phase in ((Kind.CHARGE, CHARGE_PHASE), (Kind.SETTLE, END_PHASE))
    ]
