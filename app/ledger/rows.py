"""Rows of the ledger, and the accounts that they move: locked in one order, written once, summed at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.arrays import among
from app.bulk import insert_free_rows, insert_rows
from app.db import AnyRow
from app.ledger.values import Kind
from app.models import Account, Transfer, table
from pennywire.money import LARGEST_UC

TRANSFERS = table(Transfer)
_ACCOUNTS = table(Account)


def system_account(session: Session, name: str) -> int:
    """Return the id of `funding` or `revenue`, which the migration made."""
    return session.execute(select(Account.id).where(Account.name == name)).scalar_one()


# Statements that every message needs are made once: making them costs more than running them.
_LOCK = (
    select(
        _ACCOUNTS.c.id,
        _ACCOUNTS.c.balance_uc,
        _ACCOUNTS.c.reserved_uc,
        _ACCOUNTS.c.limit_uc,
        _ACCOUNTS.c.unlimited,
        _ACCOUNTS.c.closed_until,
        _ACCOUNTS.c.limited,
        _ACCOUNTS.c.time_zone,
        _ACCOUNTS.c.week_start,
        _ACCOUNTS.c.parent_id,
        _ACCOUNTS.c.currency,
    )
    .where(among(_ACCOUNTS.c.id, "ids"))
    .order_by(_ACCOUNTS.c.id)
    .with_for_update()
)
_MOVE = (
    update(_ACCOUNTS)
    .where(_ACCOUNTS.c.id == bindparam("account"))
    .values(balance_uc=_ACCOUNTS.c.balance_uc + bindparam("balance"), reserved_uc=_ACCOUNTS.c.reserved_uc + bindparam("reserved"))
)
_PHASE = select(TRANSFERS.c.message_id, TRANSFERS.c.level, TRANSFERS.c.kind, TRANSFERS.c.amount_uc).where(
    among(TRANSFERS.c.message_id, "ids"), TRANSFERS.c.phase == bindparam("phase")
)
_PLACE = "(message_id, level, phase) WHERE message_id IS NOT NULL"
UNSYNCHRONISED = {"synchronize_session": False}


def lock_accounts(session: Session, account_ids: Iterable[int]) -> dict[int, AnyRow]:
    """Lock accounts in the order of their ids, as every path does, and return what moving credit needs to know."""
    return {row.id: row for row in session.execute(_LOCK, {"ids": sorted(set(account_ids))})}


def dated(now: datetime, *accounts: AnyRow) -> datetime:
    """Return the moment of a row of locked accounts: `now`, but never within a month of theirs that is closed.

    The clocks of several machines differ, and a transaction may have waited: closing locks the account too, so whoever comes
    behind it sees `closed_until`, and a closed month gets no more rows.
    """
    return max(
        (account.closed_until for account in accounts if account.closed_until is not None and account.closed_until > now), default=now
    )


def insert_new(session: Session, rows: Sequence[dict[str, Any]]) -> set[tuple[int, int]]:
    """Insert rows whose (message_id, level, phase) is free and return their message ids and levels."""
    if not rows:
        return set()
    taken = rows_of_phase(session, (row["message_id"] for row in rows), rows[0]["phase"])
    fresh: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        if (row["message_id"], row["level"]) not in taken:
            fresh.setdefault((row["message_id"], row["level"]), row)
    if not fresh:
        return set()
    if session.get_bind().dialect.name == "sqlite":  # the write lock is ours: nobody came between
        insert_rows(session, TRANSFERS, list(fresh.values()))
        return set(fresh)
    return {(row.message_id, row.level) for row in insert_free_rows(session, TRANSFERS, list(fresh.values()), _PLACE)}


def rows_of_phase(session: Session, message_ids: Iterable[int], phase: int) -> dict[tuple[int, int], tuple[str, int]]:
    """Return kind and amount of the rows of messages in one phase, by message id and level."""
    wanted = sorted(set(message_ids))
    rows = session.execute(_PHASE, {"ids": wanted, "phase": phase}) if wanted else ()
    return {(row.message_id, row.level): (row.kind, row.amount_uc) for row in rows}


def move_sums(session: Session, moved: dict[int, list[int]]) -> None:
    """Add to balances and reservations, `{account: [balance, reserved]}`, in the order of the ids."""
    for account_id in sorted(moved):
        balance, reserved = moved[account_id]
        if not balance and not reserved:
            continue
        values = {"account": account_id, "balance": balance, "reserved": reserved}
        session.execute(_MOVE, values, execution_options=UNSYNCHRONISED)


def transfer_row(
    kind: Kind,
    debit_id: int,
    credit_id: int,
    amount_uc: int,
    now: datetime,
    actor: str,
    *,
    message_id: int | None = None,
    level: int = 0,
    phase: int | None = None,
    released_uc: int = 0,
    reason: str = "",
    reference: str = "",
) -> dict[str, Any]:
    assert 0 <= amount_uc <= LARGEST_UC
    return {
        "at": now,
        "kind": kind.value,
        "debit_id": debit_id,
        "credit_id": credit_id,
        "amount_uc": amount_uc,
        "released_uc": released_uc,
        "message_id": message_id,
        "level": level,
        "phase": phase,
        "actor": actor,
        "reason": reason,
        "reference": reference,
    }
