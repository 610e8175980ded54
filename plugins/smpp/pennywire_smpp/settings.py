"""Settings of an SMPP connection: what the operator fills in, and the typed value that the code reads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pennywire import InvalidSetting, Setting, SettingType
from pennywire.sms.receipts import IdMode
from pennywire_smpp.optional import read_table
from pennywire_smpp.policies import read_policies

_PRINTABLE: Final = r"[ -~]*"
_ASCII: Final = "of printable ASCII characters only"
_TON_NPI: Final = r"[0-9]{1,2}/[0-9]{1,2}"
_PORT_MAX: Final = 65535

#: interface_version by its name. Source: SMPP v3.4 §5.2.4.
INTERFACE_VERSIONS: Final = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}


def _ton_npi(name: str, label: str, default: str) -> Setting:
    return Setting(
        name,
        label,
        default=default,
        pattern=_TON_NPI,
        expected="two numbers with a slash between them, such as 1/1",
        help="TON/NPI, for example 1/1.",
        advanced=True,
    )


_ACCOUNT = (
    Setting(
        "host",
        "Host",
        required=True,
        max_length=255,
        pattern=r"[A-Za-z0-9._:-]+",
        expected="a host name or an address, without blanks",
        help="Name or address of the SMSC.",
    ),
    Setting("port", "Port", SettingType.INTEGER, default=2775, minimum=1, maximum=_PORT_MAX),
    # Sizes of C-octet strings less their NUL. Source: SMPP v3.4 §4.1.1.
    Setting("system_id", "System id", required=True, max_length=15, pattern=_PRINTABLE, expected=_ASCII, help="The user name at the SMSC."),
    Setting(
        "password", "Password", SettingType.SECRET, max_length=8, pattern=_PRINTABLE, expected=_ASCII, help="SMPP allows 8 characters."
    ),
    Setting("system_type", "System type", max_length=12, pattern=_PRINTABLE, expected=_ASCII, help="Most operators want it empty."),
    Setting(
        "bind_mode",
        "Bind as",
        SettingType.CHOICE,
        default="transceiver",
        choices=(
            ("transceiver", "Transceiver"),
            ("transmitter", "Transmitter only"),
            ("receiver", "Receiver only"),
            ("pair", "Transmitter and receiver"),
        ),
    ),
)
_FLOW = (
    Setting(
        "window",
        "Window",
        SettingType.INTEGER,
        default=10,
        minimum=1,
        maximum=1000,
        help="Submissions without an answer, for each bind. Two to three times what the SMSC accepts in a second, at most.",
    ),
    Setting("rate_limit_per_s", "Segments per second", SettingType.NUMBER, default=0.0, minimum=0, help="For each bind; 0 is no limit."),
    Setting("bind_count", "Number of binds", SettingType.INTEGER, default=1, minimum=1, maximum=16, advanced=True),
    Setting(
        "enquire_link_interval_s",
        "Link check every (seconds)",
        SettingType.NUMBER,
        default=20.0,
        minimum=0.1,
        maximum=3600,
        help="Shorter than the idle limit of the SMSC.",
        advanced=True,
    ),
    Setting(
        "response_timeout_s", "Wait for an answer (seconds)", SettingType.NUMBER, default=30.0, minimum=0.1, maximum=600, advanced=True
    ),
    Setting("reconnect_pause_s", "Pause before reconnecting (seconds)", SettingType.NUMBER, default=1.0, minimum=0.01, advanced=True),
    Setting(
        "refused_pause_s",
        "Pause after a refused bind (seconds)",
        SettingType.NUMBER,
        default=30.0,
        minimum=0.01,
        help="Long, because operators lock accounts after several wrong passwords. It doubles with every refusal.",
        advanced=True,
    ),
)
_ERRORS = (
    Setting(
        "error_policies",
        "What errors mean",
        SettingType.LINES,
        default="",
        max_length=10_000,
        help="One error a line, where this SMSC differs from the standard: 0x00000045 temporary, ESME_RX_R_APPN permanent, "
        "1025 pause 30. throttle finds the rate by trial. A pause is in seconds; neither burns an attempt.",
        advanced=True,
    ),
    Setting(
        "trace",
        "Trace PDUs",
        SettingType.BOOLEAN,
        default=False,
        help="Writes a line about each PDU to the connection's events, which keep the last 1000. Passwords, texts and the ends of "
        "numbers are masked.",
        advanced=True,
    ),
)
_TLS = (
    Setting("tls", "TLS", SettingType.BOOLEAN, default=False),
    Setting("tls_verify", "Verify the certificate", SettingType.BOOLEAN, default=True, advanced=True),
    Setting("tls_ca", "Certificates of the private CA (PEM)", SettingType.LINES, max_length=100_000, advanced=True),
    Setting("tls_server_name", "Name in the certificate", max_length=255, help="Where it differs from the host.", advanced=True),
    Setting("tls_client_certificate", "Client certificate (PEM)", SettingType.LINES, max_length=100_000, advanced=True),
    Setting("tls_client_key", "Key of the client certificate (PEM)", SettingType.SECRET, max_length=20_000, advanced=True),
)
_TEXT = (
    Setting(
        "alphabet",
        "Alphabet of data_coding 0",
        SettingType.CHOICE,
        default="gsm",
        choices=(
            ("gsm", "GSM 7-bit, one septet an octet"),
            ("gsm_packed", "GSM 7-bit, packed"),
            ("latin1", "Latin-1"),
            ("ascii", "ASCII"),
        ),
        help="The SMSC's default alphabet, which only its operator knows. It holds for both directions.",
        advanced=True,
    ),
    Setting(
        "long_messages",
        "Long messages",
        SettingType.CHOICE,
        default="udh",
        choices=(
            ("udh", "Segments with a user data header"),
            ("sar", "Segments with sar_* parameters"),
            ("message_payload", "Whole, in message_payload"),
        ),
        advanced=True,
    ),
)
_REPORTS = (
    Setting(
        "registered_delivery",
        "registered_delivery",
        SettingType.INTEGER,
        default=1,
        minimum=0,
        maximum=255,
        help="Sent where a report is asked for: 1 final, 2 failures only, 17 final and intermediate.",
        advanced=True,
    ),
    Setting(
        "receipt_id_form",
        "Message ids in receipts",
        SettingType.CHOICE,
        default="auto",
        choices=(
            ("auto", "Find out"),
            ("as_is", "As in the answer"),
            ("hex_to_decimal", "Hexadecimal in the receipt, decimal in the answer"),
            ("decimal_to_hex", "Decimal in the receipt, hexadecimal in the answer"),
        ),
        advanced=True,
    ),
    Setting(
        "receipt_id_prefix",
        "Cut off the front of ids in receipts",
        max_length=32,
        pattern=_PRINTABLE,
        expected=_ASCII,
        help="What the SMSC writes in front of an id in receipts and not in its answers. The Receipts page finds it out.",
        advanced=True,
    ),
    Setting(
        "receipt_time_zone",
        "Time zone of receipts",
        default="UTC",
        max_length=64,
        help="+05:45, or a name such as Europe/Budapest.",
        advanced=True,
    ),
)
_ADDRESSES = (
    Setting(
        "optional_parameters",
        "Optional parameters",
        SettingType.LINES,
        default="",
        max_length=20_000,
        help="Sent with every submit_sm, one a line: 0x1401 = 0a0b in hexadecimal, or 0x1402 = text:abc. A message may set its own.",
        advanced=True,
    ),
    Setting("addr_ton", "TON of the bind", SettingType.INTEGER, default=0, minimum=0, maximum=255, advanced=True),
    Setting("addr_npi", "NPI of the bind", SettingType.INTEGER, default=0, minimum=0, maximum=255, advanced=True),
    Setting("address_range", "Address range", max_length=40, pattern=_PRINTABLE, expected=_ASCII, advanced=True),
    Setting("service_type", "Service type", max_length=5, pattern=_PRINTABLE, expected=_ASCII, advanced=True),
    _ton_npi("source_international", "Source: international number", "1/1"),
    _ton_npi("source_national", "Source: other number", "2/1"),
    _ton_npi("source_short", "Source: short code", "3/0"),
    _ton_npi("source_alphanumeric", "Source: name", "5/0"),
    _ton_npi("destination_international", "Destination: international number", "1/1"),
    _ton_npi("destination_national", "Destination: other number", "2/1"),
    _ton_npi("destination_short", "Destination: short code", "3/0"),
    Setting(
        "interface_version",
        "SMPP version",
        SettingType.CHOICE,
        default="3.4",
        choices=tuple((version, version) for version in INTERFACE_VERSIONS),
        help="3.3 knows neither transceivers nor optional parameters.",
        advanced=True,
    ),
)

SETTINGS: Final[tuple[Setting, ...]] = _ACCOUNT + _FLOW + _ERRORS + _TLS + _TEXT + _REPORTS + _ADDRESSES


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """The settings of one connection; the fields are those of `SETTINGS`."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str
    bind_mode: str
    window: int
    rate_limit_per_s: float
    bind_count: int
    enquire_link_interval_s: float
    response_timeout_s: float
    reconnect_pause_s: float
    refused_pause_s: float
    error_policies: str
    trace: bool
    tls: bool
    tls_verify: bool
    tls_ca: str
    tls_server_name: str
    tls_client_certificate: str
    tls_client_key: str
    alphabet: str
    long_messages: str
    registered_delivery: int
    receipt_id_form: IdMode
    receipt_id_prefix: str
    receipt_time_zone: str
    optional_parameters: str
    addr_ton: int
    addr_npi: int
    address_range: str
    service_type: str
    source_international: str
    source_national: str
    source_short: str
    source_alphanumeric: str
    destination_international: str
    destination_national: str
    destination_short: str
    interface_version: str

    def numbering(self, direction: str, kind: str) -> "Numbering":
        """Return TON and NPI for a `source` or `destination` of a kind (trap S14). Names have a TON as sources only."""
        ton, npi = getattr(self, f"{direction}_{kind}", "0/0").split("/")
        return Numbering(int(ton), int(npi))


