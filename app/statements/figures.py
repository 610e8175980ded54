"""What a statement is made of: changes, lines, reservations; and what a row does to its two accounts. Units: microcredits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, text

from app.ledger import Kind
from app.models import ClosedStatement, Transfer, table
from app.statements.intervals import Interval

GROUPINGS = ("kind", "day", "route", "destination")

RECEIVES = text("transfers.kind NOT IN ('charge', 'settle', 'release')")
"""What the index of received rows holds; as text, since SQLite uses a partial index only where it can read the condition."""

_TRANSFERS = table(Transfer)


@dataclass(frozen=True, slots=True)
class Change:
    """What rows do to an account's balance and to its reservations."""

    balance_uc: int = 0
    reserved_uc: int = 0

    def __add__(self, other: "Change") -> "Change":
        return Change(self.balance_uc + other.balance_uc, self.reserved_uc + other.reserved_uc)

    def __sub__(self, other: "Change") -> "Change":
        return Change(self.balance_uc - other.balance_uc, self.reserved_uc - other.reserved_uc)


@dataclass(frozen=True, slots=True)
class Line:
    """Movements of the balance that a grouping puts together. `segment_count` counts those of settled messages."""

    key: str
    label: str
    row_count: int = 0
    segment_count: int = 0
    plus_uc: int = 0
    minus_uc: int = 0

    @property
    def change_uc(self) -> int:
        return self.plus_uc - self.minus_uc

    def joined(self, other: "Line") -> "Line":
        """Return both lines as one."""
        return Line(
            self.key,
            self.label,
            self.row_count + other.row_count,
            self.segment_count + other.segment_count,
            self.plus_uc + other.plus_uc,
            self.minus_uc + other.minus_uc,
        )


@dataclass(frozen=True, slots=True)
class Reservations:
    """What was set aside, and how that ended: `taken_uc` was settled, `returned_uc` released."""

    reserved_uc: int = 0
    taken_uc: int = 0
    returned_uc: int = 0

    @property
    def change_uc(self) -> int:
        return self.reserved_uc - self.taken_uc - self.returned_uc


@dataclass(frozen=True, slots=True)
class Statement:
    """One account over one interval. `closed` is the frozen row where the interval is a closed month."""

    account_id: int
    username: str
    currency: str
    interval: Interval
    opening: Change
    closing: Change
    groups: Mapping[str, Sequence[Line]]
    reservations: Reservations
    closed: ClosedStatement | None = field(default=None, compare=False)

    @property
    def change_uc(self) -> int:
        """Sum of the movements of the balance."""
        return sum(line.change_uc for line in self.groups["kind"])

    @property
    def added_uc(self) -> int:
        """What moved without a message: top-ups, corrections and their like."""
        return sum(line.change_uc for line in self.groups["route"] if line.key == "")

    @property
    def used_uc(self) -> int:
        """What messages took, less what was given back."""
        return self.added_uc - self.change_uc

    @property
    def adds_up(self) -> bool:
        """Say whether opening and movements make the closing, for the balance and for the reservations."""
        balance = self.opening.balance_uc + self.change_uc == self.closing.balance_uc
        return balance and self.opening.reserved_uc + self.reservations.change_uc == self.closing.reserved_uc


def effect(kind: str, amount_uc: int, released_uc: int, *, debited: bool) -> Change:
    """Return what rows of one kind do to one of their two accounts."""
    if kind == Kind.CHARGE:
        return Change(0, amount_uc if debited else 0)
    if kind == Kind.RELEASE:
        return Change(0, -amount_uc if debited else 0)
    if kind == Kind.SETTLE and debited:
        return Change(-amount_uc, -amount_uc - released_uc)
    return Change(-amount_uc if debited else amount_uc)


def sides(account_ids: Sequence[int], since: datetime | None, until: datetime | None) -> tuple[tuple[bool, list[ColumnElement[bool]]], ...]:
    """Return the conditions of the rows that debit accounts, and of those that credit them. Each side has its index."""
    dated: list[Any] = []
    if since is not None:
        dated.append(_TRANSFERS.c.at >= since)
    if until is not None:
        dated.append(_TRANSFERS.c.at < until)
    debit, credit = (
        column == account_ids[0] if len(account_ids) == 1 else column.in_(account_ids)
        for column in (_TRANSFERS.c.debit_id, _TRANSFERS.c.credit_id)
    )
    return (True, [debit, *dated]), (False, [credit, RECEIVES, *dated])
