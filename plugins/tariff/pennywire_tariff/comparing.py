"""What a version would change: prices against another version, and what the messages of a month would have cost."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.orm import Session

from pennywire import Direction, InvalidSetting, Storage
from pennywire_tariff.compiled import Book, Compiled, Networks, Timeline
from pennywire_tariff.lists import present_version
from pennywire_tariff.models import Entry, PriceList, Version
from pennywire_tariff.packing import read_version
from pennywire_tariff.parsing import key_in_words
from pennywire_tariff.reading import read_book, read_networks

CHUNK = 5000
SHOWN = 100
"""Changes of each kind that are named."""

KINDS = ("added", "removed", "dearer", "cheaper")

Progress = Callable[[int], None]
"""Hears how many prices and messages were looked at."""


def _unheard(_count: int) -> None:
    """Tell nobody."""


class Change(NamedTuple):
    """One key whose price changes. Units: microcredits; None where there is no price."""

    key: str
    name: str
    before_uc: int | None
    after_uc: int | None


@dataclass(slots=True)
class Differences:
    """What changes from one version to another: how many prices of each kind, and the first of them."""

    counts: dict[str, int] = field(default_factory=lambda: {**dict.fromkeys(KINDS, 0), "unchanged": 0})
    changes: dict[str, list[Change]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def note(self, kind: str, change: Change) -> None:
        """Count a change, and keep it if there is room."""
        self.counts[kind] += 1
        if kind in self.changes and len(self.changes[kind]) < SHOWN:
            self.changes[kind].append(change)


class _Price(NamedTuple):
    key: tuple[str, str, str]
    price_uc: int
    name: str


def compare(session: Session, before: Version | None, after: Version, at: datetime, progress: Progress = _unheard) -> Differences:
    """Compare the prices of two versions that hold at a moment. Both are read in the order of their keys, a chunk at a time."""
    found = Differences()
    old = _prices(session, before.id, at) if before is not None else iter(())
    new = _prices(session, after.id, at)
    left, right = next(old, None), next(new, None)
    for count in itertools.count():
        if count % CHUNK == 0:
            progress(count)
        if left is None and right is None:
            break
        if right is None or (left is not None and left.key < right.key):
            assert left is not None
            found.note("removed", Change(key_in_words(*_words(left)), left.name, left.price_uc, None))
            left = next(old, None)
        elif left is None or right.key < left.key:
            found.note("added", Change(key_in_words(*_words(right)), right.name, None, right.price_uc))
            right = next(new, None)
        else:
            kind = "dearer" if right.price_uc > left.price_uc else "cheaper" if right.price_uc < left.price_uc else "unchanged"
            found.note(kind, Change(key_in_words(*_words(right)), right.name, left.price_uc, right.price_uc))
            left, right = next(old, None), next(new, None)
    return found


def _words(price: _Price) -> tuple[str, str, str]:
    mcc, mnc, prefix = price.key
    return prefix, mcc, mnc


def _prices(session: Session, version_id: int, at: datetime) -> Iterator[_Price]:
    """Yield the prices of a version that hold at a moment, in the order of MCC, MNC and prefix: digits sort alike everywhere."""
    key = tuple_(Entry.mcc, Entry.mnc, Entry.prefix)
    statement = _holding(
        select(Entry.mcc, Entry.mnc, Entry.prefix, Entry.price_uc, Entry.name).where(Entry.version_id == version_id), at
    ).order_by(Entry.mcc, Entry.mnc, Entry.prefix)
    last: tuple[str, str, str] | None = None
    while True:
        rows = session.execute((statement if last is None else statement.where(key > last)).limit(CHUNK)).all()
        for mcc, mnc, prefix, price_uc, name in rows:
            yield _Price((mcc, mnc, prefix), price_uc, name)
        if len(rows) < CHUNK:
            return
        last = (rows[-1].mcc, rows[-1].mnc, rows[-1].prefix)


def _holding(statement: Select[str, str, str, int, str], at: datetime) -> Select[str, str, str, int, str]:
    return statement.where(or_(Entry.effective_at.is_(None), Entry.effective_at <= at), or_(Entry.end_at.is_(None), Entry.end_at > at))


# What a month would have cost.


@dataclass(slots=True)
class Bill:
    """One customer's messages of a month: as they were priced, and as a version would price them. Units: microcredits."""

    username: str
    message_count: int = 0
    segment_count: int = 0
    was_uc: int = 0
    would_uc: int = 0
    #: Messages for which the version has no price.
    unpriced_count: int = 0

    @property
    def change_uc(self) -> int:
        return self.would_uc - self.was_uc

    def add(self, other: "Bill") -> None:
        """Add another customer's figures, for the sum."""
        for name in ("message_count", "segment_count", "was_uc", "would_uc", "unpriced_count"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Month:
    """A month's bills, the dearest first, and their sum."""

    since: datetime
    until: datetime
    bills: list[Bill] = field(default_factory=list)
    total: Bill = field(default_factory=lambda: Bill("all"))


def month_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of a month such as `2026-10` and that of the next; last month if the text is empty.

    Raises: InvalidSetting.
    """
    if not text:
        year, month = (now.year, now.month - 1) if now.month > 1 else (now.year - 1, 12)
    else:
        try:
            begin = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise InvalidSetting("month", "Write a month such as 2026-10.") from None
        year, month = begin.year, begin.month
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)


def bill_month(
    gateway: Storage,
    price_list: PriceList,
    version: Compiled,
    networks: Networks,
    *,
    month: str = "",
    at: datetime,
    of: Callable[[str], bool],
    progress: Progress = _unheard,
) -> Month:
    """Price the messages of a month by a version, with the dates of its entries looked at as of `at`.

    `of` says whose messages count. What was refunded or released later is not taken off, neither from what was nor what would be.
    """
    since, until = month_of(month, gateway.now)
    bills: dict[str, Bill] = {}
    direction = Direction(price_list.direction)
    for count, message in enumerate(gateway.messages(since, until)):
        if count % CHUNK == 0:
            progress(count)
        if message.direction is not direction or not of(message.username):
            continue
        bill = bills.get(message.username) or bills.setdefault(message.username, Bill(message.username))
        found = version.find(message.destination if direction is Direction.OUTBOUND else message.source, at, networks)
        bill.message_count += 1
        bill.segment_count += message.segment_count
        bill.was_uc += message.price_uc
        if found is None:
            bill.unpriced_count += 1
        else:
            bill.would_uc += found.price_uc * message.segment_count
    result = Month(since, until, nlargest(len(bills), bills.values(), key=attrgetter("was_uc")))
    for bill in result.bills:
        result.total.add(bill)
    return result


@dataclass(frozen=True, slots=True)
class Preview:
    """What the activation of a version at a moment would change, and what last month would have cost its customers."""

    at: datetime
    base: int | None
    differences: Differences
    month: Month


def preview(
    gateway: Storage, price_list: PriceList, version: Version, *, at: datetime, month: str = "", progress: Progress = _unheard
) -> Preview:
    """Compare a version with the one that holds at a moment, and price a month of those who pay by the list."""
    with gateway.read() as session:
        base = present_version(session, price_list, at)
        differences = compare(session, base, version, at, progress)
        compiled, networks = read_version(session, version.id, f"{price_list.name}, version {version.number}"), read_networks(session)
        payers = _payers(read_book(session), price_list)
    price_count = sum(differences.counts.values())
    priced = bill_month(
        gateway, price_list, compiled, networks, month=month, at=at, of=payers, progress=lambda count: progress(price_count + count)
    )
    return Preview(at, base.number if base else None, differences, priced)


def _payers(book: Book, price_list: PriceList) -> Callable[[str], bool]:
    """Return what says whether a user pays by a list. (A buy list is paid by us, for everybody's messages.)"""
    if price_list.side == "buy":
        return lambda _username: True

    def pays(username: str) -> bool:
        line: Timeline | None = book.selling(price_list.direction, username)
        return line is not None and line.name == price_list.name

    return pays


def would_have_cost(gateway: Storage, price_list: PriceList, version: Version, *, username: str = "", month: str = "") -> Month:
    """Say what a month would have cost under a version: one user, or everybody, whatever list they pay by."""
    with gateway.read() as session:
        compiled, networks = read_version(session, version.id, f"{price_list.name}, version {version.number}"), read_networks(session)
    return bill_month(
        gateway, price_list, compiled, networks, month=month, at=gateway.now, of=lambda name: not username or name == username
    )


def entries(session: Session, version: Version, *, search: str = "", after: int = 0, limit: int = 50) -> list[Entry]:
    """Return a page of entries in the order of the file; `search` is the beginning of a prefix or an MCC, or a piece of a name."""
    statement = select(Entry).where(Entry.version_id == version.id, Entry.id > after).order_by(Entry.id).limit(limit)
    wanted = search.strip().removeprefix("+")
    if wanted.isascii() and wanted.isdigit():
        statement = statement.where(or_(Entry.prefix.startswith(wanted), Entry.mcc == wanted))
    elif wanted:
        statement = statement.where(Entry.name.icontains(wanted, autoescape=True))
    return list(session.scalars(statement))


class Answer(NamedTuple):
    """What a number costs: the list and version that decide, the entry's key, and the price of a segment in microcredits."""

    list: str
    version: str
    key: str
    price_uc: int | None
    why: str


def look_up(session: Session, number: str, *, username: str = "", direction: str = "outbound", at: datetime) -> Answer:
    """Say what a segment to a number costs a user by the lists, and why. Raises: InvalidSetting for what is no number."""
    digits = number.replace(" ", "").removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise InvalidSetting("number", "Write a number with its country code, such as +36201234567.")
    book = read_book(session)
    line = book.selling(direction, username)
    if line is None:
        return Answer(
            "", "", "", None, "No price list is assigned, and there is no default list: the next rule or the route's Cost decides."
        )
    version = line.at(at)
    if version is None:
        return Answer(line.name, "", "", None, f"No version of {line.name} holds then.")
    found = version.find(digits, at, book.networks)
    if found is None:
        return Answer(line.name, version.label, "", None, f"{version.label} has no price for +{digits}.")
    return Answer(line.name, version.label, found.key, found.price_uc, f"{version.label}, {found.key}")
