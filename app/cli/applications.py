"""`pennywire application`: what users' programs are connected by, such as SMPP."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration
from app.cli.answers import answer, answer_table, details
from app.cli.confirming import confirmed, require_confirmed
from app.cli.given_settings import setting_options, take_settings
from app.cli.opening import ACTOR, core, read, write
from app.cli.options import Group
from app.clock import utc_now
from app.models import ApplicationLog, ApplicationRow, ApplicationStatus, User

_COLUMNS = {"username": "USER", "kind": "KIND", "desired": "WANTED", "state": "STATE", "reason": "REASON"}


@click.group(cls=Group)
def application() -> None:
    """Set up what users' programs are connected by, such as SMPP."""


@application.command("kinds")
def kinds() -> None:
    """List the kinds of applications and their settings."""
    with core() as opened:
        rows = [
            {"kind": name} | row
            for name, kind in sorted(opened.plugins.applications.items())
            for row in administration.described_settings(kind.settings)
        ]
    columns = {"kind": "KIND", "name": "SETTING", "type": "TYPE", "default": "DEFAULT", "label": "WHAT IT IS"}
    answer_table(rows, columns, empty="No plugin brings a kind of application.")


@application.command("list")
def list_() -> None:
    """List the applications of all users, and how they stand."""

    def work(session: Session) -> list[dict[str, Any]]:
        statement = (
            select(User.username, ApplicationRow.kind, ApplicationRow.desired, ApplicationStatus.state, ApplicationStatus.reason)
            .join(ApplicationRow, ApplicationRow.user_id == User.id)
            .join(ApplicationStatus, ApplicationStatus.application_id == ApplicationRow.id)
            .order_by(User.username, ApplicationRow.kind)
        )
        return [dict(row._mapping) for row in session.execute(statement)]  # noqa: SLF001  # SQLAlchemy's public name for it.

    answer_table(read(work), _COLUMNS, empty="There are no applications.")


@application.command("set")
@click.argument("username")
@click.argument("kind")
@click.option("--start/--stop", "started", default=None, help="Whether it is to run.")
@setting_options("Give a setting; `application kinds` lists them.")
def set_(username: str, kind: str, started: bool | None, pairs: Sequence[str], from_file: Sequence[str], ask: Sequence[str]) -> None:
    """Add an application, or change the settings that are given; the rest stays, passwords too."""
    with core() as opened:
        wanted = administration.application_kind(opened.plugins, kind)
        given = take_settings(wanted.settings, pairs, from_file, ask)

        def work(session: Session) -> dict[str, Any]:
            row = administration.set_application(
                session,
                username,
                kind,
                given,
                started=started,
                plugins=opened.plugins,
                vault=opened.vault,
                now=utc_now(),
                actor=ACTOR,
            )
            return administration.shown_application(wanted, row.settings) | {"desired": row.desired}

        shown = opened.database.run(work)
    answer(
        {"username": username, "kind": kind, "settings": shown}, f"Changed the application {kind} of {username}; it is {shown['desired']}."
    )


@application.command("show")
@click.argument("username")
@click.argument("kind")
def show(username: str, kind: str) -> None:
    """Show an application: its settings, how it stands, and its last events."""
    with core() as opened, opened.database.read() as session:
        wanted = administration.application_kind(opened.plugins, kind)
        row = administration.existing_application(session, username, kind)
        status = session.get_one(ApplicationStatus, row.id)
        log = session.scalars(
            select(ApplicationLog).where(ApplicationLog.application_id == row.id).order_by(ApplicationLog.id.desc()).limit(20)
        ).all()
        values: dict[str, Any] = {
            "username": username,
            "kind": kind,
            "desired": row.desired,
            "state": status.state,
            "reason": status.reason,
            "since": status.since,
            "settings": administration.shown_application(wanted, row.settings),
            "events": [f"{line.at:%Y-%m-%d %H:%M:%S}Z {line.line}" for line in reversed(log)],
        }
    answer(values, details(values))


@application.command("delete")
@click.argument("username")
@click.argument("kind")
@confirmed("user")
def delete(username: str, kind: str, confirm: str | None) -> None:
    """Remove an application, with everything that waits for it."""
    require_confirmed("user", username, confirm)
    write(lambda session: administration.remove_application(session, username, kind, now=utc_now(), actor=ACTOR))
    answer({"username": username, "kind": kind}, f"Removed the application {kind} of {username}.")
