"""`pennywire user` and `pennywire key`."""

import secrets
import sys
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration
from app.cli.answers import Failed, answer, answer_table, details
from app.cli.confirming import confirmed, require_confirmed
from app.cli.opening import ACTOR, core, read, settings, write
from app.cli.options import Group
from app.clock import utc_now
from app.ledger import format_credits
from app.models import Account, ApiKey, Option, User
from app.retirement import retire_user
from app.running import address_of

_FLAGS: tuple[tuple[str, str, str], ...] = (
    ("active", "--active/--inactive", "Whether he may do anything."),
    ("accounting_enabled", "--accounting/--no-accounting", "Enable accounting for this user."),
    ("legacy_api_enabled", "--legacy-api/--no-legacy-api", "Allow the legacy HTTP API."),
    ("gui_enabled", "--gui/--no-gui", "Allow signing in by browser."),
    ("route_override_allowed", "--route-override/--no-route-override", "He may choose the service provider."),
    ("source_override_allowed", "--source-override/--no-source-override", "He may choose the sender."),
)
_VALUES: tuple[tuple[str, Any, str], ...] = (
    ("role", click.Choice(administration.ROLES), "What he may do."),
    ("kind", click.Choice(administration.USER_KINDS), "A person, or a program."),
    ("email", str, "Where a link for a new password is sent."),
    ("default_source", str, "Sender of messages that name none."),
    ("country_code", str, "Calling code of his national numbers, without plus."),
    ("repeat_window_s", int, "Seconds in which an identical legacy GET is answered with the first result; 0 is off."),
    ("max_segments", int, "Longest message, in segments."),
)


def _user_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    for name, flag, text in reversed(_FLAGS):
        callback = click.option(flag, name, default=None, help=text)(callback)
    for name, kind, text in reversed(_VALUES):
        callback = click.option("--" + name.replace("_", "-"), name, type=kind, help=text)(callback)
    return callback


