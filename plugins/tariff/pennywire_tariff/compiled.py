"""Price lists in memory, ready to be asked. No I/O: every message asks.

The longest prefix that holds at the moment decides; then the network that the number's range was given to, then its country,
then the version's default.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pennywire_tariff import packed
from pennywire_tariff.moments import to_us
from pennywire_tariff.packed import Prefixes

Span = tuple[int | None, int | None, int]
"""From, until before, price: one of several entries of a key, or one with dates. Units: microseconds since 1970; microcredits."""


class EntryRow(NamedTuple):
    """What is read of an entry, by name. Units: microcredits; microseconds since 1970."""

    prefix: str
    mcc: str
    mnc: str
    price_uc: int
    effective_us: int | None
    end_us: int | None


class Found(NamedTuple):
    """The entry that holds: its key in words, and the price of a segment."""

    key: str
    price_uc: int


class Networks:
    """From ranges of numbers to networks, as the operator imported them. A number that was ported counts by its range."""

    def __init__(self, rows: Iterable[tuple[str, str, str]] = ()) -> None:
        self._prefixes = {prefix: (mcc, mnc) for prefix, mcc, mnc in rows}
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)

    def __len__(self) -> int:
        return len(self._prefixes)

    def find(self, digits: str) -> tuple[str, str] | None:
        """Return MCC and MNC (empty where only the country is known) of a number, or None."""
        for length in self._lengths:
            found = self._prefixes.get(digits[:length])
            if found is not None:
                return found
        return None


class Compiled:
    """One version. `label` names it for people: `Retail, version 4`."""

    __slots__ = ("_default", "_networks", "_prefixes", "label")

    def __init__(self, label: str, prefixes: Prefixes, others: Iterable[EntryRow] = ()) -> None:
        """Take packed prices by prefix, and the others: by network, and the default."""
        self.label = label
        self._prefixes = prefixes
        self._networks: dict[str, list[Span]] = {}
        self._default: list[Span] = []
        for _prefix, mcc, mnc, price_uc, since, until in others:
            spans = self._networks.setdefault(f"{mcc}-{mnc}" if mnc else mcc, []) if mcc else self._default
            spans.append((since, until, price_uc))

    @classmethod
    def of_rows(cls, label: str, rows: Iterable[EntryRow]) -> "Compiled":
        """Pack the entries of a version, in any order."""
        ordered = sorted(rows, key=lambda row: row.prefix)
        others = [row for row in ordered if not row.prefix]
        return cls(label, Prefixes(packed.Span(row.prefix, *row[3:]) for row in ordered[len(others) :]), others)

    @property
    def needs_networks(self) -> bool:
        """Say whether it has entries by network."""
        return bool(self._networks)

    def __len__(self) -> int:
        return len(self._prefixes) + len(self._networks)

    def find(self, number: str, at: datetime, networks: Networks) -> Found | None:
        """Return the entry that holds for a number (with or without plus) at a moment."""
        digits = number[1:] if number[:1] == "+" else number
        if not (digits.isascii() and digits.isdecimal()):
            # Alphanumeric senders of incoming messages have neither prefix nor network.
            return self._of_default(at)
        if (held := self._prefixes.find(digits, at)) is not None:
            return Found(f"prefix {digits[: held[0]]}", held[1])
        if self._networks and (network := networks.find(digits)) is not None:
            found = self._of_network(*network, at)
            if found is not None:
                return found
        return self._of_default(at)

    def _of_network(self, mcc: str, mnc: str, at: datetime) -> Found | None:
        for key in (f"{mcc}-{mnc}", mcc) if mnc else (mcc,):
            if (price_uc := _held(self._networks.get(key, ()), at)) is not None:
                return Found(f"network {key}", price_uc)
        return None

    def _of_default(self, at: datetime) -> Found | None:
        price_uc = _held(self._default, at)
        return None if price_uc is None else Found("default", price_uc)


def _held(spans: Sequence[Span], at: datetime) -> int | None:
    """Return the price of the span that holds at a moment; spans of one key do not overlap."""
    if not spans:
        return None
    moment_us = to_us(at)
    for since, until, price_uc in spans:
        if (since is None or since <= moment_us) and (until is None or moment_us < until):
            return price_uc
    return None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One list: the versions that hold from given moments on, in order of time."""

    name: str
    starts: tuple[datetime, ...] = ()
    versions: tuple[Compiled, ...] = ()

    def at(self, moment: datetime) -> Compiled | None:
        """Return the version that holds at a moment, or None before the first."""
        for index in range(len(self.starts) - 1, -1, -1):
            if self.starts[index] <= moment:
                return self.versions[index]
        return None


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that a rule asks: lists by user and by provider, and the networks. Groups have been resolved to their users.

    Keys of `users` are (direction, username), of `defaults` the direction, of `providers` (direction, provider).
    """

    users: Mapping[tuple[str, str], Timeline] = field(default_factory=dict)
    defaults: Mapping[str, Timeline] = field(default_factory=dict)
    providers: Mapping[tuple[str, str], Timeline] = field(default_factory=dict)
    networks: Networks = field(default_factory=Networks)

    def selling(self, direction: str, username: str) -> Timeline | None:
        """Return the list by which a user pays."""
        return self.users.get((direction, username)) or self.defaults.get(direction)

    def buying(self, direction: str, provider: str) -> Timeline | None:
        """Return the list by which a provider charges us."""
        return self.providers.get((direction, provider))
