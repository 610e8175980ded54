"""What outlives a restart: how many segments a SIM card sent, which PINs were tried on it, and how a modem has been doing.

Everything is kept under keys of the plugin's storage: `sim/…` and `pin/…` for SIM cards, whichever connection they are in, and
`modem/…` and `history/…` for the modems of one connection.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pennywire import CannotStore, KeyValues
from pennywire_modem.preparation import Facts

_RETRY_S: Final = 1.0
_PLACE_S: Final = 300
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_DIGEST_CHARACTERS: Final = 16

#: A look at a modem is kept so often, and so many of them: two days of them.
SAMPLE_EVERY: Final = timedelta(minutes=30)
MOST_SAMPLES: Final = 96

#: PINs that may be tried on a SIM card that has three tries: the last one is a person's.
_TRIES: Final = 2
_REMEMBERED_PINS: Final = 8


def device_key(device: str) -> str:
    """Return the word under which a device is known: its address may hold what a key may not."""
    return hashlib.sha256(device.encode()).hexdigest()[:_DIGEST_CHARACTERS]


class Notebook:
    """Writes the newest values of a storage, one write at a time. While the database is away it waits, and loses none."""

    def __init__(self, values: KeyValues, written: Callable[[], None] = lambda: None) -> None:
        self._values = values
        self._written = written
        self._changes: dict[str, Any] = {}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def settled(self) -> bool:
        """Everything that was put in is durable."""
        return self._settled.is_set()

    def put(self, key: str, value: Any) -> None:
        """Write a value soon; None removes it."""
        self._changes[key] = value
        self._settled.clear()
        self._wake.set()

    async def until_settled(self) -> None:
        """Wait until everything that was put in is durable."""
        await self._settled.wait()

    async def read(self, key: str) -> Any:
        """Return a value as it is durable, or None."""
        await self.until_settled()
        while True:
            try:
                return (await self._values.read(key)).get(key)
            except CannotStore:
                await asyncio.sleep(_RETRY_S)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            changes, self._changes = self._changes, {}
            try:
                await self._values.write(changes)
            except CannotStore:
                self._changes = changes | self._changes
                await asyncio.sleep(_RETRY_S)
                self._wake.set()
                continue
            if not self._changes:
                self._settled.set()
                self._written()


class Tally:
    """How many segments a SIM card sent within the last day, by places of five minutes."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._counts = Counter({int(start): int(count) for start, count in (kept or {}).items()})

    def count(self, now: datetime) -> None:
        """Count one segment, and forget what is older than a day."""
        start = int(now.timestamp()) // _PLACE_S * _PLACE_S
        self._counts[start] += 1
        oldest = start - _DAY.total_seconds() - _PLACE_S
        self._counts = Counter({each: count for each, count in self._counts.items() if each >= oldest})

    def ages(self, now: datetime) -> list[float]:
        """Return how long ago each segment was sent, oldest first; never longer than it was. Units: seconds."""
        moment = now.timestamp()
        return [max(0.0, moment - start - _PLACE_S) for start, count in sorted(self._counts.items()) for _ in range(count)]

    def of_hour(self, now: datetime) -> int:
        """Return how many segments the last hour has seen."""
        return self._within(now, _HOUR)

    def of_day(self, now: datetime) -> int:
        """Return how many segments the last day has seen."""
        return self._within(now, _DAY)

    def as_value(self) -> dict[str, int]:
        """Return what is kept."""
        return {str(start): count for start, count in sorted(self._counts.items())}

    def _within(self, now: datetime, span: timedelta) -> int:
        return sum(age < span.total_seconds() for age in self.ages(now))


class PinTries:
    """Which PINs were tried on SIM cards: none that was refused is sent again, and the last try is left for a person."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    async def claim(self, card: str, pin: str) -> str:
        """Note durably that a PIN is about to be sent, and return nothing, or return why it must not be sent."""
        record = await self._notebook.read(_pin_key(card)) or {"tried": [], "left": _TRIES}
        if await asyncio.to_thread(_is_among, pin, record["tried"]):
            return _REFUSED_BEFORE
        if record["left"] < 1:
            return _LAST_TRY
        digest = await asyncio.to_thread(_digest, pin, secrets.token_hex(8))
        self._notebook.put(_pin_key(card), {"tried": [*record["tried"], digest][-_REMEMBERED_PINS:], "left": record["left"] - 1})
        await self._notebook.until_settled()
        return ""

    async def opened(self, card: str) -> None:
        """Take the PIN that was sent last out of those that were refused: it opened the card, which has all its tries again."""
        record = await self._notebook.read(_pin_key(card))
        if record is not None:
            tried = record["tried"][:-1]
            self._notebook.put(_pin_key(card), {"tried": tried, "left": _TRIES} if tried else None)


def _pin_key(card: str) -> str:
    return f"pin/{card}"


def _digest(pin: str, salt: str) -> str:
    """Return a slow digest: there are few PINs, so a quick one would tell it."""
    return f"{salt}:{hashlib.scrypt(pin.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()}"


def _is_among(pin: str, digests: list[str]) -> bool:
    return any(hmac.compare_digest(digest, _digest(pin, digest.partition(":")[0])) for digest in digests)


_REFUSED_BEFORE: Final = (
    "This PIN was sent to the SIM card before, and did not open it. It is not sent again: the third wrong one locks the card. Correct "
    "it in the connection; if you know that it is right, let the gateway forget by `pennywire modem-pins forget`."
)
_LAST_TRY: Final = (
    "Two PINs did not open the SIM card, and the third wrong one locks it. Enter the right one by hand in a phone, then let the gateway "
    "forget the tries by `pennywire modem-pins forget`."
)


class History:
    """Looks at one modem: signal, operator and identities, every half an hour and whenever one of the last three changes."""

    def __init__(self, kept: Any = None) -> None:
        self.samples: list[dict[str, Any]] = list(kept or [])

    def look(self, facts: Facts, now: datetime) -> bool:
        """Take a look; say whether it is worth keeping."""
        sample = {"signal": facts.signal_dbm, "operator": facts.operator, "imei": facts.imei, "imsi": facts.masked_imsi}
        last = self.samples[-1] if self.samples else None
        who = ("operator", "imei", "imsi")
        if last is not None and all(last[name] == sample[name] for name in who) and now - _moment(last) < SAMPLE_EVERY:
            return False
        self.samples = [*self.samples, sample | {"at": int(now.timestamp())}][-MOST_SAMPLES:]
        return True


def _moment(sample: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(sample["at"], UTC)
