"""`pennywire plugins` and `pennywire secret`. They work where a plugin keeps everything else from starting."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from app import administration, leftovers, rotation, routing
from app import plugins as loading
from app.cli import scaffolding
from app.cli.answers import Failed, answer, answer_table
from app.cli.confirming import confirmed, require_confirmed
from app.cli.given_settings import setting_options, take_settings
from app.cli.opening import ACTOR, core, database, settings, write
from app.cli.options import Group
from app.clock import utc_now
from app.core import enabled_plugins
from app.plugins import DuplicateKind, PluginInfo
from app.secrets import Vault


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def plugins(context: click.Context) -> None:
    """List, enable, disable and set up plugins."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@plugins.command("list")
def list_() -> None:
    """List the plugins that are installed, with the fault of each that failed."""
    with database() as opened:
        choices = enabled_plugins(opened)
    try:
        infos = list(loading.load(choices, builtins=[routing]).infos.values())
    except DuplicateKind as error:
        click.echo(f"pennywire: {error}", err=True)
        infos = [replace(info, enabled=choices.get(info.name, info.name in loading.OWN)) for info in _installed().values()]
    rows = [_described(info) for info in infos]
    shown = [row | {"fault": row["error"].strip().splitlines()[-1] if row["error"] else ""} for row in rows]
    columns = {"name": "PLUGIN", "version": "VERSION", "enabled": "ENABLED", "kinds": "BRINGS", "distribution": "FROM", "fault": "FAULT"}
    answer_table(rows, columns, empty="There is no plugin.", shown=shown)


def _installed() -> dict[str, PluginInfo]:
    """Return what is installed, without importing any of it."""
    nothing: Mapping[str, bool] = dict.fromkeys(loading.OWN, False)
    return loading.load(nothing).infos


def _described(info: PluginInfo) -> dict[str, Any]:
    names = ("name", "distribution", "version", "author", "enabled", "error", "hooks", "kinds")
    return {name: getattr(info, name) for name in names}


def _set(name: str, *, enabled: bool) -> None:
    known = sorted(_installed())
    if name not in known:
        raise Failed("not_found", f"There is no plugin {name!r}. Installed: {', '.join(known) or 'none'}.", "name")
    write(lambda session: administration.set_plugin(session, name, enabled, now=utc_now(), actor=ACTOR))
    word = "enabled" if enabled else "disabled"
    answer({"name": name, "enabled": enabled}, f"The plugin {name} is {word}; the processes restart by themselves.")


@plugins.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Enable a plugin."""
    _set(name, enabled=True)


@plugins.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable a plugin; what is configured with it stays."""
    _set(name, enabled=False)


@plugins.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(scaffolding.KINDS), default="connector", show_default=True, help="What the plugin brings.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Folder to write; without it pennywire-NAME here.")
@click.option("--try", "tried", is_flag=True, help="Install it beside the gateway too, and run its tests against its scripted operator.")
def new(name: str, kind: str, into: Path | None, tried: bool) -> None:
    """Write the package of a new plugin, with tests that pass."""
    folder = into or Path(f"pennywire-{name}")
    written = scaffolding.write(kind, name, folder)
    said = scaffolding.install_and_test(folder.resolve()) if tried else ""
    remedy = f"Installed; its tests say: {said}" if tried else f"Install it: {sys.executable} -m pip install -e {folder}"
    files = [str(path) for path in written]
    answer(
        {"name": name, "kind": kind, "files": files, "tests": said},
        "\n".join(["Written:", *(f"  {path}" for path in files), remedy, f"Then enable it: pennywire plugin enable {name}"]),
    )


@plugins.command("remove-data")
@click.argument("name")
@click.option("--prefix", help="How its tables begin, where the plugin is not installed any more and cannot say so itself.")
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, and keep it.")
@confirmed("plugin")
def remove_data(name: str, prefix: str | None, dry_run: bool, confirm: str | None) -> None:
    """Remove what a disabled plugin keeps: its tables, its settings, its place in the journal. It cannot be brought back."""
    installed = _installed()
    prefixes = [prefix] if prefix else _prefixes(name, installed)
    with database() as opened, opened.read() as session:
        found = leftovers.survey(session, name, prefixes)
    lines = found.in_words()
    if dry_run or not found:
        words = (
            "\n  ".join(["This would be removed, and could not be brought back:", *lines]) if found else f"The plugin {name} keeps nothing."
        )
        answer({"name": name, "kept": lines, "removed": False}, words)
        return
    with database() as opened:
        enabled = enabled_plugins(opened).get(name, name in loading.OWN)
    if enabled and name in installed:
        raise Failed("conflict", f"The plugin {name} is enabled and uses it. Disable it first: pennywire plugin disable {name}", "name")
    click.echo("\n  ".join(["This will be removed:", *lines]), err=True)
    require_confirmed("plugin", name, confirm)
    write(lambda session: leftovers.remove(session, name, prefixes, now=utc_now(), actor=ACTOR))
    answer({"name": name, "kept": lines, "removed": True}, f"What the plugin {name} kept is removed.")


def _prefixes(name: str, installed: Mapping[str, PluginInfo]) -> list[str]:
    """Ask the plugin how its tables begin; of all plugins only this one is imported."""
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise Failed("not_found", f"There is no plugin {name!r}. Installed: {known}. Give --prefix for one that is gone.", "name")
    loaded = loading.load(dict.fromkeys(installed, False) | {name: True})
    return [migrations.prefix for _, migrations in loaded.migrations]


@plugins.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show the settings of a plugin, secrets masked."""
    with core() as opened, opened.database.read() as session:
        declared = administration.declared_settings(opened.plugins, name)
        values = administration.shown_plugin_settings(opened.plugins, name, administration.stored_plugin_settings(session, name))
    rows = [row | {"value": values[row["name"]]} for row in administration.described_settings(declared)]
    answer_table(rows, {"name": "SETTING", "value": "VALUE", "type": "TYPE", "label": "WHAT IT IS"}, empty=f"{name} has no settings.")


@plugins.command("set")
@click.argument("name")
@setting_options("Give a setting; `plugins show NAME` lists them.")
def set_(name: str, pairs: Sequence[str], from_file: Sequence[str], ask: Sequence[str]) -> None:
    """Change the settings of a plugin that are given; the rest stays, secrets too. A running engine follows by itself."""
    with core() as opened:
        given = take_settings(administration.declared_settings(opened.plugins, name), pairs, from_file, ask)

        def work(session: Session) -> dict[str, Any]:
            administration.set_plugin_settings(session, name, given, plugins=opened.plugins, vault=opened.vault, now=utc_now(), actor=ACTOR)
            return administration.shown_plugin_settings(opened.plugins, name, administration.stored_plugin_settings(session, name))

        answer({"name": name, "settings": opened.database.run(work)}, f"Changed the settings of the plugin {name}.")


@click.group(cls=Group)
def secret() -> None:
    """Change the key of stored secrets."""


@secret.command("rotate")
def rotate() -> None:
    """Encrypt every stored secret with a fresh key, and throw the old keys away."""
    with database() as opened:
        count = rotation.rotate(opened, Vault(settings().data / "settings.key"), now=utc_now(), actor=ACTOR)
    answer({"rotated": count}, f"{count} secrets are encrypted with a fresh key; the old keys are gone.")
