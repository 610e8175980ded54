"""`pennywire connection`: kinds and settings come from plugins; secrets are asked for or read from files."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, unmatched
from app.cli.answers import answer, answer_table, details, printable
from app.cli.confirming import confirmed, require_confirmed
from app.cli.given_settings import SETTING_COLUMNS, setting_options, take_settings
from app.cli.opening import ACTOR, core, database, read, write
from app.cli.options import Group
from app.clock import utc_now
from app.core import Core
from app.ledger import format_credits, parse_credits
from app.models import ConnectionLog, ConnectionStatus, ServiceConnection
from app.retirement import retire_connection


@click.group(cls=Group)
def connection() -> None:
    """Service provider connections."""


def _options(callback: Callable[..., Any]) -> Callable[..., Any]:
    callback = click.option("--provider", help="Connections with one provider name share its queue.")(callback)
    return setting_options("Give a setting; `connection kinds KIND` lists them.")(callback)


@connection.command("add")
@click.argument("name")
@click.option("--kind", required=True, help="What it speaks; `connection kinds` lists them.")
@_options
@click.option("--start", is_flag=True, help="Start it at once.")
def add(
    name: str, kind: str, pairs: Sequence[str], from_file: Sequence[str], ask: Sequence[str], provider: str | None, start: bool
) -> None:
    """Add a connection; it is stopped unless --start is given."""
    with core() as opened:
        given = take_settings(administration.connection_kind(opened.plugins, kind).settings, pairs, from_file, ask)

        def work(session: Session) -> dict[str, Any]:
            common: dict[str, Any] = {"plugins": opened.plugins, "now": utc_now(), "actor": ACTOR}
            added = administration.add_connection(session, name, kind, given, provider=provider or "", vault=opened.vault, **common)
            if start:
                administration.set_desired(session, name, "started", **common)
            return _described(added, None, opened)

        answer(opened.database.run(work), f"Added the connection {name}; it is {'started' if start else 'stopped'}.")


@connection.command("edit")
@click.argument("name")
@_options
def edit(name: str, pairs: Sequence[str], from_file: Sequence[str], ask: Sequence[str], provider: str | None) -> None:
    """Change the settings that are given; the rest stays, secrets too. The engine connects again."""
    with core() as opened:

        def work(session: Session) -> dict[str, Any]:
            row = administration.find_connection(session, name)
            kind = administration.connection_kind(opened.plugins, row.kind)
            given = administration.shown_settings(kind, row.settings) | take_settings(kind.settings, pairs, from_file, ask)
            changed = administration.edit_connection(
                session,
                name,
                given,
                provider=row.provider if provider is None else provider,
                plugins=opened.plugins,
                vault=opened.vault,
                now=utc_now(),
                actor=ACTOR,
            )
            return _described(changed, None, opened)

        answer(opened.database.run(work), f"Changed the connection {name}.")


def _set_desired(name: str, desired: str) -> None:
    with core() as opened:
        opened.database.run(
            lambda session: administration.set_desired(session, name, desired, plugins=opened.plugins, now=utc_now(), actor=ACTOR)
        )
    answer({"name": name, "desired": desired}, f"The connection {name} is to be {desired}.")


@connection.command("start")
@click.argument("name")
def start(name: str) -> None:
    """Start a connection; the engine takes it up within a second."""
    _set_desired(name, "started")


@connection.command("stop")
@click.argument("name")
def stop(name: str) -> None:
    """Stop a connection; what is in its window is finished first."""
    _set_desired(name, "stopped")


@connection.command("price")
@click.argument("name")
@click.argument("credits_", metavar="CREDITS")
def price(name: str, credits_: str) -> None:
    """Say what a segment costs us on a connection, where no buy list says; `none` takes it away."""
    buy_uc = None if credits_ == "none" else parse_credits(credits_)
    write(lambda session: administration.set_buy_price(session, name, buy_uc, now=utc_now(), actor=ACTOR))
    said = "not known" if buy_uc is None else f"{format_credits(buy_uc)} credits a segment"
    answer({"name": name, "buy_price": None if buy_uc is None else format_credits(buy_uc)}, f"The buy price of {name} is {said}.")


@connection.command("delete")
@click.argument("name")
@confirmed("connection")
def delete(name: str, confirm: str | None) -> None:
    """Delete a connection that is stopped and that nothing needs; messages keep saying that they went over it."""
    require_confirmed("connection", name, confirm)
    write(lambda session: retire_connection(session, name, now=utc_now(), actor=ACTOR))
    answer({"name": name, "deleted": True}, f"Deleted the connection {name}.")


@connection.command("list")
@click.argument("name", required=False)
def list_(name: str | None) -> None:
    """List connections with their state, or show one with its settings."""
    if name is not None:
        with core() as opened, opened.database.read() as session:
            row = administration.find_connection(session, name)
            shown = _described(row, session.get(ConnectionStatus, row.id), opened)
        answer(shown, details(shown))
        return

    def work(session: Session) -> list[dict[str, Any]]:
        rows = session.execute(
            select(ServiceConnection, ConnectionStatus)
            .join(ConnectionStatus, ConnectionStatus.connection_id == ServiceConnection.id, isouter=True)
            .where(ServiceConnection.retired_at.is_(None))
            .order_by(ServiceConnection.name)
        )
        return [_head(row, status) for row, status in rows]

    columns = {"name": "CONNECTION", "kind": "KIND", "provider": "PROVIDER", "desired": "WANTED", "state": "STATE", "reason": "REASON"}
    answer_table(read(work), columns, empty="There is no connection. Add one with: pennywire connection add NAME --kind KIND")


def _head(row: ServiceConnection, status: ConnectionStatus | None) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "provider": row.provider,
        "buy_price": None if row.buy_uc is None else format_credits(row.buy_uc),
        "desired": row.desired,
        "state": status.state if status else "down",
        "reason": status.reason if status else "",
        "since": status.since if status else None,
    }


def _described(row: ServiceConnection, status: ConnectionStatus | None, opened: Core) -> dict[str, Any]:
    return _head(row, status) | {"settings": administration.shown_settings(opened.plugins.connectors.get(row.kind), row.settings)}


@connection.command("log")
@click.argument("name")
@click.option("--lines", "line_count", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many of the last.")
@click.option("--follow", is_flag=True, help="Go on with what the connection writes, until Ctrl-C.")
def log(name: str, line_count: int, follow: bool) -> None:
    """Show what a connection wrote of itself, the newest last: binds, breaks, errors, and the trace where it is on."""
    with database() as opened:

        def lines(after: int, most: int) -> list[dict[str, Any]]:
            with opened.read() as session:
                found = administration.find_connection(session, name)
                newest = select(ConnectionLog).where(ConnectionLog.connection_id == found.id, ConnectionLog.id > after)
                rows = session.scalars(newest.order_by(ConnectionLog.id.desc()).limit(most)).all()
            return [{"id": row.id, "at": row.at, "line": row.line} for row in reversed(rows)]

        found = lines(0, line_count)
        if not follow:
            answer_table(found, {"at": "TIME", "line": "LINE"}, empty=f"{name} has written nothing yet.")
            return
        try:
            _keep_telling(found, lines)
        except KeyboardInterrupt:
            return  # that is how following ends


FOLLOW_EVERY_S = 0.5
_MOST_AT_ONCE = 1000


def _keep_telling(found: list[dict[str, Any]], lines: Callable[[int, int], list[dict[str, Any]]]) -> None:
    """Tell lines as they come, each on its own, in JSON or in words."""
    last = 0
    while True:
        for row in found:
            answer(row, f"{printable(row['at'])}  {printable(row['line'])}")
            last = row["id"]
        time.sleep(FOLLOW_EVERY_S)
        found = lines(last, _MOST_AT_ONCE)


@connection.command("receipts")
@click.argument("name")
@click.option("--apply", "applied", is_flag=True, help="Set the reading of ids that meets most messages.")
def receipts(name: str, applied: bool) -> None:
    """Show receipts that met no message, and which reading of their ids would; or set that reading."""
    found = read(lambda session: unmatched.inspect(session, administration.find_connection(session, name)))
    shown: dict[str, Any] = {"unmatched": found.report_count, "meets": found.met_count, "form": None, "prefix": None}
    if found.proposal is None:
        answer(shown, f"{found.report_count} receipts of {name} are unmatched, and no reading of their ids meets a message.")
        return
    reading = found.proposal
    shown |= {"form": reading.mode, "prefix": reading.prefix}
    words = f"{unmatched.FORM_SETTING}={reading.mode} and {unmatched.PREFIX_SETTING}={reading.prefix or '(empty)'}"
    if applied:
        with core() as opened:
            means: dict[str, Any] = {"plugins": opened.plugins, "vault": opened.vault, "now": utc_now(), "actor": ACTOR}
            opened.database.run(lambda session: unmatched.apply_reading(session, name, reading, **means))
        answer(shown, f"Set {words} for {name}. What waits is matched within a minute.")
    else:
        answer(
            shown,
            f"{found.report_count} receipts of {name} are unmatched. {found.met_count} meet a message with {words}; set it with --apply.",
        )


@connection.command("kinds")
@click.argument("kind", required=False)
def kinds(kind: str | None) -> None:
    """List the kinds that the enabled plugins bring, or the settings of one."""
    with core() as opened:
        if kind is None:
            rows: Sequence[Mapping[str, Any]] = [
                {"kind": name, "label": cls.label, "sends": cls.sends, "description": cls.description}
                for name, cls in sorted(opened.plugins.connectors.items())
            ]
            columns = {"kind": "KIND", "label": "NAME", "sends": "SENDS", "description": "WHAT IT IS"}
        else:
            rows = administration.described_settings(administration.connection_kind(opened.plugins, kind).settings)
            columns = SETTING_COLUMNS
        answer_table(rows, columns, empty="There is none.")