class Numbering(NamedTuple):
    """Type of number and numbering plan. Source: SMPP v3.4 §5.2.5, §5.2.6."""

    ton: int
    npi: int


def read_smpp_settings(values: Mapping[str, Any]) -> SmppSettings:
    """Return the typed settings. Raises: InvalidSetting for what only makes sense together."""
    settings = SmppSettings(**values)
    read_zone(settings.receipt_time_zone)
    read_policies(settings.error_policies)
    tlvs = read_table(settings.optional_parameters)
    if settings.interface_version == "3.3":
        if tlvs:
            raise InvalidSetting("optional_parameters", "SMPP 3.3 has no optional parameters. Leave it empty, or take version 3.4.")
        if settings.bind_mode == "transceiver":
            raise InvalidSetting("bind_mode", "SMPP 3.3 has no transceiver. Bind as transmitter and receiver, or take version 3.4.")
        if settings.long_messages != "udh":
            raise InvalidSetting("long_messages", "SMPP 3.3 has no optional parameters. Send long messages with a user data header.")
    if bool(settings.tls_client_certificate) != bool(settings.tls_client_key):
        raise InvalidSetting("tls_client_key", "A client certificate and its key belong together. Give both, or neither.")
    return settings


def read_zone(text: str) -> tzinfo:
    """Return the time zone that an offset (`+05:45`) or a name (`Europe/Budapest`) means. Raises: InvalidSetting."""
    if text in ("", "UTC", "Z"):
        return UTC
    match = re.fullmatch(r"([+-])([01]?[0-9]|2[0-3]):?([0-5][0-9])", text)
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting(
            "receipt_time_zone", f"There is no time zone called {text} here. Give an offset such as +05:45, or UTC."
        ) from error
