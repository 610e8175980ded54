"""The settings of plugins themselves: declared by the plugin, kept here, checked by both."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, NotThere, audit, changed
from app.administration.connections import MASK
from app.models import PluginSettings
from app.plugins import Plugins
from app.secrets import Vault
from pennywire import InvalidSetting, Setting, read_settings


def declared_settings(plugins: Plugins, name: str) -> tuple[Setting, ...]:
    """Return the settings that an enabled plugin declares; none where it declares none. Raises: NotThere."""
    if name not in plugins.infos:
        raise NotThere(f"There is no plugin {name!r}. Installed: {', '.join(sorted(plugins.infos)) or 'none'}.")
    return plugins.settings.get(name, ())


def stored_plugin_settings(session: Session, name: str) -> dict[str, Any]:
    """Return the settings of a plugin as they are stored, secrets encrypted; nothing where they were never changed."""
    row = session.get(PluginSettings, name)
    return dict(row.settings) if row else {}


def live_plugin_settings(plugins: Plugins, vault: Vault, name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a plugin for its hooks: secrets in clear, defaults for what was never set.

    Raises: InvalidSetting for a value that an older version of the plugin allowed; CannotDecrypt.
    """
    declared = plugins.settings.get(name, ())
    plain = {
        setting.name: vault.decrypt(stored[setting.name]) if setting.secret else stored[setting.name]
        for setting in declared
        if setting.name in stored
    }
    return read_settings(declared, plain)


def shown_plugin_settings(plugins: Plugins, name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a plugin for people: secrets masked, defaults for what was never set."""
    shown = {}
    for setting in plugins.settings.get(name, ()):
        value = stored.get(setting.name, setting.read(None) if not setting.required else setting.default)
        shown[setting.name] = MASK if setting.secret and value else value
    return shown


def set_plugin_settings(
    session: Session, name: str, given: Mapping[str, Any], *, plugins: Plugins, vault: Vault, now: datetime, actor: str
) -> None:
    """Change the settings that are given; the others stay. A secret that is given as `MASK` stays too.

    Engines take them over within two seconds, without a restart. Raises: InvalidField, NotThere.
    """
    declared = declared_settings(plugins, name)
    if not declared:
        raise NotThere(f"The plugin {name} has no settings, or is not enabled.")
    stored = stored_plugin_settings(session, name)
    try:
        values = read_settings(declared, _merged(declared, stored, given, vault))
        _check(plugins, name, values)
    except InvalidSetting as error:
        raise InvalidField(error.name, error.reason) from error
    fresh = {setting.name: _kept(setting, values[setting.name], stored, vault) for setting in declared}
    before, after = shown_plugin_settings(plugins, name, stored), shown_plugin_settings(plugins, name, fresh)
    session.merge(PluginSettings(name=name, settings=fresh))
    audit(session, now=now, actor=actor, verb="edit", subject=f"plugin {name}", before=before, after=after)
    changed(session)


def _merged(declared: tuple[Setting, ...], stored: Mapping[str, Any], given: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    secrets = {setting.name for setting in declared if setting.secret}
    kept = {name: vault.decrypt(value) if name in secrets else value for name, value in stored.items()}
    known = {setting.name for setting in declared}
    changes = {name: value for name, value in given.items() if not (name in secrets and value == MASK)}
    return {name: value for name, value in kept.items() if name in known} | changes


def _kept(setting: Setting, value: Any, stored: Mapping[str, Any], vault: Vault) -> Any:
    """Return a value as it is stored; a secret that has not changed keeps its stored form."""
    if not setting.secret:
        return value
    before = stored.get(setting.name, "")
    return before if before and vault.decrypt(before) == value else vault.encrypt(value)


def _check(plugins: Plugins, name: str, values: Mapping[str, Any]) -> None:
    """Ask the plugin itself. What it raises beside InvalidSetting is its own fault and is not hidden."""
    for implementation in plugins.manager.hook.check_settings.get_hookimpls():
        if implementation.plugin_name == name:
            implementation.function(values)
