"""What an operator sees of the modems of a connection: how each is doing now, what it sent, and how it has been doing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pennywire import InvalidSetting, Storage
from pennywire_modem.memory import Tally, device_key
from pennywire_modem.settings import ModemSettings, read_modem_settings

#: Lowest signal of four, three, two and one lit bar. Units: dBm.
_BARS: Final = (-73, -83, -93, -109)
#: A modem whose connection runs is heard of at every check; after so many without news it is not known how it is doing.
_MISSED_CHECKS: Final = 3
_LEEWAY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Row:
    """One modem. `tone` and `word` are its light; `seen_at` is None for one of which nothing was ever heard."""

    device: str
    tone: str
    word: str
    reason: str
    seen_at: datetime | None
    name: str
    operator: str
    registration: str
    signal_dbm: int | None
    imei: str
    imsi: str
    storage: str
    hour_count: int
    day_count: int
    per_hour: int
    per_day: int

    @property
    def bar_count(self) -> int:
        """How many of four bars are lit."""
        return 0 if self.signal_dbm is None else sum(self.signal_dbm >= least for least in _BARS)


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at a modem some time ago."""

    at: datetime
    signal_dbm: int | None
    operator: str
    imei: str
    imsi: str


def rows(storage: Storage, connection: str) -> list[Row]:
    """Return the modems of a connection in the order of its settings. Raises: InvalidSetting where there is no such connection."""
    modems = _settings(storage, connection)
    kept, cards = storage.values("modem", connection, "modem/"), storage.values("modem", prefix="sim/")
    return [_row(modem, kept.get(f"modem/{device_key(modem.device)}", {}), cards, storage.now) for modem in modems]


def histories(storage: Storage, connection: str) -> list[tuple[str, list[Sample]]]:
    """Return the device and the looks at each modem that was ever heard of, oldest first."""
    kept = storage.values("modem", connection, "history/")
    found = [(modem.device, kept.get(f"history/{device_key(modem.device)}", [])) for modem in _settings(storage, connection)]
    return [(device, [_sample(sample) for sample in samples]) for device, samples in found if samples]


def _settings(storage: Storage, connection: str) -> list[ModemSettings]:
    settings = storage.connections("modem").get(connection)
    if settings is None:
        raise InvalidSetting("connection", f"There is no connection of modems called {connection}.")
    return read_modem_settings(settings)


def _row(modem: ModemSettings, state: Mapping[str, Any], cards: Mapping[str, Any], now: datetime) -> Row:
    tally = Tally(cards.get(f"sim/{state.get('sim', '')}"))
    tone, word, reason = _light(modem, state, now)
    return Row(
        device=modem.device,
        tone=tone,
        word=word,
        reason=reason,
        seen_at=datetime.fromtimestamp(state["at"], UTC) if state else None,
        name=" ".join(filter(None, (state.get("manufacturer"), state.get("model")))),
        operator=state.get("operator", ""),
        registration=state.get("registration_words", ""),
        signal_dbm=state.get("signal"),
        imei=state.get("imei", ""),
        imsi=state.get("masked_imsi", ""),
        storage=f"{state['used']} of {state['capacity']}" if state.get("capacity") else "",
        hour_count=tally.of_hour(now),
        day_count=tally.of_day(now),
        per_hour=modem.per_hour,
        per_day=modem.per_day,
    )


def _light(modem: ModemSettings, state: Mapping[str, Any], now: datetime) -> tuple[str, str, str]:
    """Return tone, word and reason: what was heard last, unless that is too long ago to be true still."""
    if not state:
        return "quiet", "not seen yet", ""
    if not state["ready"]:
        return ("quiet", "stopped", "") if state["stopped"] else ("bad", "down", state["reason"])
    silence = now - datetime.fromtimestamp(state["at"], UTC)
    if silence > _MISSED_CHECKS * timedelta(seconds=modem.check_interval_s) + _LEEWAY:
        return "wait", "no news", "It was ready when it was last heard of. Does an engine run this connection?"
    return "good", "ready", ""


def _sample(kept: Mapping[str, Any]) -> Sample:
    return Sample(datetime.fromtimestamp(kept["at"], UTC), kept["signal"], kept["operator"], kept["imei"], kept["imsi"])
