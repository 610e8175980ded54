"""The ledger as a journal that an accountant's own tool reads and adds up: beancount 3 or hledger.

Only what moves a balance is booked: a reservation is no debt yet. The journal ends with what every account must have then; the
tool complains where its own sum differs.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.exports.accounts import OPENING, Book, BookAccount
from app.exports.rows import Range, Row, transfers
from app.identifiers import public_id
from app.ledger import MICRO
from app.periods import zone
from app.statements import Reader

EPOCH = date(1970, 1, 1)
_STEERING = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One transaction, whatever the tool. `postings` are (account, microcredits, currency); `notes` are names and texts."""

    on: date
    title: str
    text: str
    number: int
    postings: tuple[tuple[str, int, str], ...]
    notes: Mapping[str, str]


def journal(reader: Reader, book: Book, chosen: Range, form: str, *, time_zone: str, made_at: datetime) -> Iterator[str]:
    """Yield the journal of a range of rows in pieces. `form` is one of `FORMATS`; days are those of the time zone."""
    dialect = FORMATS[form]
    here = zone(time_zone)
    yield dialect.head(
        list(book.accounts.values()), book, f"The ledger of Pennywire, written {made_at:%Y-%m-%d %H:%M} UTC; days are those of {time_zone}."
    )
    first = chosen.since.astimezone(here).date() if chosen.since is not None else None
    if first is not None:
        yield from (dialect.entry(entry) for entry in _openings(book, chosen, first))
    last = first
    for row in transfers(reader, chosen, booked=True):
        entry = _entry(row, book, row.transfer.at.astimezone(here))
        last = entry.on if last is None else max(last, entry.on)
        yield dialect.entry(entry)
    end = last or made_at.astimezone(here).date()
    asserted = [account for account in book.accounts.values() if chosen.account_id in (None, account.id)]
    yield dialect.tail(asserted, book, end)


def _openings(book: Book, chosen: Range, on: date) -> Iterator[_Entry]:
    for account in book.accounts.values():
        if account.opening_uc and chosen.account_id in (None, account.id):
            commodity = book.commodities[account.currency]
            postings = ((account.name, account.opening_uc, commodity), (OPENING, -account.opening_uc, commodity))
            yield _Entry(on, "Opening", account.title, 0, postings, {})


def _entry(row: Row, book: Book, at: datetime) -> _Entry:
    transfer = row.transfer
    debit, credit = book.accounts[transfer.debit_id], book.accounts[transfer.credit_id]
    commodity = book.commodities[debit.currency]
    notes = {
        "transfer": str(transfer.id),
        "time": at.isoformat(),
        "message": public_id(transfer.message_id) if transfer.message_id is not None else "",
        "reference": transfer.reference,
        "actor": transfer.actor,
    }
    return _Entry(
        at.date(),
        transfer.kind.replace("_", " ").capitalize(),
        transfer.reason,
        transfer.id,
        ((debit.name, transfer.amount_uc, commodity), (credit.name, -transfer.amount_uc, commodity)),
        {name: value for name, value in notes.items() if value},
    )


def _amount(amount_uc: int) -> str:
    whole, micro = divmod(abs(amount_uc), MICRO)
    return f"{'-' if amount_uc < 0 else ''}{whole}.{micro:06d}"


def _one_line(words: str) -> str:
    return _STEERING.sub(" ", words).strip()


# Beancount. Source: Beancount Language Syntax.


def _quoted(words: str) -> str:
    escaped = _one_line(words).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _beancount_head(accounts: list[BookAccount], book: Book, words: str) -> str:
    lines = [f"; {words}", 'option "title" "Pennywire"', ""]
    lines += [f"{EPOCH} commodity {commodity}\n  name: {_quoted(currency)}" for currency, commodity in book.commodities.items()]
    lines.append(f"{EPOCH} open {OPENING}")
    lines += [f"{EPOCH} open {item.name} {book.commodities[item.currency]}\n  name: {_quoted(item.title)}" for item in accounts]
    return "\n".join(lines) + "\n\n"


def _beancount_entry(entry: _Entry) -> str:
    lines = [f"{entry.on} * {_quoted(entry.title)} {_quoted(entry.text)}"]
    lines += [f"  {name}: {_quoted(value)}" for name, value in entry.notes.items()]
    lines += [f"  {account}  {_amount(amount_uc)} {commodity}" for account, amount_uc, commodity in entry.postings]
    return "\n".join(lines) + "\n\n"


def _beancount_tail(accounts: list[BookAccount], book: Book, last: date) -> str:
    """Assert balances at the beginning of the day behind the last one, without the tolerance that beancount grants by itself."""
    day = last + timedelta(days=1)
    lines = [f"{day} balance {item.name}  {_amount(item.closing_uc)} ~ 0 {book.commodities[item.currency]}" for item in accounts]
    return "\n".join(lines) + "\n"


# hledger. Source: hledger manual, Journal.


def _hledger_head(accounts: list[BookAccount], book: Book, words: str) -> str:
    lines = [f"; {words}", ""]
    lines += [f'commodity 1.000000 "{commodity}"' for commodity in book.commodities.values()]
    lines += [f"account {OPENING}", *(f"account {item.name}" for item in accounts)]
    return "\n".join(lines) + "\n\n"


def _hledger_entry(entry: _Entry) -> str:
    """A semicolon would begin a comment and a bar part payee and note; the reason is kept word for word in a comment."""
    number = f" ({entry.number})" if entry.number else ""
    lines = [f"{entry.on} *{number} {entry.title}"]
    notes = {"reason": entry.text} if entry.text else {}
    lines += [f"    ; {name}: {_one_line(value)}" for name, value in (notes | dict(entry.notes)).items()]
    lines += [f'    {account}  {_amount(amount_uc)} "{commodity}"' for account, amount_uc, commodity in entry.postings]
    return "\n".join(lines) + "\n\n"


def _hledger_tail(accounts: list[BookAccount], book: Book, last: date) -> str:
    lines = [f"{last} * Balances"]
    for item in accounts:
        commodity = f'"{book.commodities[item.currency]}"'
        lines.append(f"    {item.name}  0 {commodity} = {_amount(item.closing_uc)} {commodity}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Dialect:
    head: Callable[[list[BookAccount], Book, str], str]
    entry: Callable[[_Entry], str]
    tail: Callable[[list[BookAccount], Book, date], str]


FORMATS: Mapping[str, _Dialect] = {
    "beancount": _Dialect(_beancount_head, _beancount_entry, _beancount_tail),
    "hledger": _Dialect(_hledger_head, _hledger_entry, _hledger_tail),
}
