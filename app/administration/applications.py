"""Applications of users and their settings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from app import journal
from app.administration.changes import InvalidField, NotThere, audit, changed
from app.administration.connections import MASK
from app.administration.users import find_present_user
from app.models import ApplicationLog, ApplicationRow, ApplicationStatus, DeliveryRow, User
from app.plugins import Plugins
from app.secrets import Vault
from pennywire import Application, InvalidSetting, Setting, read_settings


def application_kind(plugins: Plugins, kind: str) -> type[Application]:
    """Return the class of a kind. Raises: InvalidField."""
    if kind not in plugins.applications:
        known = ", ".join(sorted(plugins.applications)) or "none"
        raise InvalidField("kind", f"There is no kind of application {kind!r}. Known: {known}.")
    return plugins.applications[kind]


def find_application(session: Session, user: User, kind: str) -> ApplicationRow | None:
    """Return a user's application of a kind, or None."""
    return session.execute(select(ApplicationRow).where(ApplicationRow.user_id == user.id, ApplicationRow.kind == kind)).scalar()


def existing_application(session: Session, username: str, kind: str) -> ApplicationRow:
    """Return a user's application of a kind. Raises: NotThere."""
    row = find_application(session, find_present_user(session, username), kind)
    if row is None:
        raise NotThere(f"The user {username} has no application {kind!r}.")
    return row


def set_application(
    session: Session,
    username: str,
    kind: str,
    given: Mapping[str, Any],
    *,
    started: bool | None = None,
    plugins: Plugins,
    vault: Vault,
    now: datetime,
    actor: str,
) -> ApplicationRow:
    """Change the settings that are given, and whether the application is to run; the first change adds it.

    A secret that is given as `MASK` stays. Raises: InvalidField, NotThere.
    """
    user = find_present_user(session, username)
    wanted = application_kind(plugins, kind)
    row = find_application(session, user, kind)
    before = _described(wanted, row)
    if row is None:
        row = ApplicationRow(user_id=user.id, kind=kind, settings={}, desired="stopped", created_at=now)
        row.settings = _stored(wanted, given, {}, vault)
        session.add(row)
        session.flush()
        session.add(ApplicationStatus(application_id=row.id))
    else:
        row.settings = _stored(wanted, given, row.settings, vault)
    if started is not None:
        row.desired = "started" if started else "stopped"
        # From now on, not from when an engine looks: what a quick network tells must not be missed.
        journal.open_cursor(session, journal.APPLICATIONS, now=now, from_start=False)
    session.flush()
    audit(
        session,
        now=now,
        actor=actor,
        verb="edit",
        subject=f"application {kind} of {username}",
        before=before,
        after=_described(wanted, row),
    )
    changed(session)
    return row


def remove_application(session: Session, username: str, kind: str, *, now: datetime, actor: str) -> None:
    """Remove an application with its events and with what waits for it. Raises: NotThere."""
    row = existing_application(session, username, kind)
    for below in (DeliveryRow, ApplicationLog, ApplicationStatus):
        session.execute(delete(below).where(below.application_id == row.id))
    session.delete(row)
    audit(session, now=now, actor=actor, verb="delete", subject=f"application {kind} of {username}")
    changed(session)


def shown_application(kind: type[Application], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return an application's settings for people: secrets masked, defaults for what was never set."""
    shown = {}
    for setting in kind.settings:
        value = stored.get(setting.name, setting.default)
        shown[setting.name] = MASK if setting.secret and value else value
    return shown


def described_settings(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """Return settings as rows: what each is called, what it takes and what it is for."""
    return [
        {
            "name": setting.name,
            "label": setting.label,
            "type": setting.type.value,
            "required": setting.required,
            "default": setting.default,
            "choices": [choice for choice, _ in setting.choices],
            "help": setting.help,
        }
        for setting in settings
    ]


def live_application(kind: type[Application], stored: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """Return an application's settings as it gets them: secrets in clear, hashed ones as their hash, and defaults.

    Raises: InvalidSetting, CannotDecrypt.
    """
    hashes = {setting.name: stored.get(setting.name, "") for setting in kind.settings if setting.hashed}
    plain = {
        setting.name: vault.decrypt(stored[setting.name]) if setting.secret else stored[setting.name]
        for setting in kind.settings
        if setting.name in stored and not setting.hashed
    }
    return read_settings([setting for setting in kind.settings if not setting.hashed], plain) | hashes


def _described(kind: type[Application], row: ApplicationRow | None) -> dict[str, Any] | None:
    return None if row is None else shown_application(kind, row.settings) | {"desired": row.desired}


def _stored(kind: type[Application], given: Mapping[str, Any], before: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    known = {setting.name for setting in kind.settings}
    for name in given:
        if name not in known:
            raise InvalidField(name, f"There is no setting called {name}. Known: {', '.join(sorted(known)) or 'none'}.")
    try:
        return {setting.name: _value(setting, given, before, vault) for setting in kind.settings}
    except InvalidSetting as error:
        raise InvalidField(error.name, error.reason) from error


def _value(setting: Setting, given: Mapping[str, Any], before: Mapping[str, Any], vault: Vault) -> Any:
    """Return one setting as it is stored. Raises: InvalidSetting."""
    absent = setting.name not in given or (setting.secret and given[setting.name] == MASK)
    if absent and setting.name in before:
        return before[setting.name]
    value = setting.read(None if absent else given[setting.name])
    if setting.hashed:
        return generate_password_hash(value) if value else ""
    return vault.encrypt(value) if setting.secret else value
