"""Prices by prefix as sorted arrays: made once, kept as octets, read in milliseconds, and asked by one bisection.

A million Python objects take seconds to make, and every process would make them while messages wait. No I/O here.
"""

import sys
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pennywire_tariff.moments import to_us

WIDTH = 15
"""Digits of the longest number, and of the longest prefix. Source: ITU-T E.164 §6.1."""

EVER, NEVER = -(2**63), 2**63 - 1
"""Beginning and end of what has none. Units: microseconds since 1970."""

_SCALES = tuple(10 ** (WIDTH - length) for length in range(WIDTH + 1))
_LENGTH_BITS = 4
_LENGTH = (1 << _LENGTH_BITS) - 1
_QUICK = 1
"""Level of compression: most of what a higher one saves, in a fraction of its time."""


class Span(NamedTuple):
    """One price of a prefix. Units: microcredits; microseconds since 1970."""

    prefix: str
    price_uc: int
    since_us: int | None
    until_us: int | None


class Prefixes:
    """Prices by prefix. The longest prefix of a number that has a price at a moment decides.

    Each key is the first number of the prefix's range, with the prefix's length in its last four bits, so that a range stands
    right before those inside it; `parents` names the row of the range around each, -1 where there is none.
    """

    __slots__ = ("_keys", "_parents", "_prices", "_sinces", "_untils")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        """Pack prices. Shape: in the order of the prefixes as text."""
        self._keys, self._prices, self._sinces, self._untils = (array("q") for _ in range(4))
        self._parents = array("i")
        around: list[int] = []
        for prefix, price_uc, since_us, until_us in spans:
            key = int(prefix.ljust(WIDTH, "0")) << _LENGTH_BITS | len(prefix)
            if not self._keys or key != self._keys[-1]:
                if self._keys:
                    around.append(len(self._keys) - 1)
                while around and not _lies_in(key, self._keys[around[-1]]):
                    around.pop()
            self._parents.append(around[-1] if around else -1)
            self._keys.append(key)
            self._prices.append(price_uc)
            self._sinces.append(EVER if since_us is None else since_us)
            self._untils.append(NEVER if until_us is None else until_us)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, digits: str, at: datetime) -> tuple[int, int] | None:
        """Return length and price in microcredits of the prefix that decides. Shape: `digits` are ASCII digits."""
        # Every message asks: this is written out instead of divided into steps.
        length, keys = min(len(digits), WIDTH), self._keys
        number = int(digits[:WIDTH].ljust(WIDTH, "0"))
        row, moment_us = bisect_right(keys, number << _LENGTH_BITS | length) - 1, None
        while row >= 0:
            key = keys[row]
            own = key & _LENGTH
            if own <= length and number - (key >> _LENGTH_BITS) < _SCALES[own]:
                index = row
                while index >= 0 and keys[index] == key:
                    since_us, until_us = self._sinces[index], self._untils[index]
                    if since_us == EVER and until_us == NEVER:
                        return own, self._prices[index]
                    moment_us = to_us(at) if moment_us is None else moment_us
                    if since_us <= moment_us < until_us:
                        return own, self._prices[index]
                    index -= 1
            row = self._parents[row]
        return None

    def to_octets(self) -> bytes:
        """Return what `of_octets` reads: compressed arrays of little-endian integers, one after another."""
        return zlib.compress(b"".join(_swapped(column).tobytes() for column in self._columns()), _QUICK)

    @classmethod
    def of_octets(cls, octets: bytes, count: int) -> "Prefixes":
        """Return what was packed. Raises: ValueError, zlib.error for octets that are damaged."""
        made, data, start = cls(), memoryview(zlib.decompress(octets)), 0
        for column in made._columns():
            size = count * column.itemsize
            column.frombytes(data[start : start + size])
            start += size
            if sys.byteorder == "big":
                column.byteswap()
        if start != len(data) or len(made._parents) != count:
            raise ValueError(f"A packed price list of {count} prices has {len(data)} octets instead of {start}.")
        return made

    def _columns(self) -> "tuple[array[int], ...]":
        return self._keys, self._prices, self._sinces, self._untils, self._parents


def _lies_in(key: int, around: int) -> bool:
    """Say whether the range of one key lies in that of another, or is the same."""
    length = around & _LENGTH
    scale = _SCALES[length]
    return length <= key & _LENGTH and (key >> _LENGTH_BITS) // scale == (around >> _LENGTH_BITS) // scale


def _swapped(column: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped
