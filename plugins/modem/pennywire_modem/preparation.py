"""What a modem is told before it works, as a table, and what it tells about itself. No I/O.

Source: 3GPP TS 27.005 §3 and 27.007 §5, §7, §8; ITU-T V.250.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pennywire_modem.settings import ModemSettings

#: <stat> of +CREG. Source: 3GPP TS 27.007 §7.2.
_REGISTRATION: Final = {
    0: "not registered and not searching",
    1: "registered at home",
    2: "searching for a network",
    3: "refused by the network",
    4: "without a known state in the network",
    5: "registered while roaming",
}
_REGISTERED: Final = frozenset({1, 5})
_UNKNOWN_SIGNAL: Final = 99
_NEARLY_FULL: Final = 0.8


@dataclass(slots=True)
class Facts:
    """What is known about modem and SIM card. `signal_dbm` is None while unknown; `used` and `capacity` count the storage."""

    manufacturer: str = ""
    model: str = ""
    imei: str = ""
    imsi: str = ""
    iccid: str = ""
    pin_state: str = "READY"
    registration: int = 0
    operator: str = ""
    signal_dbm: int | None = None
    used: int = 0
    capacity: int = 0

    @property
    def masked_imsi(self) -> str:
        """The IMSI without what names a person's subscription: its network, and the last two digits."""
        return f"{self.imsi[:5]}…{self.imsi[-2:]}" if self.imsi else ""

    @property
    def sim(self) -> str:
        """A name of the SIM card for what it sends; that of the modem where it does not tell its card's."""
        return self.imsi or self.imei or "unknown"

    @property
    def card(self) -> str:
        """A name of the SIM card that is known while it is locked; that of the modem where it does not tell its card's."""
        return self.iccid or self.imei or "unknown"

    @property
    def registered(self) -> bool:
        return self.registration in _REGISTERED

    @property
    def registration_words(self) -> str:
        return _REGISTRATION.get(self.registration, f"in state {self.registration} of +CREG")

    @property
    def nearly_full(self) -> bool:
        return self.capacity > 0 and self.used >= self.capacity * _NEARLY_FULL

    def describe(self) -> str:
        """Return one line for the operator."""
        signal = "unknown" if self.signal_dbm is None else f"{self.signal_dbm} dBm"
        name = " ".join(filter(None, (self.manufacturer, self.model))) or "unknown modem"
        return (
            f"{name}, IMEI {self.imei or 'unknown'}, IMSI {self.masked_imsi or 'unknown'}, {self.registration_words},"
            f" operator {self.operator or 'unknown'}, signal {signal}, storage {self.used} of {self.capacity}"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `commands` are alternatives, tried in order until one succeeds; none skips the step.

    `read` takes the lines of the answer. `blocks` returns why the modem must not be used further, or nothing.
    """

    commands: Callable[[ModemSettings, Facts], Sequence[str]]
    required: bool = False
    read: Callable[[Facts, Sequence[str]], None] | None = None
    blocks: Callable[[ModemSettings, Facts], str] | None = None
    is_pin: bool = False


def _always(*commands: str) -> Callable[[ModemSettings, Facts], Sequence[str]]:
    return lambda _settings, _facts: commands


def _payload(lines: Sequence[str], prefix: str) -> str:
    """Return what follows `prefix` in the first line that has it."""
    return next((line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)), "")


def _name(lines: Sequence[str], prefix: str) -> str:
    """Return an answer that some modems begin with a prefix and others not."""
    return (_payload(lines, prefix) or next((line for line in lines if not line.startswith("+")), "")).strip('" ')[:40]


def _read_manufacturer(facts: Facts, lines: Sequence[str]) -> None:
    facts.manufacturer = _name(lines, "+CGMI:")


def _read_model(facts: Facts, lines: Sequence[str]) -> None:
    facts.model = _name(lines, "+CGMM:")


def _digits(lines: Sequence[str]) -> str:
    return next((found[0] for line in lines if (found := re.search(r"[0-9]{14,16}", line))), "")


def _read_imei(facts: Facts, lines: Sequence[str]) -> None:
    facts.imei = _digits(lines)


def _read_imsi(facts: Facts, lines: Sequence[str]) -> None:
    facts.imsi = _digits(lines)


def _read_iccid(facts: Facts, lines: Sequence[str]) -> None:
    facts.iccid = next((found[0] for line in lines if (found := re.search(r"89[0-9]{16,18}", line))), "")


def _read_pin_state(facts: Facts, lines: Sequence[str]) -> None:
    facts.pin_state = _payload(lines, "+CPIN:") or "READY"


def read_registration(facts: Facts, lines: Sequence[str]) -> None:
    """Read +CREG: <n>,<stat>[,…]."""
    figures = _payload(lines, "+CREG:").split(",")
    if len(figures) > 1 and figures[1].strip().isdecimal():
        facts.registration = int(figures[1])


def read_signal(facts: Facts, lines: Sequence[str]) -> None:
    """Read +CSQ: <rssi>,<ber>, in steps of 2 dBm from -113. Source: 3GPP TS 27.007 §8.5."""
    rssi = _payload(lines, "+CSQ:").split(",")[0].strip()
    if rssi.isdecimal():
        facts.signal_dbm = None if int(rssi) == _UNKNOWN_SIGNAL else -113 + 2 * int(rssi)


def read_operator(facts: Facts, lines: Sequence[str]) -> None:
    """Read +COPS: <mode>[,<format>,<oper>]."""
    found = re.search(r'"([^"]*)"', _payload(lines, "+COPS:"))
    facts.operator = found[1][:40] if found else ""


def read_storage(facts: Facts, lines: Sequence[str]) -> None:
    """Read +CPMS, whose first two figures are what is used and what there is."""
    figures = re.findall(r"(?<=[,\s])[0-9]+", " " + _payload(lines, "+CPMS:"))
    if len(figures) > 1:
        facts.used, facts.capacity = int(figures[0]), int(figures[1])


def _pin_blocks(settings: ModemSettings, facts: Facts) -> str:
    if facts.pin_state in ("READY", ""):
        return ""
    if facts.pin_state != "SIM PIN":
        return f"The SIM card asks for {facts.pin_state}. Enter it by hand in a phone, then start the connection again."
    return "" if settings.pin else "The SIM card asks for its PIN. Set it in the connection."


def _pin(settings: ModemSettings, facts: Facts) -> Sequence[str]:
    return (f'AT+CPIN="{settings.pin}"',) if facts.pin_state == "SIM PIN" else ()


def _identity_blocks(settings: ModemSettings, facts: Facts) -> str:
    if settings.identity in ("", facts.imei, facts.imsi):
        return ""
    return f"Another modem or SIM card than the one that is set answers at {settings.device}. Check the device, or the IMEI or IMSI."


def _service_centre(settings: ModemSettings, _facts: Facts) -> Sequence[str]:
    number = settings.service_centre
    return (f'AT+CSCA="{number}",{145 if number.startswith("+") else 129}',) if number else ()


def _service(settings: ModemSettings, _facts: Facts) -> Sequence[str]:
    return ("AT+CSMS=1",) if settings.incoming == "direct" else ("AT+CSMS=0",)


def storage_command(settings: ModemSettings, _facts: Facts | None = None) -> Sequence[str]:
    """Return the command that chooses the storage, for reading, writing and receiving."""
    memory = settings.storage
    return (f'AT+CPMS="{memory}","{memory}","{memory}"', f'AT+CPMS="{memory}"')


def indication_commands(settings: ModemSettings, _facts: Facts | None = None) -> Sequence[str]:
    """Return the commands that ask for indications, the best first: modems know different parts of the standard."""
    return _INDICATIONS[settings.incoming]


#: +CNMI=<mode>,<mt>,<bm>,<ds>: <mt> 1 stores and indicates, 2 hands over; <ds> 2 stores reports, 1 hands them over.
_INDICATIONS: Final = {
    "stored": ("AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,1,0", "AT+CNMI=1,1,0,1,0", "AT+CNMI=2,1,0,0,0"),
    "direct": ("AT+CNMI=2,2,0,1,0", "AT+CNMI=1,2,0,1,0", "AT+CNMI=2,2,0,0,0"),
    "off": ("AT+CNMI=2,0,0,2,0", "AT+CNMI=2,0,0,1,0", "AT+CNMI=1,0,0,1,0"),
}

_BEFORE: Final[tuple[Step, ...]] = (
    Step(_always("AT"), required=True),
    Step(_always("ATE0"), required=True),
    Step(_always("AT+CMEE=1")),
    Step(_always("AT+CGMI"), read=_read_manufacturer),
    Step(_always("AT+CGMM"), read=_read_model),
    Step(_always("AT+CGSN"), read=_read_imei),
    Step(_always("AT+CCID", "AT+ICCID", "AT^ICCID?"), read=_read_iccid),
    Step(_always("AT+CPIN?"), required=True, read=_read_pin_state, blocks=_pin_blocks),
    Step(_pin, required=True, is_pin=True),
    Step(_always("AT+CIMI"), read=_read_imsi, blocks=_identity_blocks),
)
_AFTER: Final[tuple[Step, ...]] = (
    Step(_always("AT+CMGF=0"), required=True),
    Step(_service),
    Step(_service_centre, required=True),
    Step(storage_command, required=True, read=read_storage),
    Step(indication_commands, required=True),
)

#: What is asked again and again, each with its reader.
CHECKS: Final[tuple[tuple[str, Callable[[Facts, Sequence[str]], None]], ...]] = (
    ("AT+CREG?", read_registration),
    ("AT+CSQ", read_signal),
    ("AT+COPS?", read_operator),
    ("AT+CPMS?", read_storage),
)


def steps(settings: ModemSettings) -> tuple[Step, ...]:
    """Return all steps in order; the operator's own commands come when the SIM card is open, and before ours that matter."""
    return (*_BEFORE, *(Step(_always(command)) for command in settings.initialisation), *_AFTER)
