"""`pennywire credits warn|suspend|release|notices`: warnings, suspension, and what was told to whom."""

from dataclasses import replace
from typing import Any

import click
from sqlalchemy.orm import Session

from app import administration, notices
from app.administration import Warnings
from app.cli.answers import answer, answer_table, details
from app.cli.opening import ACTOR, read, write
from app.cli.options import Command
from app.clock import utc_now
from app.ledger import format_credits, parse_credits

NONE = "none"
"""Takes a value away."""


def described(warnings: Warnings) -> dict[str, Any]:
    """Return what is set, for programs; amounts are credits."""
    bounds = {"suspend_below": warnings.suspend_below_uc, "release_above": warnings.release_above_uc}
    return {
        "thresholds": [format_credits(bound) for bound in warnings.thresholds_uc],
        "email": warnings.email,
        "callback_url": warnings.callback_url,
        **{name: None if bound is None else format_credits(bound) for name, bound in bounds.items()},
    }


@click.command("warn", cls=Command)
@click.argument("username")
@click.option("--at", "thresholds", multiple=True, metavar="CREDITS", help="Warn below so much credit left to spend; may be repeated.")
@click.option("--email", help="Whom to warn by e-mail.")
@click.option("--callback", help="URL to which warnings are posted as JSON.")
@click.option("--suspend-below", metavar="CREDITS", help="Suspend the account below so much credit.")
@click.option("--release-above", metavar="CREDITS", help="Release it above so much; the same if it is not given.")
def warn(username: str, thresholds: tuple[str, ...], **given: str | None) -> None:
    """Say when a user is warned and suspended. What is not given stays; none takes a value away. Without options it is shown."""

    def work(session: Session) -> dict[str, Any]:
        present = administration.warnings_of(session, username)
        wanted = _changed(present, thresholds, given)
        if wanted != present:
            administration.set_warnings(session, username, wanted, now=utc_now(), actor=ACTOR)
        suspension = administration.suspension_of(session, username)
        suspended = None if suspension is None else suspension.reason
        return {"username": username, **described(administration.warnings_of(session, username)), "suspended": suspended}

    result = write(work)
    answer(result, details(result))


def _changed(present: Warnings, thresholds: tuple[str, ...], given: dict[str, str | None]) -> Warnings:
    wanted = present
    if thresholds:
        wanted = replace(wanted, thresholds_uc=tuple(parse_credits(text) for text in thresholds if text != NONE))
    if (email := given["email"]) is not None:
        wanted = replace(wanted, email="" if email == NONE else email)
    if (url := given["callback"]) is not None:
        wanted = replace(wanted, callback_url="" if url == NONE else url)
    below, above = given["suspend_below"], given["release_above"]
    if below is not None:
        wanted = replace(wanted, suspend_below_uc=_amount(below), release_above_uc=None if above is None else _amount(above))
    elif above is not None:
        wanted = replace(wanted, release_above_uc=_amount(above))
    return wanted


def _amount(text: str) -> int | None:
    return None if text == NONE else parse_credits(text)


@click.command("suspend", cls=Command)
@click.argument("username")
@click.option("--reason", required=True, help="Why; the customer reads it.")
def suspend(username: str, reason: str) -> None:
    """Let an account send nothing until it is released; it still receives."""
    write(lambda session: administration.suspend_account(session, username, reason=reason, now=utc_now(), actor=ACTOR))
    answer({"username": username, "suspended": True}, f"The account of {username} is suspended.")


@click.command("release", cls=Command)
@click.argument("username")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def release(username: str, reason: str) -> None:
    """Let a suspended account send again."""
    write(lambda session: administration.release_account(session, username, reason=reason, now=utc_now(), actor=ACTOR))
    answer({"username": username, "suspended": False}, f"The account of {username} may send again.")


@click.command("notices", cls=Command)
@click.argument("username", required=False)
def notices_(username: str | None) -> None:
    """List the last notices of a user's account, or the gateway's own, and what became of each way."""

    def work(session: Session) -> list[dict[str, Any]]:
        user = administration.find_user(session, username) if username else None
        account_id = administration.account_of(session, user).id if user else None
        return [_row(notice) for notice in notices.notices_of(session, account_id)]

    rows = read(work)
    columns = {"id": "NUMBER", "raised_at": "AT", "over_at": "OVER", "text": "NOTICE", "told": "WAYS"}
    shown = [row | {"told": [f"{way['way']} {way['state']} ({way['try_count']})" for way in row["deliveries"]]} for row in rows]
    answer_table(rows, columns, empty="There is no notice.", shown=shown)


def _row(notice: notices.NoticeView) -> dict[str, Any]:
    ways = [
        {
            "way": way.way,
            "target": way.target,
            "state": way.state,
            "try_count": way.try_count,
            "next_try_at": way.next_try_at,
            "delivered_at": way.delivered_at,
            "last_error": way.last_error,
        }
        for way in notice.deliveries
    ]
    return {
        "id": notice.id,
        "kind": notice.kind,
        "raised_at": notice.raised_at,
        "over_at": notice.over_at,
        "text": notice.text,
        "deliveries": ways,
    }


COMMANDS = (warn, suspend, release, notices_)
