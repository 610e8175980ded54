"""An account's rows of the ledger as its owner sees them, newest first, each with the balance after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, text, tuple_
from sqlalchemy.orm import Session

from app.ledger import Kind
from app.models import Account, Transfer
from app.web.pages import PAGE_SIZE

_RECEIVED = text("transfers.kind NOT IN ('charge', 'settle', 'release')")
"""What the index of received rows holds, word for word: SQLite uses it only then."""

_NO_EFFECT = (Kind.CHARGE.value, Kind.RELEASE.value)
_RESERVED: Mapping[str, int] = {Kind.CHARGE: 1, Kind.SETTLE: -1, Kind.RELEASE: -1}


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Units: microcredits; `change_uc` is what it does to the balance, `after_uc` the balance behind it."""

    transfer: Transfer
    change_uc: int
    reserved_uc: int
    after_uc: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first; `older` names the last of them where there are more."""

    rows: tuple[Row, ...]
    older: int | None


def page(session: Session, account: Account, before: int | None) -> Page:
    """Return the newest rows, or those before one. Shape: `session` sees one state of the database, `account` is of that state."""
    place = session.get(Transfer, before) if before is not None else None
    found = _rows(session, account.id, (place.at, place.id) if place else None)
    balance_uc = account.balance_uc - (_effect_since(session, account.id, (place.at, place.id)) if place else 0)
    rows = []
    for transfer in found[:PAGE_SIZE]:
        change_uc = _change(transfer, account.id)
        sign = _RESERVED.get(transfer.kind, 0) if transfer.debit_id == account.id else 0
        reserved_uc = sign * (transfer.amount_uc + transfer.released_uc)
        rows.append(Row(transfer, change_uc, reserved_uc, balance_uc))
        balance_uc -= change_uc
    return Page(tuple(rows), found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None)


def _rows(session: Session, account_id: int, before: tuple[datetime, int] | None) -> list[Transfer]:
    """Return a page of an account's rows and one more if there is more. Two indexes find the two sides."""
    sides = (select(Transfer).where(Transfer.debit_id == account_id), select(Transfer).where(Transfer.credit_id == account_id, _RECEIVED))
    found: list[Transfer] = []
    for side in sides:
        statement = side if before is None else side.where(tuple_(Transfer.at, Transfer.id) < _place(before))
        found += session.scalars(statement.order_by(Transfer.at.desc(), Transfer.id.desc()).limit(PAGE_SIZE + 1))
    found.sort(key=lambda transfer: (transfer.at, transfer.id), reverse=True)
    return found[: PAGE_SIZE + 1]


def _place(place: tuple[datetime, int]) -> Any:
    return tuple_(*place, types=[Transfer.at.type, Transfer.id.type])


def _change(transfer: Transfer, account_id: int) -> int:
    if transfer.debit_id == account_id:
        return 0 if transfer.kind in _NO_EFFECT else -transfer.amount_uc
    return transfer.amount_uc


def _effect_since(session: Session, account_id: int, place: tuple[datetime, int]) -> int:
    """Return what a row and all newer ones did to the balance."""
    newer: ColumnElement[bool] = tuple_(Transfer.at, Transfer.id) >= _place(place)
    taken = case((Transfer.kind.in_(_NO_EFFECT), 0), else_=Transfer.amount_uc)
    debited = session.execute(select(func.sum(taken)).where(Transfer.debit_id == account_id, newer)).scalar()
    credited = session.execute(select(func.sum(Transfer.amount_uc)).where(Transfer.credit_id == account_id, _RECEIVED, newer)).scalar()
    return int(credited or 0) - int(debited or 0)
