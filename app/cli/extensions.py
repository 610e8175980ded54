"""Commands that plugins bring."""

import importlib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import click
import pysqlite3.dbapi2  # type: ignore[import-untyped]  # the wheel carries no annotations

from app import plugins
from app.cli.options import common, given
from app.config import InvalidSettings, load
from pennywire import LaterCommand, Storage, ui

_OPENED = "pennywire.gateway"


class NameTaken(click.ClickException):
    """Two bring a command of the same name; the text names both."""


def commands(*, taken: Container[str]) -> dict[str, click.Command]:
    """Return the commands of the enabled plugins by name. Raises: NameTaken."""
    provide_gateway()
    found: dict[str, click.Command] = {}
    owners: dict[str, str] = {}
    try:
        loaded = plugins.load(_choices())
    except plugins.DuplicateKind as error:
        click.echo(f"pennywire: {error}", err=True)
        return {}
    for owner, brought in loaded.call("register_commands"):
        for command in brought or ():
            name = command.name or ""
            if name in taken or name in owners:
                other = owners.get(name, "pennywire itself")
                raise NameTaken(f"The plugin {owner} brings the command {name}, which {other} has already. Disable one: pennywire plugins")
            ready = _Later(command) if isinstance(command, LaterCommand) else _with_common_options(command)
            found[name], owners[name] = ready, owner
    for name, info in loaded.infos.items():
        if info.error:
            click.echo(f"The plugin {name} failed and is left out: {info.error.strip().splitlines()[-1]}", err=True)
    return found


class _Later(click.Command):
    """Stands for a command in lists, and makes way for it when it is called."""

    def __init__(self, later: LaterCommand) -> None:
        super().__init__(later.name, help=later.help)
        self._target = later.target

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        """Load the command and begin it. Raises: click.UsageError."""
        module, _, name = self._target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return _with_common_options(command).make_context(info_name, args, parent, **extra)


def _with_common_options(command: click.Command) -> click.Command:
    """Give a plugin's command, and those below it, the options that all commands have."""
    taken = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    command.params += [option for option in common() if not taken & set(option.opts)]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _with_common_options(inner)
    return command


def provide_gateway() -> None:
    """Let commands of plugins reach the gateway; it is opened when one asks for it, and closed with the call."""
    root = click.get_current_context().find_root()

    def opened() -> Storage:
        if _OPENED not in root.meta:
            root.meta[_OPENED] = importlib.import_module("app.cli.opening").gateway(root)
        found: Storage = root.meta[_OPENED]
        return found

    ui.provide(opened)


def _choices() -> Mapping[str, bool]:
    """Return which plugins the operator enabled or disabled; nothing where the database cannot say.

    A database in the data folder is asked by its driver: SQLAlchemy alone would take longer than all the rest of `--help`.
    """
    try:
        settings = load(given().overrides, file=given().config)
    except InvalidSettings:
        return {}
    if settings.database_url:
        asked: Mapping[str, bool] = importlib.import_module("app.cli.opening").plugin_choices()
        return asked
    return _choices_in(settings.data / "pennywire.sqlite3")


def _choices_in(path: Path) -> Mapping[str, bool]:
    if not path.exists():
        return {}
    connection = pysqlite3.dbapi2.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return {name: bool(enabled) for name, enabled in connection.execute("SELECT name, enabled FROM plugins")}
    except pysqlite3.dbapi2.Error:
        return {}
    finally:
        connection.close()
