"""The settings that both kinds of connection share, and how their texts are read."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from pennywire import InvalidSetting, Setting, SettingType

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_SOURCE_USES: Final = (
    ("none", "Clickatell chooses"),
    ("fixed", "Always the source below"),
    ("message", "The message's own"),
)

_BALANCE = (
    Setting(
        "balance_alarm",
        "Alarm below a balance of",
        max_length=16,
        pattern=r"[0-9]{1,10}(\.[0-9]{1,4})?",
        expected="an amount such as 12.50",
        help="In the currency of the Clickatell account. Empty: no alarm.",
    ),
    Setting(
        "balance_every_s", "Ask for the balance every (s)", SettingType.NUMBER, default=300.0, minimum=1, maximum=86_400, advanced=True
    ),
)


def shared_settings(*, base_url: str, source_use: str, most_per_call: int, per_call: int, per_call_help: str) -> tuple[Setting, ...]:
    """Return the settings of both kinds, with the defaults of one."""
    return (
        Setting("source_use", "Source of messages", SettingType.CHOICE, default=source_use, choices=_SOURCE_USES),
        Setting(
            "source",
            "Source",
            max_length=16,
            pattern=r"\+?[0-9]{3,15}|[A-Za-z0-9 ._&-]{1,11}",
            expected="a number of 3 to 15 digits, or a name of at most 11 letters, digits, blanks, dots, &, - and _",
            help="The two-way number or registered sender that is used with “Always the source below”.",
        ),
        Setting(
            "callback_secret",
            "Callback secret",
            SettingType.SECRET,
            max_length=128,
            pattern=r"[A-Za-z0-9_-]{24,128}",
            expected="24 to 128 letters, digits, - and _",
            help="At least 24 letters, digits, - or _. It stands in the address that Clickatell calls. Empty: callbacks are refused.",
        ),
        Setting(
            "callback_sources",
            "Callbacks come from",
            SettingType.LINES,
            max_length=4_000,
            help="One address or network a line, such as 196.216.236.0/24. Empty: from anywhere, if the secret is right.",
        ),
        *_BALANCE,
        Setting(
            "messages_per_call",
            "Messages in one call",
            SettingType.INTEGER,
            default=per_call,
            minimum=1,
            maximum=most_per_call,
            help=per_call_help,
            advanced=True,
        ),
        Setting("window", "Window (messages)", SettingType.INTEGER, default=200, minimum=1, maximum=10_000, advanced=True),
        Setting("calls", "Calls at a time", SettingType.INTEGER, default=8, minimum=1, maximum=100, advanced=True),
        Setting("timeout_s", "Time-out (s)", SettingType.NUMBER, default=30.0, minimum=1, maximum=300, advanced=True),
        Setting(
            "base_url",
            "Address of the API",
            default=base_url,
            max_length=200,
            help="https, except for a host on this machine.",
            advanced=True,
        ),
    )


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """The shared settings, read. `balance_alarm` is in the currency of the account; None for no alarm."""

    base_url: str
    source_use: str
    source: str
    balance_alarm: Decimal | None
    balance_every_s: float
    messages_per_call: int
    window: int
    calls: int
    timeout_s: float


def read_shared(values: Mapping[str, Any]) -> SharedSettings:
    """Return the shared settings of a connection's values. Raises: InvalidSetting for what does not go together."""
    if values["source_use"] == "fixed" and not values["source"]:
        raise InvalidSetting("source", "Source is missing. Give the one that is always to be used, or let Clickatell choose.")
    read_networks(values["callback_sources"])
    alarm = values["balance_alarm"]
    return SharedSettings(
        base_url=read_base_url(values["base_url"]),
        source_use=values["source_use"],
        source=values["source"],
        balance_alarm=Decimal(alarm) if alarm else None,
        balance_every_s=values["balance_every_s"],
        messages_per_call=values["messages_per_call"],
        window=values["window"],
        calls=values["calls"],
        timeout_s=values["timeout_s"],
    )


def read_base_url(text: str) -> str:
    """Return the address without a slash at its end. Raises: InvalidSetting unless it is https, or http on this machine."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidSetting("base_url", "Address of the API is no address. Write one such as https://platform.clickatell.com.") from error
    shape = parts.scheme in {"http", "https"} and host and port != 0 and not re.search(r"[\s?#@\\]", text) and text.isascii()
    if not shape:
        raise InvalidSetting("base_url", "Address of the API is no address. Write one such as https://platform.clickatell.com.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidSetting("base_url", "Address of the API must begin with https://, so that nobody on the way reads the key.")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a text with one a line. Raises: InvalidSetting, naming the line."""
    networks = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            networks.append(ipaddress.ip_network(line, strict=False))
        except ValueError as error:
            reason = f"“{line}” is neither an address nor a network. Write one such as 196.216.236.0/24."
            raise InvalidSetting("callback_sources", reason) from error
    return tuple(networks)
