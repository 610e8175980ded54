"""Settings of a modem connection: what the operator fills in, and the typed value that the code reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pennywire import InvalidSetting, Setting, SettingType

_DEVICE: Final = r"(?:/[^\s]+|(?:socket|rfc2217)://[^\s:]+:[0-9]{1,5})"
#: Speeds that are tried, the likeliest first.
BIT_RATES: Final = (115200, 9600, 57600, 19200, 38400, 230400, 460800)
#: SIM cards hold at least this much between two health checks, and no operator wants faster ones. Units: seconds.
_SHORTEST_CHECK_S: Final = 0.05

_LINE = (
    Setting(
        "device",
        "Device",
        SettingType.LINES,
        required=True,
        max_length=4_000,
        pattern=rf"{_DEVICE}(?:\s+{_DEVICE})*",
        expected="a path below /dev, or socket:// or rfc2217:// with host and port; several stand one a line",
        help="A serial device such as /dev/serial/by-id/usb-…, or a terminal server: socket://192.0.2.7:4001, rfc2217://192.0.2.7:4001."
        " Several, one a line, make a bank.",
    ),
    Setting(
        "bit_rate",
        "Bit rate",
        SettingType.CHOICE,
        default="auto",
        choices=(("auto", "Find out"), *((str(rate), str(rate)) for rate in sorted(BIT_RATES))),
    ),
    Setting(
        "pin",
        "PIN",
        SettingType.SECRET,
        max_length=400,
        pattern=r"[0-9]{4,8}(?:\s+[0-9]{4,8})*",
        expected="4 to 8 digits; several are parted by blanks",
        help="Of the SIM card; empty if it asks for none. One for all modems, or one for each, in the order of the devices.",
    ),
    Setting(
        "identity",
        "IMEI or IMSI",
        SettingType.LINES,
        max_length=1_000,
        pattern=r"[0-9]{14,16}(?:\s+[0-9]{14,16})*",
        expected="14 to 16 digits; several stand one a line",
        help="Whoever else answers at the device is not used. One for each device, in their order; empty uses any.",
        advanced=True,
    ),
)
_SENDING = (
    Setting(
        "service_centre",
        "Service centre",
        max_length=16,
        pattern=r"\+?[0-9]{3,15}",
        expected="a number of 3 to 15 digits, with or without +",
        help="Empty: the one on the SIM.",
        advanced=True,
    ),
    Setting("pause_s", "Pause between segments (seconds)", SettingType.NUMBER, default=0.0, minimum=0, maximum=3600),
    Setting("per_hour", "Segments per hour", SettingType.INTEGER, default=0, minimum=0, help="For each SIM card; 0 is no limit."),
    Setting("per_day", "Segments per day", SettingType.INTEGER, default=0, minimum=0, help="For each SIM card; 0 is no limit."),
    Setting(
        "response_timeout_s",
        "Wait for the network (seconds)",
        SettingType.NUMBER,
        default=60.0,
        minimum=0.1,
        maximum=600,
        help="After the PDU was handed to the modem. Without an answer the segment is in doubt.",
        advanced=True,
    ),
    Setting("command_timeout_s", "Wait for the modem (seconds)", SettingType.NUMBER, default=10.0, minimum=0.1, maximum=120, advanced=True),
)
_RECEIVING = (
    Setting(
        "incoming",
        "Incoming messages",
        SettingType.CHOICE,
        default="stored",
        choices=(("stored", "Wait in the storage (+CMTI)"), ("direct", "Come at once (+CMT, acknowledged)"), ("off", "Are not fetched")),
        advanced=True,
    ),
    Setting(
        "storage",
        "Storage",
        SettingType.CHOICE,
        default="SM",
        choices=(("SM", "SIM card"), ("ME", "Modem"), ("MT", "Both")),
        advanced=True,
    ),
    Setting(
        "own_number",
        "Number of the SIM card",
        max_length=16,
        pattern=r"\+?[0-9]{3,15}",
        expected="a number of 3 to 15 digits, with or without +",
        help="Destination of incoming messages.",
    ),
)
_CARE = (
    Setting(
        "check_interval_s",
        "Check every (seconds)",
        SettingType.NUMBER,
        default=60.0,
        minimum=_SHORTEST_CHECK_S,
        maximum=3600,
        advanced=True,
    ),
    Setting(
        "reopen_pause_s", "Pause before opening again (seconds)", SettingType.NUMBER, default=2.0, minimum=0.01, maximum=600, advanced=True
    ),
    Setting(
        "balance_code",
        "USSD code of the balance",
        max_length=40,
        pattern=r"[0-9*#]+",
        expected="made of digits, * and #",
        help="Such as *100#. Its answer stands in the events.",
    ),
    Setting("balance_interval_h", "Ask for the balance every (hours)", SettingType.NUMBER, default=24.0, minimum=0.01, advanced=True),
    Setting(
        "initialisation",
        "AT commands at start",
        SettingType.LINES,
        max_length=2_000,
        pattern=r"(?:\s*[Aa][Tt][^\r\n]*)*",
        expected="lines that begin with AT",
        help="One a line.",
        advanced=True,
    ),
)

SETTINGS: Final[tuple[Setting, ...]] = _LINE + _SENDING + _RECEIVING + _CARE


@dataclass(frozen=True, slots=True)
class ModemSettings:
    """The settings of one modem of a connection."""

    device: str
    bit_rate: str
    pin: str
    identity: str
    service_centre: str
    pause_s: float
    per_hour: int
    per_day: int
    response_timeout_s: float
    command_timeout_s: float
    incoming: str
    storage: str
    own_number: str
    check_interval_s: float
    reopen_pause_s: float
    balance_code: str
    balance_interval_h: float
    initialisation: tuple[str, ...]

    @property
    def rates(self) -> tuple[int, ...]:
        """The speeds to try, in bit/s."""
        return BIT_RATES if self.bit_rate == "auto" else (int(self.bit_rate),)


def read_modem_settings(values: Mapping[str, Any]) -> list[ModemSettings]:
    """Return the settings of each modem.

    Raises: InvalidSetting where a device stands twice, or PINs or identities do not match the devices in number.
    """
    devices = values["device"].split()
    if len(set(devices)) < len(devices):
        raise InvalidSetting("device", "A device stands twice. A modem carries one message at a time; name each once.")
    pins = _one_for_each(values["pin"], devices, "pin", "PINs", may_share=True)
    identities = _one_for_each(values["identity"], devices, "identity", "identities", may_share=False)
    shared = dict(values) | {"initialisation": tuple(line.strip() for line in values["initialisation"].splitlines() if line.strip())}
    return [
        ModemSettings(**(shared | {"device": device, "pin": pin, "identity": identity}))
        for device, pin, identity in zip(devices, pins, identities, strict=True)
    ]


def _one_for_each(value: str, devices: list[str], name: str, what: str, *, may_share: bool) -> list[str]:
    given = value.split()
    if not given or (may_share and len(given) == 1):
        return (given or [""]) * len(devices)
    if len(given) != len(devices):
        raise InvalidSetting(name, f"There are {len(devices)} devices and {len(given)} {what}. Give one for each, in the same order.")
    return given
