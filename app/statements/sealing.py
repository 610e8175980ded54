"""The seal of a closed month: a SHA-256 over its figures and over every row of the ledger in it.

A row's line holds every column that the ledger writes, texts with their length before them, so that no two rows have one line.
The rows that debit the account come first, then those that credit it, each by date and id.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, select, text
from sqlalchemy.orm import Session

from app.db import AnyRow, Instant, of_microseconds, to_microseconds
from app.ledger import format_credits
from app.models import Account, ClosedStatement, table
from app.statements.intervals import Interval
from app.statements.rows import Reader

PAGE = 10_000
_CLOSED = table(ClosedStatement)

_MICROSECONDS = {"sqlite": "at", "postgresql": "CAST(EXTRACT(EPOCH FROM at) * 1000000 AS BIGINT)"}
_LINE = (
    "CAST({moment} AS TEXT) || '|' || id || '|' || kind || '|' || debit_id || '|' || credit_id || '|' || amount_uc || '|' || released_uc"
    " || '|' || COALESCE(CAST(message_id AS TEXT), '') || '|' || level || '|' || COALESCE(CAST(phase AS TEXT), '')"
    " || '|' || length(actor) || ':' || actor || '|' || length(reason) || ':' || reason || '|' || length(reference) || ':' || reference"
)
_BALANCE = {
    "debit": "CASE WHEN kind IN ('charge', 'release') THEN 0 ELSE -amount_uc END",
    "credit": "CASE WHEN kind IN ('charge', 'settle', 'release') THEN 0 ELSE amount_uc END",
}
_RESERVED = {
    "debit": "CASE kind WHEN 'charge' THEN amount_uc WHEN 'settle' THEN -amount_uc - released_uc WHEN 'release' THEN -amount_uc ELSE 0 END",
    "credit": "0",
}
_RECEIVED = {"debit": "1 = 1", "credit": "kind NOT IN ('charge', 'settle', 'release')"}


@dataclass(frozen=True, slots=True)
class Seal:
    """What the rows of an interval are: how many, the smallest and the largest id, and their digest."""

    row_count: int
    first_id: int | None
    last_id: int | None
    rows_digest: str

    def digest(self, figures: dict[str, Any]) -> str:
        """Return the digest of a closed month. `figures` are its columns that people read."""
        written = json.dumps(figures, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)
        return hashlib.sha256(f"{written}\n{self.rows_digest}".encode()).hexdigest()


def _plain(value: object) -> object:
    return to_microseconds(value) if isinstance(value, datetime) else str(value)


FIGURES = (
    "account_id",
    "number",
    "month",
    "started_at",
    "ends_at",
    "time_zone",
    "opening_uc",
    "added_uc",
    "used_uc",
    "closing_uc",
    "opening_reserved_uc",
    "closing_reserved_uc",
    "sent_count",
    "sent_segment_count",
    "received_count",
    "received_segment_count",
    "row_count",
    "first_id",
    "last_id",
    "groups",
)
"""Columns of a closed month that its digest covers."""


@dataclass(slots=True)
class _Hashing:
    """What is gathered while rows pass."""

    debits: Any = field(default_factory=hashlib.sha256)
    credits: Any = field(default_factory=hashlib.sha256)
    row_count: int = 0
    first_id: int | None = None
    last_id: int | None = None
    balance_uc: int = 0
    reserved_uc: int = 0

    def add(self, side: str, rows: Sequence[AnyRow]) -> None:
        """Take rows of one side, in their order. By the column, because a check passes every row of the ledger here."""
        if not rows:
            return
        _accounts, _moments, ids, lines, balances, reservations = zip(*rows, strict=True)
        (self.debits if side == "debit" else self.credits).update(("\n".join(lines) + "\n").encode())
        self.row_count += len(rows)
        self.first_id = min(ids) if self.first_id is None else min(self.first_id, *ids)
        self.last_id = max(ids) if self.last_id is None else max(self.last_id, *ids)
        self.balance_uc += int(sum(balances))
        self.reserved_uc += int(sum(reservations))

    def seal(self) -> Seal:
        rows = hashlib.sha256(self.debits.digest() + self.credits.digest()).hexdigest()
        return Seal(self.row_count, self.first_id, self.last_id, rows)


def seal(reader: Reader, account_id: int, interval: Interval) -> Seal:
    """Read the rows of an account in an interval, page by page, and return their seal."""
    gathered = _Hashing()
    for side in ("debit", "credit"):
        for page in _pages(reader, side, account_id, interval):
            gathered.add(side, page)
    return gathered.seal()


def _pages(reader: Reader, side: str, account_id: int, interval: Interval) -> Iterator[Sequence[AnyRow]]:
    at, number = interval.started_at, 0
    while True:
        with reader() as session:
            values = {"account": account_id, "at": at, "number": number, "until": interval.ends_at, "size": PAGE}
            page = session.execute(text(_page_sql(session, side)).bindparams(*_MOMENTS), values).all()
        if page:
            yield page
        if len(page) < PAGE:
            return
        at, number = of_microseconds(int(page[-1].moment)), page[-1].id


_MOMENTS: tuple[BindParameter[Any], ...] = (bindparam("at", type_=Instant()), bindparam("until", type_=Instant()))


def _columns(session: Session, side: str) -> str:
    moment = _MICROSECONDS[session.get_bind().dialect.name]
    return (
        f"{side}_id AS account_id, {moment} AS moment, id, {_LINE.format(moment=moment)} AS line, "
        f"{_BALANCE[side]} AS balance_uc, {_RESERVED[side]} AS reserved_uc"
    )


def _page_sql(session: Session, side: str) -> str:
    return (
        f"SELECT {_columns(session, side)} FROM transfers WHERE {side}_id = :account AND {_RECEIVED[side]} "  # noqa: S608  # our own text
        "AND (at, id) > (:at, :number) AND at < :until ORDER BY at, id LIMIT :size"
    )


# Checking again.


@dataclass(frozen=True, slots=True)
class SealFinding:
    """A closed month that is not what the rows say."""

    kind: str
    subject: str
    expected: str
    found: str


Passed = Callable[[int, int], None]
"""Called after each tenth of the rows of closed months with how many were read, and of how many."""


@dataclass(slots=True)
class _Chapter:
    """A closed month with what its rows came to. Moments are microseconds since 1970."""

    row: AnyRow
    started: int
    ends: int
    gathered: _Hashing = field(default_factory=_Hashing)


def recheck(session: Session, passed: Passed = lambda _done, _total: None) -> Iterator[SealFinding]:
    """Compute every closed month again from the rows, in one pass over the ledger, and yield what differs."""
    rows = session.execute(select(_CLOSED).order_by(_CLOSED.c.account_id, _CLOSED.c.ends_at)).all()
    if not rows:
        return
    chapters = [_Chapter(row, to_microseconds(row.started_at), to_microseconds(row.ends_at)) for row in rows]
    before: dict[int, _Hashing] = {}
    done, total, told = 0, sum(row.row_count for row in rows), 0
    for side in ("debit", "credit"):
        for count in _read_all(session, side, chapters, before):
            done += count
            if (tenths := min(10 * done // max(total, 1), 10)) > told:
                told = tenths
                passed(min(done, total), total)
    names = {row.id: row.name for row in session.execute(select(Account.id, Account.name))}
    previous: _Chapter | None = None
    for chapter in chapters:
        if previous is not None and previous.row.account_id != chapter.row.account_id:
            previous = None
        subject = f"statement {chapter.row.month} of {names.get(chapter.row.account_id, chapter.row.account_id)}"
        yield from _differences(subject, chapter, previous, before.get(chapter.row.account_id, _Hashing()))
        previous = chapter


def _read_all(session: Session, side: str, chapters: Sequence[_Chapter], before: dict[int, _Hashing]) -> Iterator[int]:
    """Hand every row to the month that it lies in, and yield how many there were, page by page; the rows come in the order of the
    months. What lies before an account's first month is what that one opens with."""
    sql = (
        f"SELECT {_columns(session, side)} FROM transfers "  # noqa: S608  # our own text
        f"WHERE {side}_id BETWEEN :first AND :last AND {_RECEIVED[side]} ORDER BY {side}_id, at, id"
    )
    values = {"first": chapters[0].row.account_id, "last": chapters[-1].row.account_id}
    ends = [(chapter.row.account_id, chapter.ends) for chapter in chapters]
    # Not by `yield_per`, which does nothing for a statement of text: all rows would be in memory, and come one by one.
    with session.execute(text(sql), values, execution_options={"stream_results": True}) as found:
        for page in found.partitions(PAGE):
            start = 0
            while start < len(page):
                # Rows up to the end of one chapter belong together: to it, or they lie before the first of its account.
                index = bisect_right(ends, _place(page[start]))
                if index == len(chapters):
                    yield start
                    return
                end = bisect_left(page, ends[index], start, key=_place)
                _hand_over(chapters, index, side, page[start:end], before)
                start = end
            yield len(page)


