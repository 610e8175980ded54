"""Settings of the running gateway, and which plugins are enabled."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import limits
from app.administration.changes import InvalidField, audit, changed
from app.administration.second_factors import ROLES_OPTION
from app.administration.sessions import DEFAULT_IDLE_MIN, DEFAULT_LIFE_H, IDLE_OPTION, LIFE_OPTION, LONGEST_IDLE_MIN, LONGEST_LIFE_H
from app.administration.users import ROLES
from app.ledger import InvalidAmount, format_credits, parse_credits
from app.models import (
    Option,
    PluginRow,
)
from app.periods import zone
from pennywire import Setting, SettingType

CALLBACK_HOSTS = "callback_hosts"
CHECK_HOUR, TIME_ZONE = "ledger_check_hour", limits.OPTION
LEGACY_STATUS = "legacy_refusal_status"
CLOSING_GRACE, DEFAULT_CLOSING_GRACE_H, LONGEST_CLOSING_GRACE_H = "closing_grace_h", "2", 28 * 24
HIDDEN_OPTION, DEFAULT_HIDDEN = "text_hidden_roles", "auditor"
HIDEABLE = ("operator", "auditor")
"""Administrators could give themselves the right, and customers read what is theirs."""

OFF = "off"
DEFAULT_CHECK_HOUR, DEFAULT_TIME_ZONE = "3", "UTC"

GATEWAY_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "country_code",
        "Home country's calling code",
        help="Such as 36 for Hungary: a recipient written as 06 20… or 20… is then a number of that country. Empty: numbers need a +.",
    ),
    Setting(
        limits.OPTION,
        "Time zone",
        default=DEFAULT_TIME_ZONE,
        max_length=64,
        help="Such as Europe/Budapest: for days and limits of accounts that name none, for the legacy API, and for the nightly check.",
    ),
    Setting(
        "second_person_above",
        "Second person above",
        help="A top-up or correction of more credits than this waits until another administrator approves it. Empty: nothing waits.",
    ),
    Setting(
        CALLBACK_HOSTS,
        "Hosts for callbacks",
        max_length=1000,
        help="Callbacks reach public addresses only. Names of hosts of your own network that they may reach too, separated by commas.",
    ),
    Setting(
        LEGACY_STATUS,
        "HTTP status of legacy refusals",
        SettingType.CHOICE,
        default="",
        choices=(("", "Always 200: programs read the answer's text"), ("yes", "That of the modern API, such as 402 and 429")),
        help="For programs written for Ozeki that look at nothing but the status.",
    ),
    Setting(
        IDLE_OPTION,
        "Minutes without activity until a session ends",
        default=DEFAULT_IDLE_MIN,
        help=f"1 to {LONGEST_IDLE_MIN}. Pages that ask for news by themselves are no activity.",
    ),
    Setting(
        LIFE_OPTION,
        "Hours until a session ends",
        default=DEFAULT_LIFE_H,
        help=f"1 to {LONGEST_LIFE_H}, however busy it is.",
    ),
    Setting(
        ROLES_OPTION,
        "Roles that need a second factor",
        max_length=100,
        help="Of administrator, operator, auditor and customer, by commas: who has none yet sets it up before anything else. Empty: none.",
    ),
    Setting(
        HIDDEN_OPTION,
        "Roles that read no texts",
        default=DEFAULT_HIDDEN,
        max_length=40,
        help="Of operator and auditor, by commas: what messages say is hidden from them everywhere. Empty: both read it.",
    ),
    Setting(CHECK_HOUR, "Hour of the nightly ledger check", default=DEFAULT_CHECK_HOUR, help="0 to 23 by the gateway's time zone, or off."),
    Setting(
        CLOSING_GRACE,
        "Hours until a month is closed",
        default=DEFAULT_CLOSING_GRACE_H,
        help="How long after its end, by the account's clock, the statement of a month is frozen; off: administrators close months.",
    ),
)
"""What operators set for the whole gateway on *System / Settings*, and by `pennywire option`. Stored as it is written here."""


def checked_option(name: str, text: str) -> str:
    """Return a setting of the gateway as it is stored. Raises: InvalidField."""
    if name not in _CHECKS:
        raise InvalidField(name, f"There is no setting {name}. Known: {', '.join(_CHECKS)}.")
    try:
        return _CHECKS[name](text.strip())
    except InvalidAmount as error:
        raise InvalidField(name, str(error)) from error
    except ValueError as error:
        raise InvalidField(name, str(error)) from error


def set_gateway_options(session: Session, given: Mapping[str, str], *, now: datetime, actor: str) -> None:
    """Change settings of the whole gateway; one that stays as it is is not audited. Raises: InvalidField."""
    for name, text in given.items():
        value = checked_option(name, text)
        row = session.get(Option, name)
        if (row.value["value"] if row else _DEFAULTS[name]) != value:
            set_option(session, name, value, now=now, actor=actor)


def reads_texts(options: Mapping[str, Any], role: str) -> bool:
    """Say whether people of a role may read what messages of others say."""
    return role not in str(options.get(HIDDEN_OPTION, DEFAULT_HIDDEN) or "").split(", ")


def callback_hosts(session: Session) -> frozenset[str]:
    """Return the hosts that callbacks may reach though they are not public."""
    row = session.get(Option, CALLBACK_HOSTS)
    return split_hosts(str(row.value["value"] or "") if row else "")


def split_hosts(text: str) -> frozenset[str]:
    """Return the hosts of a stored list."""
    return frozenset(host for host in re.split(r"[,\s]+", text) if host)


def _country_code(text: str) -> str:
    code = text.removeprefix("+")
    if not re.fullmatch(r"([1-9][0-9]{0,2})?", code, re.ASCII):
        raise ValueError("A calling code has 1 to 3 digits and does not begin with 0, such as 36.")
    return code


def _amount(text: str) -> str:
    if not text:
        return ""
    amount_uc = parse_credits(text)
    if amount_uc < 0:
        raise ValueError("An amount above which two people are needed is 0 or more, or empty.")
    return format_credits(amount_uc)


def _hosts(text: str) -> str:
    hosts = sorted(split_hosts(text))
    for host in hosts:
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", host, re.ASCII):
            raise ValueError(f"{host[:60]!r} is not the name of a host. Write names such as billing.example, separated by commas.")
    return ", ".join(hosts)


def _hour(text: str) -> str:
    if text.lower() == "off":
        return "off"
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) or int(text) > 23:
        raise ValueError("Write an hour from 0 to 23, or off.")
    return str(int(text))


def _grace(text: str) -> str:
    if text.lower() == OFF:
        return OFF
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or int(text) > LONGEST_CLOSING_GRACE_H:
        raise ValueError(f"Write whole hours from 0 to {LONGEST_CLOSING_GRACE_H}, or off.")
    return str(int(text))


def _whole(most: int, unit: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= most:
            raise ValueError(f"Write whole {unit} from 1 to {most}.")
        return str(int(text))

    return read


def _roles_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        given = {word for word in re.split(r"[,\s]+", text.lower()) if word}
        unknown = sorted(given - set(choices))
        if unknown:
            raise ValueError(f"{unknown[0][:40]!r} is no role that can be named here. These can: {', '.join(choices)}.")
        return ", ".join(role for role in choices if role in given)

    return read


def _switch(text: str) -> str:
    word = text.lower()
    if word not in {"", "no", "false", "0", "yes", "true", "1"}:
        raise ValueError("Write yes or no.")
    return "yes" if word in {"yes", "true", "1"} else ""


def _zone(text: str) -> str:
    if text:
        zone(text)
    return text or DEFAULT_TIME_ZONE


_DEFAULTS: Mapping[str, str] = {setting.name: setting.default or "" for setting in GATEWAY_SETTINGS}
_CHECKS: Mapping[str, Callable[[str], str]] = {
    "country_code": _country_code,
    limits.OPTION: _zone,
    "second_person_above": _amount,
    CALLBACK_HOSTS: _hosts,
    LEGACY_STATUS: _switch,
    IDLE_OPTION: _whole(LONGEST_IDLE_MIN, "minutes"),
    LIFE_OPTION: _whole(LONGEST_LIFE_H, "hours"),
    ROLES_OPTION: _roles_of(ROLES),
    HIDDEN_OPTION: _roles_of(HIDEABLE),
    CHECK_HOUR: _hour,
    CLOSING_GRACE: _grace,
}


def set_option(session: Session, name: str, value: Any, *, now: datetime, actor: str) -> None:
    """Change a setting of the running gateway, such as `country_code`."""
    row = session.get(Option, name)
    before = {"value": row.value["value"]} if row else None
    session.merge(Option(name=name, value={"value": value}))
    audit(session, now=now, actor=actor, verb="set", subject=f"option {name}", before=before, after={"value": value})
    changed(session)
    if name == limits.OPTION:
        session.flush()
        limits.recount_followers(session, now=now)


def set_plugin(session: Session, name: str, enabled: bool, *, now: datetime, actor: str) -> None:
    """Enable or disable a plugin; processes finish their work and restart."""
    session.merge(PluginRow(name=name, enabled=enabled))
    audit(session, now=now, actor=actor, verb="enable" if enabled else "disable", subject=f"plugin {name}")
    changed(session)
