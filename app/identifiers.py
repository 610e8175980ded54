"""Message ids: made by the application, so that a batch inserts without asking the database back.

An id has 63 bits: 41 bits of milliseconds since `EPOCH_MS` and 22 bits of a counter that starts at random in each process.
Two processes may meet in one millisecond and counter; the primary key notices and the batch is made again.
It is shown as 13 characters of base32 without the letters that look like digits.
"""

import secrets
import threading
from collections.abc import Callable
from time import time_ns

EPOCH_MS = 1_577_836_800_000
"""2020-01-01T00:00:00Z in milliseconds since 1970."""

COUNTER_BITS = 22
_COUNTER_MASK = (1 << COUNTER_BITS) - 1
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
PUBLIC_LENGTH = 13


class InvalidId(ValueError):
    """The text is not a message id: 13 characters, digits and capital letters without I, L, O and U."""


class IdMaker:
    """Makes rising ids. Safe to share among threads."""

    def __init__(self, now_ns: Callable[[], int] = time_ns) -> None:
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0
        self._left = 0

    def take(self, count: int) -> list[int]:
        """Return `count` ids, each larger than every id given before."""
        with self._lock:
            ids: list[int] = []
            while len(ids) < count:
                self._enter_millisecond()
                room = min(self._left, count - len(ids))
                base = self._last_ms << COUNTER_BITS
                ids.extend(range(base + self._counter, base + self._counter + room))
                self._counter += room
                self._left -= room
            return ids

    def _enter_millisecond(self) -> None:
        """Move on to the present millisecond, or past a full one; a clock that steps back does not take ids back."""
        present_ms = max(self._now_ns() // 1_000_000 - EPOCH_MS, self._last_ms)
        if present_ms == self._last_ms and self._left:
            return
        self._last_ms = present_ms if present_ms > self._last_ms else self._last_ms + 1
        self._counter = secrets.randbelow(_COUNTER_MASK // 2)
        self._left = _COUNTER_MASK - self._counter


def id_floor(at_ms: int) -> int:
    """Return the smallest id of the millisecond `at_ms` (since 1970), for ranges by time."""
    return max(at_ms - EPOCH_MS, 0) << COUNTER_BITS


def public_id(number: int) -> str:
    """Return the 13 characters under which a message is known outside."""
    return (
        _ALPHABET[number >> 60]
        + _PAIRS[number >> 50 & 1023]
        + _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )


def internal_id(text: str) -> int:
    """Return the number behind a public id; lower case is accepted. Raises: InvalidId."""
    if len(text) != PUBLIC_LENGTH or not text.isascii():
        raise InvalidId(f"A message id has {PUBLIC_LENGTH} digits and letters of ASCII.")
    number = 0
    for character in text.upper():
        if character not in _VALUES:
            raise InvalidId("A message id consists of digits and letters without I, L, O and U.")
        number = number << 5 | _VALUES[character]
    if number >> 63:
        raise InvalidId("No message has this id.")
    return number
