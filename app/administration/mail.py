"""The mail server of the gateway: its settings, its password at rest, and a mail to try it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, audit, changed
from app.administration.connections import MASK
from app.mailing import TLS_MODES, Mail, MailServer, is_address
from app.models import Option
from app.notices import OPERATOR_OPTION
from app.secrets import Vault
from pennywire import InvalidSetting, Setting, SettingType

PASSWORD = "mail_password"  # noqa: S105  # the name of an option

MAIL_SETTINGS: tuple[Setting, ...] = (
    Setting("mail_host", "Server", max_length=253, help="Host name of the SMTP server. Empty: no mail leaves."),
    Setting(
        "mail_tls",
        "Encryption",
        SettingType.CHOICE,
        default="starttls",
        choices=(("starttls", "STARTTLS (usually port 587)"), ("tls", "TLS from the start (usually port 465)"), ("none", "None (port 25)")),
        help="The server's certificate is verified.",
    ),
    Setting("mail_port", "Port", SettingType.INTEGER, default=0, minimum=0, maximum=65535, help="0: the usual one of the encryption."),
    Setting("mail_user", "User name", max_length=254, help="Empty: the server asks for none."),
    Setting(PASSWORD, "Password", SettingType.SECRET, max_length=256),
    Setting("mail_from", "Sender's address", max_length=254, help="What stands in From, such as gateway@example.com."),
    Setting(
        OPERATOR_OPTION, "Operator's address", max_length=254, help="Hears of every notice: low credit, suspensions, faults of the ledger."
    ),
)
"""Each is an option of its own; the password is encrypted."""

_NAMES = tuple(setting.name for setting in MAIL_SETTINGS)


def set_mail(session: Session, given: Mapping[str, Any], *, vault: Vault, now: datetime, actor: str) -> None:
    """Change the settings that are given; the others stay. A password given as `MASK` stays too. Raises: InvalidField."""
    before = _stored(session)
    values = {name: value for name, value in given.items() if name != PASSWORD or value != MASK}
    fresh = _checked(values)
    if PASSWORD in fresh:
        fresh[PASSWORD] = vault.encrypt(fresh[PASSWORD])
    after = before | fresh
    if after.get("mail_host") and not after.get("mail_from"):
        raise InvalidField("mail_from", "A mail needs a sender's address, such as gateway@example.com.")
    if after.get("mail_user") and after.get("mail_tls") == "none":
        raise InvalidField("mail_tls", "A password would cross the network in clear. Choose STARTTLS or TLS, or leave the user name empty.")
    for name, value in fresh.items():
        session.merge(Option(name=name, value={"value": value}))
    audit(session, now=now, actor=actor, verb="set", subject="mail server", before=_masked(before), after=_masked(after))
    changed(session)


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    settings = {setting.name: setting for setting in MAIL_SETTINGS}
    for name, value in given.items():
        if name not in settings:
            raise InvalidField(name, f"There is no mail setting {name}. Known: {', '.join(_NAMES)}.")
        try:
            checked[name] = settings[name].read(value)
        except InvalidSetting as error:
            raise InvalidField(name, error.reason) from error
    for name in ("mail_from", OPERATOR_OPTION):
        if checked.get(name) and not is_address(checked[name]):
            raise InvalidField(name, f"{checked[name][:60]!r} is not an e-mail address. Write one such as name@example.com.")
    host = checked.get("mail_host", "")
    if host and (not host.isascii() or any(character in " /:@" for character in host) or not host.isprintable()):
        raise InvalidField("mail_host", "Write the name of the host alone, such as mail.example.com; the port has a field of its own.")
    return checked


def _stored(session: Session) -> dict[str, Any]:
    return {row.name: row.value["value"] for row in session.scalars(select(Option).where(Option.name.in_(_NAMES)))}


def _masked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: MASK if name == PASSWORD and value else value for name, value in values.items()}


def shown_mail(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for people, the password masked. `options` are the configuration's."""
    return _masked({setting.name: options.get(setting.name, setting.default) for setting in MAIL_SETTINGS})


def mail_server(options: Mapping[str, Any], vault: Vault) -> MailServer:
    """Return the mail server of the configuration; without a host there is none. Raises: CannotDecrypt."""
    tls = str(options.get("mail_tls") or "starttls")
    assert tls in TLS_MODES
    return MailServer(
        host=str(options.get("mail_host") or ""),
        port=int(options.get("mail_port") or 0),
        tls=tls,
        user=str(options.get("mail_user") or ""),
        password=vault.decrypt(str(options.get(PASSWORD) or "")),
        sender=str(options.get("mail_from") or ""),
    )


def trial_mail(address: str, *, now: datetime) -> Mail:
    """Return a mail that tries the settings. Raises: InvalidField for what is no address."""
    if not is_address(address):
        raise InvalidField("address", f"{address[:60]!r} is not an e-mail address. Write one such as name@example.com.")
    text = "This mail was sent to try the mail settings of Pennywire. It has arrived, so they are right.\n"
    return Mail(address, "Pennywire: a mail to try the settings", text, now)
