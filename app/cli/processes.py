"""`pennywire run`, `web`, `engine`, `migrate`, `setup-link` and `doctor`."""

import os
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from app import administration, logs, migrations, safety
from app import doctor as diagnosis
from app import plugins as plugin_loading
from app.cli.answers import Failed, answer, table
from app.cli.opening import core, database, require_database, settings, write
from app.cli.options import Command, given, setting_override
from app.clock import utc_now
from app.core import enabled_plugins
from app.db import Database, make_engine
from app.engine.process import run_engine
from app.running import CannotListen, address_of
from app.running import run as run_all
from app.running.launching import environment_of, web_command

_bind = setting_override("bind", "--bind", "Address of the web server; port 0 is any free one.", metavar="HOST:PORT")


@click.command("run", cls=Command)
@_bind
@click.option("--demo", is_flag=True, help="Also make a customer with credit, and a network that needs no network.")
@click.option(
    "--announce", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write address and demo as JSON, when ready."
)
def run(demo: bool, announce: Path | None) -> int:
    """Start the gateway on this machine: web and engine. Ctrl-C stops both."""
    present = settings()
    if announce is not None and not announce.absolute().parent.is_dir():
        raise Failed("invalid_parameter", f"There is no folder {announce.absolute().parent}. Make it, or name another file.", "announce")
    logs.configure(present.log_level)
    try:
        return run_all(present, with_demo=demo, announce=announce, as_json=given().as_json)
    except CannotListen as error:
        raise Failed("cannot_listen", str(error), "bind") from error


@click.command("web", cls=Command)
@_bind
def web() -> None:
    """Start the web process alone, for several machines or a process manager of your own."""
    present = settings()
    safety.require(present)
    with database():
        command = web_command()
    os.execve(command[0], command, environment_of(present))  # noqa: S606  # Our own program takes this one's place.


@click.command("engine", cls=Command)
@click.option("--only", metavar="CONNECTION", help="Serve this connection, and no other.")
def engine(only: str | None) -> int:
    """Start the engine, the delivery process, alone; several share the work."""
    present = settings()
    safety.require(present)
    logs.configure(present.log_level)
    with core() as opened:
        if only is not None:
            with opened.database.read() as session:
                administration.find_connection(session, only)
        return run_engine(opened, only=only)


@click.command("migrate", cls=Command)
@click.option("--check", is_flag=True, help="Only say what would be done; exit status 1 if anything.")
def migrate(check: bool) -> int:
    """Make the database, or bring it to this version. Safe to call at any time, and twice at once."""
    present = settings()
    safety.require(present)
    if check:
        require_database(present)
    else:
        present.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = make_engine(present.url, pool_size=1)
    try:
        steps = migrations.pending(opened) if check else migrations.upgrade(opened)
        if not (check and steps):
            steps += _steps_of_plugins(opened, check=check)
    finally:
        opened.dispose()
    words = f"{'Missing' if check else 'Done'}: {', '.join(steps)}." if steps else "The database is up to date."
    answer({"pending" if check else "done": steps}, words)
    return int(check and bool(steps))


def _steps_of_plugins(engine: Engine, *, check: bool) -> list[str]:
    """Do, or only name, the steps of the enabled plugins; say which of them failed and is left out."""
    try:
        loaded = plugin_loading.load(enabled_plugins(Database(engine)))
    except plugin_loading.DuplicateKind as error:
        click.echo(f"pennywire: {error} The tables of plugins are left as they are.", err=True)
        return []
    steps = (migrations.pending_plugins if check else migrations.upgrade_plugins)(engine, loaded)
    for info in loaded.infos.values():
        if info.error:
            click.echo(f"The plugin {info.name} is left out: {info.error.strip().splitlines()[-1]}", err=True)
    return steps


@click.command("setup-link", cls=Command)
@_bind
def setup_link() -> None:
    """Print a one-time link that makes the administrator; earlier links die."""
    address = address_of(settings(), settings().port)
    token = write(lambda session: administration.make_setup_link(session, now=utc_now()))
    if token is None:
        raise Failed("exists", "There is an administrator. He can give out passwords, and so can: pennywire user password NAME")
    link = f"{address}/setup/{token}"
    answer({"setup_link": link}, link)


@click.command("doctor", cls=Command)
def doctor() -> int:
    """Look for what is wrong with this installation. Something bad is exit status 1; a warning is not."""
    signs = diagnosis.examine(settings())
    rows: list[dict[str, Any]] = [
        {"check": sign.check, "health": sign.health.value, "saw": sign.saw, "remedy": sign.remedy} for sign in signs
    ]
    bad = any(sign.health is diagnosis.Health.BAD for sign in signs)
    words = table(rows, {"check": "CHECK", "health": "HEALTH", "saw": "SAW", "remedy": "REMEDY"})
    answer({"healthy": not bad, "checks": rows}, words)
    return int(bad)
