"""Service provider connections and their settings."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.administration.changes import Conflict, InvalidField, NotThere, audit, changed
from app.models import (
    ConnectionStatus,
    ServiceConnection,
)
from app.plugins import Plugins
from app.secrets import Vault
from pennywire import Connector, InvalidSetting, read_settings
from pennywire.money import LARGEST_UC, format_credits

MASK = "\N{BULLET}" * 8
"""What a form shows in place of a stored secret; sent back, it leaves the secret as it is."""


_NAME = re.compile(r"[^\x00-\x1f\x7f/]{1,64}")


def connection_kind(plugins: Plugins, kind: str) -> type[Connector]:
    """Return the class of a kind. Raises: InvalidField."""
    if kind not in plugins.connectors:
        known = ", ".join(sorted(plugins.connectors)) or "none"
        raise InvalidField("kind", f"There is no kind of connection {kind!r}. Known: {known}.")
    return plugins.connectors[kind]


def stored_settings(
    kind: type[Connector], given: Mapping[str, Any], vault: Vault, *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a connection's settings as they are stored: typed, secrets encrypted. Raises: InvalidField.

    A secret that is given as `MASK`, or not at all, keeps its stored value.
    """
    old = before or {}
    plain = dict(given)
    kept = {s.name: old[s.name] for s in kind.settings if s.secret and s.name in old and plain.get(s.name, MASK) == MASK}
    for name, stored in kept.items():
        plain[name] = vault.decrypt(stored)
    try:
        values = read_settings(kind.settings, plain)
    except InvalidSetting as error:
        raise InvalidField(error.name, error.reason) from error
    for setting in kind.settings:
        if setting.secret:
            values[setting.name] = kept.get(setting.name) or vault.encrypt(values[setting.name])
    return values


def shown_settings(kind: type[Connector] | None, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection's settings for people: secrets masked. Without the kind every encrypted value is masked."""
    secret = {setting.name for setting in kind.settings if setting.secret} if kind else set()
    return {
        name: MASK if value and (name in secret or (isinstance(value, str) and value.startswith("enc:"))) else value
        for name, value in stored.items()
    }


def live_settings(kind: type[Connector], stored: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """Return a connection's settings for its connector: secrets in clear, defaults for settings that came later."""
    plain = {
        setting.name: vault.decrypt(stored[setting.name]) if setting.secret else stored[setting.name]
        for setting in kind.settings
        if setting.name in stored
    }
    return read_settings(kind.settings, plain)


def add_connection(
    session: Session,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    *,
    provider: str = "",
    plugins: Plugins,
    vault: Vault,
    now: datetime,
    actor: str,
) -> ServiceConnection:
    """Add a connection, stopped. Raises: InvalidField."""
    checked_name(name)
    if session.execute(select(ServiceConnection.id).where(ServiceConnection.name == name)).scalar() is not None:
        raise Conflict("name", f"There is a connection {name} already. Choose another name.")
    connector = connection_kind(plugins, kind)
    connection = ServiceConnection(
        name=name,
        kind=kind,
        provider=checked_name(provider, "provider") if provider else name,
        settings=stored_settings(connector, settings, vault),
        created_at=now,
    )
    session.add(connection)
    session.flush()
    session.add(ConnectionStatus(connection_id=connection.id))
    after = {"kind": kind, "provider": connection.provider, **shown_settings(connector, connection.settings)}
    audit(session, now=now, actor=actor, verb="add", subject=f"connection {name}", after=after)
    changed(session)
    return connection


def edit_connection(
    session: Session,
    name: str,
    settings: Mapping[str, Any],
    *,
    provider: str,
    plugins: Plugins,
    vault: Vault,
    now: datetime,
    actor: str,
) -> ServiceConnection:
    """Change a connection's settings; the engine reconnects with them. Raises: InvalidField, NotThere."""
    connection = find_connection(session, name)
    connector = connection_kind(plugins, connection.kind)
    before = {"provider": connection.provider, **shown_settings(connector, connection.settings)}
    connection.settings = stored_settings(connector, settings, vault, before=connection.settings)
    connection.provider = checked_name(provider, "provider") if provider else name
    after = {"provider": connection.provider, **shown_settings(connector, connection.settings)}
    audit(session, now=now, actor=actor, verb="edit", subject=f"connection {name}", before=before, after=after)
    changed(session)
    return connection


def set_buy_price(session: Session, name: str, buy_uc: int | None, *, now: datetime, actor: str) -> None:
    """Say what a connection charges for a segment where no buy list does; None is not known. Raises: InvalidField, NotThere."""
    connection = find_connection(session, name)
    if buy_uc is not None and not 0 <= buy_uc <= LARGEST_UC // 255:
        raise InvalidField("buy_price", "A buy price is not negative and passes no 3,900,000 credits.")
    if connection.buy_uc != buy_uc:
        before, after = ({"buy_price": None if uc is None else format_credits(uc)} for uc in (connection.buy_uc, buy_uc))
        audit(session, now=now, actor=actor, verb="price", subject=f"connection {name}", before=before, after=after)
        connection.buy_uc = buy_uc
        changed(session)


def set_desired(session: Session, name: str, desired: str, *, plugins: Plugins, now: datetime, actor: str) -> None:
    """Start or stop a connection (`started`, `stopped`). Raises: InvalidField for a kind that cannot send, NotThere."""
    if desired not in ("started", "stopped"):
        raise InvalidField("desired", "A connection is started or stopped.")
    connection = find_connection(session, name)
    if desired == "started" and not connection_kind(plugins, connection.kind).sends:
        raise InvalidField("desired", f"This version's {connection.kind} does not send yet.")
    if connection.desired != desired:
        audit(session, now=now, actor=actor, verb=desired, subject=f"connection {name}")
        connection.desired = desired
        changed(session)


def find_connection(session: Session, name: str) -> ServiceConnection:
    """Return a connection. Raises: NotThere."""
    connection = session.execute(
        select(ServiceConnection).where(ServiceConnection.name == name, ServiceConnection.retired_at.is_(None))
    ).scalar()
    if connection is None:
        raise NotThere(f"There is no connection {name!r}.")
    return connection


def checked_name(name: str, field: str = "name") -> str:
    if not _NAME.fullmatch(name) or name.strip() != name or name == "*":
        raise InvalidField(field, "A name has 1 to 64 characters, no slash, no control characters, and no blank at its ends.")
    return name