def _password_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the ways to hand over a password, none of which shows it to other users of the machine."""
    callback = click.option("--generate-password", is_flag=True, help="Make a random password and print it once.")(callback)
    text = "Read the password from a file; - is standard input."
    return click.option("--password-file", type=click.File("r"), metavar="FILE", help=text)(callback)


def _take_password(password_file: IO[str] | None, *, generate: bool) -> tuple[str, bool]:
    """Return a password, and whether it was made here: from the file, made, or asked for where a person sits.

    Raises: Failed where nobody can be asked.
    """
    if password_file is not None:
        return password_file.read().rstrip("\r\n"), False
    if generate:
        return secrets.token_urlsafe(15), True
    if not sys.stdin.isatty():
        raise Failed("missing_parameter", "No password was given. Use --password-file FILE, or --generate-password.", "password")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)), False


def described(user: User, account: Account) -> dict[str, Any]:
    """Return a user as programs see him, without his password."""
    names = ("username", *(name for name, _, _ in _VALUES), *(name for name, _, _ in _FLAGS), "created_at")
    return {name: getattr(user, name) for name in names} | {"deleted_at": user.retired_at, "credits": described_account(account)}


def described_account(account: Account) -> dict[str, Any]:
    """Return what lies on an account, in credits."""
    return {
        "available": format_credits(account.balance_uc - account.reserved_uc),
        "balance": format_credits(account.balance_uc),
        "reserved": format_credits(account.reserved_uc),
        "limit": format_credits(account.limit_uc),
        "unlimited": account.unlimited,
    }


@click.group(cls=Group)
def user() -> None:
    """Add, change and list users."""


@user.command("add")
@click.argument("username")
@_user_options
@_password_options
@click.option("--no-password", is_flag=True, help="He signs in with keys only.")
def add(username: str, password_file: IO[str] | None, generate_password: bool, no_password: bool, **values: Any) -> None:
    """Add a user with his account. A program is added with --kind application."""
    password, made = ("", False) if no_password else _take_password(password_file, generate=generate_password)
    given = {name: value for name, value in values.items() if value is not None}

    def work(session: Session) -> dict[str, Any]:
        added = administration.add_user(session, username, password, now=utc_now(), actor=ACTOR, **given)
        return described(added, administration.account_of(session, added))

    result = write(work) | ({"password": password} if made else {})
    answer(result, f"Added the user {username}." + (f"\nPassword, shown this once: {password}" if made else ""))


@user.command("edit")
@click.argument("username")
@_user_options
def edit(username: str, **values: Any) -> None:
    """Change what is given; the rest stays."""
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change was given.")

    def work(session: Session) -> dict[str, Any]:
        changed = administration.edit_user(session, username, now=utc_now(), actor=ACTOR, **given)
        return described(changed, administration.account_of(session, changed))

    answer(write(work), f"Changed the user {username}.")


@user.command("password")
@click.argument("username")
@_password_options
def password(username: str, password_file: IO[str] | None, generate_password: bool) -> None:
    """Give a user a new password; his sessions end."""
    word, made = _take_password(password_file, generate=generate_password)
    write(lambda session: administration.set_password(session, username, word, now=utc_now(), actor=ACTOR))
    result = {"username": username} | ({"password": word} if made else {})
    answer(result, f"{username} has a new password." + (f"\nIt is shown this once: {word}" if made else ""))


@user.command("reset-link")
@click.argument("username")
def reset_link(username: str) -> None:
    """Print a link by which a user sets a new password, once and within a day; earlier links die."""
    token = write(lambda session: administration.make_reset_link(session, username, now=utc_now(), actor=ACTOR))
    link = f"{address_of(settings(), settings().port)}/reset/{token}"
    answer({"username": username, "reset_link": link}, link)


@user.command("second-factor")
@click.argument("username")
@click.option("--reset", is_flag=True, help="Take it away, for somebody who lost his phone and his codes; his sessions end.")
def second_factor(username: str, reset: bool) -> None:
    """Show whether a user has a second factor, or take it away."""
    if reset:
        had = write(lambda session: administration.remove_second_factor(session, username, now=utc_now(), actor=ACTOR))
        answer({"username": username, "reset": had}, f"{username} has no second factor now." if had else f"{username} had none.")
        return
    found = read(lambda session: administration.second_factor_of(session, username))
    value = {"username": username, "confirmed_at": found.confirmed_at, "recovery_codes_left": found.codes_left}
    answer(value, details(value) if found.confirmed_at else f"{username} has no second factor.")


@user.command("sessions")
@click.argument("username")
@click.option("--end", "number", type=int, metavar="NUMBER", help="End this one.")
@click.option("--end-all", is_flag=True, help="End all of them.")
def sessions(username: str, number: int | None, end_all: bool) -> None:
    """List the browsers that a user is signed in with, or end sessions."""
    if number is not None and end_all:
        raise click.UsageError("Give --end or --end-all.")
    if number is not None:
        write(lambda session: administration.end_session(session, username, number, now=utc_now(), actor=ACTOR))
        answer({"id": number, "ended": True}, f"Session {number} of {username} has ended.")
        return
    if end_all:
        count = write(lambda session: administration.end_sessions(session, username, now=utc_now(), actor=ACTOR))
        answer({"username": username, "ended": count}, f"Ended the sessions of {username}.")
        return

    def work(session: Session) -> list[dict[str, Any]]:
        limits = administration.SessionLimits.of({row.name: row.value["value"] for row in session.scalars(select(Option))})
        names = ("id", "device", "address", "begun_at", "seen_at")
        found = administration.sessions_of(session, username, limits, now=utc_now())
        return [{name: getattr(row, name) for name in names} for row in found]

    columns = {"id": "NUMBER", "address": "ADDRESS", "begun_at": "SIGNED IN", "seen_at": "LAST SEEN", "device": "DEVICE"}
    answer_table(read(work), columns, empty=f"{username} is signed in nowhere.")


@user.command("delete")
@click.argument("username")
@confirmed("user")
@click.option("--reason", default="", help="With it, a correction brings what is left of the balance to 0.")
def delete(username: str, confirm: str | None, reason: str) -> None:
    """Delete a user: he is locked out, what waits is cancelled, messages and ledger stay. His name is not given again."""
    require_confirmed("user", username, confirm)
    with core() as opened:
        snapshot = opened.snapshots.present()
        done = opened.database.run(lambda session: retire_user(session, snapshot, username, now=utc_now(), actor=ACTOR, reason=reason))
    result = {
        "username": username,
        "deleted": True,
        "cancelled_messages": done.cancelled_count,
        "revoked_keys": done.key_count,
        "moved": format_credits(done.moved_uc),
    }
    answer(result, f"Deleted the user {username}; {done.cancelled_count} waiting messages are cancelled, {done.key_count} keys revoked.")


@user.command("list")
@click.argument("username", required=False)
@click.option("--deleted", is_flag=True, help="Those who were deleted, too.")
def list_(username: str | None, deleted: bool) -> None:
    """List users, or show one."""

    def work(session: Session) -> list[dict[str, Any]]:
        statement = select(User, Account).join(Account, Account.user_id == User.id).order_by(User.username)
        if username is None and not deleted:
            statement = statement.where(User.retired_at.is_(None))
        return [described(row, account) for row, account in session.execute(statement)]

    rows = read(work)
    if username is not None:
        found = next((row for row in rows if row["username"] == username), None)
        if found is None:
            raise administration.NotThere(f"There is no user {username!r}.")
        answer(found, details(found))
        return
    shown = [row | {"credit": row["credits"]["available"] if row["accounting_enabled"] else "not counted"} for row in rows]
    columns = {"username": "USER", "role": "ROLE", "kind": "TYPE", "active": "ACTIVE", "credit": "CREDIT"}
    answer_table(rows, columns, empty="There is no user yet. Add one with: pennywire user add NAME", shown=shown)


# Keys.


@click.group(cls=Group)
def key() -> None:
    """Make, revoke and list API keys."""


@key.command("add")
@click.argument("username")
@click.option("--label", default="", help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(tuple(administration.SCOPES)),
    default=administration.DEFAULT_SCOPES,
    show_default=True,
    help="What it opens; give it once for each.",
)
def add_key(username: str, label: str, scopes: tuple[str, ...]) -> None:
    """Make an API key and print it; it is shown this once."""
    made = write(lambda session: administration.add_key(session, username, label, scopes=scopes, now=utc_now(), actor=ACTOR))
    result = {"username": username, "label": label, "scopes": list(scopes), "api_key": made}
    answer(result, f"API key of {username}, shown this once: {made}")


@key.command("revoke")
@click.argument("number", type=int)
def revoke(number: int) -> None:
    """Make a key worthless at once. NUMBER is in the list."""
    write(lambda session: administration.revoke_key(session, number, now=utc_now(), actor=ACTOR))
    answer({"id": number, "revoked": True}, f"Key {number} is revoked.")


@key.command("list")
@click.argument("username", required=False)
def list_keys(username: str | None) -> None:
    """List keys, of all users or of one. The keys themselves are stored nowhere."""

    def work(session: Session) -> list[dict[str, Any]]:
        statement = select(ApiKey, User.username).join(User, User.id == ApiKey.user_id).order_by(User.username, ApiKey.id)
        if username is not None:
            statement = statement.where(User.id == administration.find_user(session, username).id)
        return [_described_key(row, name) for row, name in session.execute(statement)]

    columns = {
        "id": "NUMBER",
        "username": "USER",
        "prefix": "BEGINS WITH",
        "label": "LABEL",
        "scopes": "OPENS",
        "created_at": "MADE",
        "revoked_at": "REVOKED",
    }
    answer_table(read(work), columns, empty="There is no key. Make one with: pennywire key add USER")


def _described_key(row: ApiKey, username: str) -> dict[str, Any]:
    revoked_at: datetime | None = row.revoked_at
    return {
        "id": row.id,
        "username": username,
        "prefix": row.prefix,
        "label": row.label,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "revoked_at": revoked_at,
    }
