"""The chart of accounts of an export, with what each has at its beginning and at its end. Units: microcredits.

A customer's credit is what the operator owes him: a liability. It is paid for with funding, an asset, and becomes income when
messages take it. Our transfer debits one account and credits another in the very sense of the bookkeeper.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.orm import Session

from app.exports.rows import Range
from app.models import Account, Transfer, User, table

_TRANSFERS = table(Transfer)
_PLACES: Mapping[str, str] = {
    "user": "Liabilities:Customers",
    "funding": "Assets",
    "revenue": "Income",
    "supplier": "Liabilities:Suppliers",
}
OTHERS = "Equity:Others"
OPENING = "Equity:Opening-Balances"
"""Whence the balances come that an export of an interval begins with."""

BOOKED = text("transfers.kind NOT IN ('charge', 'release')")
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class BookAccount:
    """An account as the export names it. Both balances are debits less credits: a customer's credit is negative."""

    id: int
    title: str
    name: str
    currency: str
    opening_uc: int
    closing_uc: int


@dataclass(frozen=True, slots=True)
class Book:
    """All accounts of an export by id, and its commodities by the ledger's currency."""

    accounts: Mapping[int, BookAccount]
    commodities: Mapping[str, str]


def open_book(session: Session, chosen: Range) -> Book:
    """Return the accounts of an export.

    What customers have at its end comes from the balances that their accounts keep, not from the rows that are exported: that
    both agree is for the accountant's tool to say. Shape: `session` sees one state of the database.
    """
    rows = session.execute(select(Account, User.username).outerjoin(User, User.id == Account.user_id).order_by(Account.id)).all()
    inside = _TRANSFERS.c.id <= chosen.last_id
    before = _sums(session, inside, _TRANSFERS.c.at < chosen.since) if chosen.since is not None else {}
    beyond = _TRANSFERS.c.id > chosen.last_id
    later = _sums(session, beyond if chosen.until is None else or_(beyond, _TRANSFERS.c.at >= chosen.until))
    ended = _sums(session, inside) if chosen.until is None else _sums(session, inside, _TRANSFERS.c.at < chosen.until)
    accounts = {}
    for account, username in rows:
        kept = account.user_id is not None
        closing_uc = -account.balance_uc - later.get(account.id, 0) if kept else ended.get(account.id, 0)
        title = username or account.name
        accounts[account.id] = BookAccount(
            account.id, title, _name(account, title), account.currency, before.get(account.id, 0), closing_uc
        )
    return Book(accounts, _commodities({account.currency for account, _ in rows}))


def _sums(session: Session, *conditions: ColumnElement[bool]) -> dict[int, int]:
    """Return debits less credits of every account over some rows."""
    found: dict[int, int] = {}
    for sign, column in ((1, _TRANSFERS.c.debit_id), (-1, _TRANSFERS.c.credit_id)):
        chosen = select(column, func.sum(_TRANSFERS.c.amount_uc)).where(BOOKED, *conditions).group_by(column)
        for account_id, amount_uc in session.execute(chosen):
            found[account_id] = found.get(account_id, 0) + sign * int(amount_uc)
    return found


def _name(account: Account, title: str) -> str:
    """Return a name that both tools take: colons part it, and each part is of letters, digits and dashes. The id makes it unique."""
    place = _PLACES.get(account.kind, OTHERS)
    spoken = _UNSPEAKABLE.sub("-", title).strip("-") or "Account"
    spoken = spoken[0].upper() + spoken[1:]
    return f"{place}:{spoken}" if account.name == account.kind else f"{place}:{spoken}-{account.id}"


def _commodities(currencies: set[str]) -> dict[str, str]:
    """Return a commodity for each currency: capitals and digits, beginning with a letter, no two alike."""
    found: dict[str, str] = {}
    for currency in sorted(currencies):
        spoken = _UNSPEAKABLE.sub("", currency.upper())
        spoken = spoken if spoken[:1].isalpha() and len(spoken) > 1 else f"CUR{spoken}X"
        number = 1
        while (name := spoken if number == 1 else f"{spoken}-{number}") in found.values():
            number += 1
        found[currency] = name
    return found
