"""Rows of the ledger, and the accounts that they move: locked in one order, written once, summed at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.arrays import among
from app.bulk import insert_free_rows, insert_rows, move_rows
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
_PHASE = select(TRANSFERS.c.message_id, TRANSFERS.c.level, TRANSFERS.c.kind, TRANSFERS.c.amount_uc).where(
    among(TRANSFERS.c.message_id, "ids"), TRANSFERS.c.phase == bindparam("phase")
)
_PLACE = "(message_id, level, phase) WHERE message_id IS NOT NULL"
_IN_CREDIT = "t.unlimited OR t.balance_uc - t.reserved_uc - {reserved_uc} >= t.limit_uc"


def lock_accounts(session: Session, account_ids: Iterable[int]) -> dict[int, AnyRow]:
    """Lock accounts in the order of their ids, as every path does, and return what moving credit needs to know."""
    # Past the session, which would ask first what of it concerns the ORM: every message pays for that.
    return {row.id: row for row in session.connection().execute(_LOCK, {"ids": sorted(set(account_ids))})}


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


def move_sums(session: Session, moved: Mapping[int, Sequence[int]]) -> None:
    """Add to the balances and reservations of locked accounts. Shape: `{account: (balance, reserved)}`."""
    rows = [(balance, reserved, account_id) for account_id, (balance, reserved) in sorted(moved.items()) if balance or reserved]
    _expect(move_rows(session, _ACCOUNTS, ["id"], ["balance_uc", "reserved_uc"], rows), len(rows))


def reserve(session: Session, totals: Mapping[int, int]) -> None:
    """Raise the reservations of locked accounts, of which each has enough. Shape: `{account: microcredits}`."""
    rows = [(total_uc, account_id) for account_id, total_uc in sorted(totals.items())]
    _expect(move_rows(session, _ACCOUNTS, ["id"], ["reserved_uc"], rows, _IN_CREDIT), len(rows))


def _expect(moved_count: int, wanted_count: int) -> None:
    """Hold the database to what was read under the accounts' locks: every move must hit."""
    if moved_count != wanted_count:
        raise AssertionError("A locked account changed under its lock.")


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
