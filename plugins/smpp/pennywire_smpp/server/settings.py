"""What the operator sets: the listener for all, and each user's own binds."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pennywire import InvalidSetting, Setting, SettingType
from pennywire_smpp.pdu import Command
from pennywire_smpp.tls import load_certificate

#: Bounds of C-octet strings. Source: SMPP v3.4 §5.2.2.
MAX_PASSWORD = 8

LISTENER: tuple[Setting, ...] = (
    Setting("server_host", "SMPP server: address", default="0.0.0.0", max_length=64, help="Where customers reach us. :: for IPv6 as well."),  # noqa: S104  # Customers come from elsewhere.
    Setting("server_port", "SMPP server: port", SettingType.INTEGER, default=2776, minimum=0, maximum=65535, help="0: only TLS."),
    Setting("server_tls_port", "SMPP server: TLS port", SettingType.INTEGER, default=0, minimum=0, maximum=65535, help="0: no TLS."),
    Setting("server_tls_certificate", "SMPP server: certificate", SettingType.LINES, help="PEM, with the chain below it."),
    Setting("server_tls_key", "SMPP server: key of the certificate", SettingType.SECRET, help="PEM. Give it by --from-file."),
)
"""Settings of the plugin: where the server listens."""

ACCOUNT: tuple[Setting, ...] = (
    Setting(
        "password",
        "SMPP password",
        SettingType.SECRET,
        required=True,
        max_length=MAX_PASSWORD,
        hashed=True,
        help="At most 8 characters. The system_id is the user name.",
    ),
    Setting("max_binds", "Binds at a time", SettingType.INTEGER, default=4, minimum=1, maximum=100),
    Setting(
        "bind_types",
        "Kinds of binds",
        SettingType.CHOICE,
        default="all",
        choices=(
            ("all", "Transmitters, receivers and transceivers"),
            ("separate", "Transmitters and receivers"),
            ("transceiver", "Transceivers"),
            ("transmitter", "Transmitters: submits only"),
            ("receiver", "Receivers: is delivered to only"),
        ),
        help="Other binds are refused with ESME_RBINDFAIL.",
    ),
    Setting(
        "window",
        "Window",
        SettingType.INTEGER,
        default=100,
        minimum=1,
        maximum=5000,
        help="Requests without an answer on a bind, in each direction. A customer who sends more waits.",
    ),
    Setting(
        "rate_per_s",
        "Segments per second",
        SettingType.NUMBER,
        default=0.0,
        minimum=0,
        maximum=100_000,
        help="For all binds of the user together; what is beyond it is refused with ESME_RTHROTTLED. 0: no limit.",
    ),
    Setting(
        "bind_rate_per_s",
        "Segments per second on a bind",
        SettingType.NUMBER,
        default=0.0,
        minimum=0,
        maximum=100_000,
        help="For each bind, within the rate of all; what is beyond it is refused with ESME_RTHROTTLED. 0: no limit.",
    ),
    Setting(
        "allowed_addresses",
        "Allowed addresses",
        SettingType.LINES,
        max_length=4000,
        help="Addresses or networks from which the user may bind, one a line, such as 192.0.2.0/24. Empty: from everywhere.",
    ),
    Setting("tls_required", "TLS only", SettingType.BOOLEAN, default=False, help="Refuses binds that come without TLS."),
    Setting(
        "alphabet",
        "Alphabet of data_coding 0",
        SettingType.CHOICE,
        default="gsm",
        choices=(
            ("gsm", "GSM 7-bit, an octet a character"),
            ("gsm_packed", "GSM 7-bit, packed"),
            ("latin1", "ISO 8859-1"),
            ("ascii", "ASCII"),
        ),
        advanced=True,
    ),
    Setting(
        "join_timeout_s",
        "Wait for segments (s)",
        SettingType.INTEGER,
        default=120,
        minimum=5,
        maximum=86_400,
        advanced=True,
        help="How long segments of a long message wait for the others. Then they are reported as expired, and nothing is charged.",
    ),
)
"""Settings of the application: one user's binds."""

BIND_TYPES: dict[str, frozenset[Command]] = {
    "all": frozenset({Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER}),
    "separate": frozenset({Command.BIND_TRANSMITTER, Command.BIND_RECEIVER}),
    "transceiver": frozenset({Command.BIND_TRANSCEIVER}),
    "transmitter": frozenset({Command.BIND_TRANSMITTER}),
    "receiver": frozenset({Command.BIND_RECEIVER}),
}
"""Which binds each choice of `bind_types` lets in."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One user's settings, typed. Units: seconds, segments per second. `password` is its hash."""

    password: str
    max_binds: int
    window: int
    rate_per_s: float
    bind_rate_per_s: float
    bind_types: str
    allowed: tuple[Network, ...]
    tls_required: bool
    alphabet: str
    join_timeout_s: int

    def takes(self, command_id: int) -> bool:
        """Say whether the user may bind by this command."""
        return command_id in BIND_TYPES[self.bind_types]

    def allows(self, address: str) -> bool:
        """Say whether the user may bind from an address."""
        if not self.allowed:
            return True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.allowed)


def read_account(values: Mapping[str, Any]) -> AccountSettings:
    """Return one user's settings. Raises: InvalidSetting for a network that is none."""
    kept = {name: value for name, value in values.items() if name != "allowed_addresses"}
    return AccountSettings(**kept, allowed=tuple(map(_network, values["allowed_addresses"].split())))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        reason = f"{text[:60]!r} is neither an address nor a network. Write such as 192.0.2.7 or 192.0.2.0/24, one a line."
        raise InvalidSetting("allowed_addresses", reason) from error


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where the server listens; a port of 0 is none."""

    host: str
    port: int
    tls_port: int
    certificate: str
    key: str

    def tls(self) -> ssl.SSLContext:
        """Return the context of the TLS port. Raises: InvalidSetting for a certificate or key that cannot be read."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            load_certificate(context, self.certificate, self.key)
        except (ssl.SSLError, ValueError) as error:
            reason = "Certificate and key of the SMPP server cannot be read, or do not belong together. Give both in PEM."
            raise InvalidSetting("server_tls_certificate", reason) from error
        return context


def read_listener(values: Mapping[str, Any]) -> ListenerSettings:
    """Return where the server listens. Raises: InvalidSetting where nothing would listen, or a certificate is missing."""
    settings = ListenerSettings(
        values["server_host"], values["server_port"], values["server_tls_port"], values["server_tls_certificate"], values["server_tls_key"]
    )
    if not settings.port and not settings.tls_port:
        raise InvalidSetting("server_port", "The SMPP server has no port. Give one, or one for TLS.")
    if settings.port == settings.tls_port:
        raise InvalidSetting("server_tls_port", "TLS needs a port of its own. Give another.")
    if settings.tls_port:
        settings.tls()
    return settings
