"""The rows of the ledger in the order of their ids, page by page: a long export must not hold the database's log back."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, aliased

from app.db import Database, Unavailable
from app.identifiers import public_id
from app.ledger import format_credits
from app.models import Account, Transfer, table
from app.statements import Reader

PAGE = 5_000
PATIENCE_S = 30.0
LOOK_AGAIN_S = 0.02

_TRANSFERS = table(Transfer)


@dataclass(frozen=True, slots=True)
class Range:
    """Which rows: up to `last_id`, dated from `since` on and before `until`, of one account or of all."""

    last_id: int
    since: datetime | None = None
    until: datetime | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One transfer with the names of its two accounts."""

    transfer: Transfer
    debit: str
    credit: str
    currency: str


def horizon(database: Database) -> int:
    """Return an id up to which every row is there that ever will be.

    On PostgreSQL a row may have a smaller id than one that was committed before it. So this waits until all transactions have
    ended that were under way when the largest id was read. Raises: Unavailable where one of them does not end.
    """
    with database.read() as session:
        last: int = session.execute(select(func.max(Transfer.id))).scalar() or 0
        if database.dialect != "postgresql":
            return last
        edge = session.execute(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")).scalar_one()
    given_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < given_up_at:
        with database.read() as session:
            oldest = session.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one()
        if oldest >= edge:
            return last
        time.sleep(LOOK_AGAIN_S)
    raise Unavailable("A transaction has been open for long, and its rows may still come. End it, or try again later.")


def transfers(reader: Reader, chosen: Range, *, booked: bool = False) -> Iterator[Row]:
    """Yield rows by id; with `booked` only those that move a balance."""
    behind = 0
    while True:
        with reader() as session:
            page = _page(session, behind, chosen, booked=booked)
        yield from page
        if len(page) < PAGE:
            return
        behind = page[-1].transfer.id


def _page(session: Session, behind: int, chosen: Range, *, booked: bool) -> list[Row]:
    debit, credit = aliased(Account), aliased(Account)
    statement = (
        select(Transfer, debit.name, credit.name, debit.currency)
        .join(debit, debit.id == Transfer.debit_id)
        .join(credit, credit.id == Transfer.credit_id)
        .where(Transfer.id > behind, Transfer.id <= chosen.last_id)
        .order_by(Transfer.id)
        .limit(PAGE)
    )
    if chosen.account_id is not None:
        statement = statement.where((Transfer.debit_id == chosen.account_id) | (Transfer.credit_id == chosen.account_id))
    if chosen.since is not None:
        statement = statement.where(Transfer.at >= chosen.since)
    if chosen.until is not None:
        statement = statement.where(Transfer.at < chosen.until)
    if booked:
        statement = statement.where(Transfer.kind.not_in(("charge", "release")))
    found = [Row(*row) for row in session.execute(statement)]
    session.expunge_all()
    return found


def described(row: Row) -> dict[str, Any]:
    """Return a row with names and exact amounts."""
    transfer = row.transfer
    return {
        "id": transfer.id,
        "at": transfer.at,
        "kind": transfer.kind,
        "debit": row.debit,
        "credit": row.credit,
        "currency": row.currency,
        "amount": format_credits(transfer.amount_uc),
        "released": format_credits(transfer.released_uc),
        "message": public_id(transfer.message_id) if transfer.message_id is not None else "",
        "actor": transfer.actor,
        "reason": transfer.reason,
        "reference": transfer.reference,
    }