def _place(row: AnyRow) -> tuple[int, int]:
    return row.account_id, row.moment


def _hand_over(chapters: Sequence[_Chapter], index: int, side: str, rows: Sequence[AnyRow], before: dict[int, _Hashing]) -> None:
    """Give rows that end before a chapter does to it; what lies before an account's first month is kept apart."""
    chapter = chapters[index]
    account_id, first = chapter.row.account_id, index == 0 or chapters[index - 1].row.account_id != chapter.row.account_id
    own = bisect_left(rows, account_id, key=lambda row: row.account_id)
    inside = bisect_left(rows, (account_id, chapter.started), own, key=_place)
    chapter.gathered.add(side, rows[inside:])
    if first:
        before.setdefault(account_id, _Hashing()).add(side, rows[own:inside])


def _differences(subject: str, chapter: _Chapter, previous: _Chapter | None, before: _Hashing) -> Iterator[SealFinding]:
    row, gathered = chapter.row, chapter.gathered
    opening = (previous.row.closing_uc, previous.row.closing_reserved_uc) if previous else (before.balance_uc, before.reserved_uc)
    if (row.opening_uc, row.opening_reserved_uc) != opening or (previous is not None and previous.row.ends_at != row.started_at):
        yield SealFinding("statement_opening", subject, _pair(*opening), _pair(row.opening_uc, row.opening_reserved_uc))
    closing = (row.opening_uc + gathered.balance_uc, row.opening_reserved_uc + gathered.reserved_uc)
    if (row.closing_uc, row.closing_reserved_uc) != closing or row.closing_uc != row.opening_uc + row.added_uc - row.used_uc:
        yield SealFinding("statement_closing", subject, _pair(*closing), _pair(row.closing_uc, row.closing_reserved_uc))
    sealed = gathered.seal()
    digest = sealed.digest({name: getattr(row, name) for name in FIGURES})
    if digest != row.digest:
        words = f"{sealed.row_count} rows, digest {digest[:16]}…"
        yield SealFinding("statement_digest", subject, words, f"{row.row_count} rows, digest {row.digest[:16]}…")


def _pair(balance_uc: int, reserved_uc: int) -> str:
    return f"{format_credits(balance_uc)}, reserved {format_credits(reserved_uc)}"
