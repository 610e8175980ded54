"""`pennywire credits summary`, `show` and `label`: what was used, how an account stands, what its credits are called."""

from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, forecast, intervals, statistics, summaries
from app.cli.answers import Failed, answer, answer_table, details
from app.cli.opening import ACTOR, read, write
from app.cli.options import Command
from app.cli.users import described_account
from app.clock import utc_now
from app.intervals import PRESETS, Interval, InvalidInterval
from app.ledger import format_credits
from app.limits import Use
from app.models import Account, User
from app.statistics import FIGURES, Figure, Totals

_BESIDE = ("submitted", "messages_sent", "delivered", "failed", "messages_received", "credits_used")
"""The columns that people get beside the figure they asked for; programs get all."""


@click.command("summary", cls=Command)
@click.argument("username")
@click.option("--from", "start", metavar="DAY", help="First day, such as 2026-11-01.")
@click.option("--to", "end", metavar="DAY", help="Last day; it counts whole. Without it, today.")
@click.option("--interval", type=click.Choice(list(PRESETS)), help="Instead of days. Without anything, this month.")
@click.option("--count", "counted", type=click.Choice(list(FIGURES)), default="credits_used", show_default=True, help="What stands first.")
@click.option("--by", type=click.Choice(list(summaries.BY)), default="time", show_default=True, help="What makes a line.")
def summary(username: str, start: str | None, end: str | None, interval: str | None, counted: str, by: str) -> None:
    """Show what was counted of a user: credits used, messages sent, received, delivered. Days are those of the account's time zone."""
    if interval and (start or end):
        raise click.UsageError("Give either --interval or days by --from and --to.")

    def work(session: Session) -> tuple[Interval, list[summaries.Line]]:
        user = administration.find_user(session, username)
        account = administration.account_of(session, user)
        wanted = _interval(session, account, start, end, interval)
        return wanted, summaries.lines(session, wanted, by, user_id=user.id)

    wanted, lines = read(work)
    heading = wanted.unit if by == "time" else by
    rows = [_row(heading, line.label, line.totals) for line in lines]
    names = [counted, *(name for name in _BESIDE if name != counted)]
    columns = {heading: heading.upper()} | {name: FIGURES[name].label.upper() for name in names}
    shown = [*rows, _row(heading, "together", summaries.together(lines))] if rows else rows
    answer_table(rows, columns, empty="Nothing in this interval.", shown=shown)


def _interval(session: Session, account: Account, start: str | None, end: str | None, preset: str | None) -> Interval:
    here, now = summaries.here(session, account), utc_now()
    if not start and not end:
        return intervals.of_preset(preset or intervals.DEFAULT_PRESET, now, here, week_start=account.week_start)
    try:
        return intervals.of_texts(start or end or "", end or now.astimezone(here).date().isoformat(), here)
    except InvalidInterval as error:
        raise Failed("invalid_interval", str(error), {"start": "from", "end": "to"}[error.field]) from error


def _row(heading: str, label: str, totals: Totals) -> dict[str, Any]:
    return {heading: label} | {figure.name: _value(figure, totals) for figure in FIGURES.values()}


def _value(figure: Figure, totals: Totals) -> str | int:
    """Return a figure for programs: credits are exact text, counts are numbers."""
    return format_credits(figure.value(totals)) if figure.amount else figure.value(totals)


@click.command("show", cls=Command)
@click.argument("username", required=False)
def show(username: str | None) -> None:
    """Show the credit of one user and how he uses it, or the credit of all that are counted."""
    if username is not None:
        result = read(lambda session: _standing(session, username))
        answer(result, details(result))
        return

    def work(session: Session) -> list[dict[str, Any]]:
        statement = (
            select(User.username, Account).join(Account, Account.user_id == User.id).where(User.accounting_enabled).order_by(User.username)
        )
        return [{"username": name, **described_account(account)} for name, account in session.execute(statement)]

    columns = {"username": "USER", "available": "AVAILABLE", "balance": "BALANCE", "reserved": "RESERVED", "limit": "LIMIT"}
    answer_table(read(work), columns, empty="No user's accounting is on.")


def _standing(session: Session, username: str) -> dict[str, Any]:
    """Return everything that *Credits / Info* shows."""
    account = administration.account_of(session, administration.find_user(session, username))
    now, here = utc_now(), summaries.here(session, account)
    standing = summaries.standing(session, account, now=now)
    topped_up = standing.last_top_up
    late = statistics.uncounted_since(session)
    suspended = administration.suspension_of(session, username)
    return {
        "username": username,
        **described_account(account),
        "mode": "unlimited" if account.unlimited else "credit line" if account.limit_uc else "prepaid",
        "currency_label": account.currency_label,
        "account_above": administration.parent_of(session, account),
        "suspended": suspended.reason if suspended else "",
        "time_zone": here.key,
        "used": {name: format_credits(amount_uc) for name, amount_uc in standing.used_uc.items()},
        "limits": {f"{use.period} {use.unit}": _limit(use) for use in administration.usage_of(session, account, now)},
        "last_top_up": {"at": topped_up.at, "amount": format_credits(topped_up.amount_uc), "reason": topped_up.reason} if topped_up else {},
        "waiting_for_approval": {
            f"proposal {proposal.id}": f"{format_credits(proposal.amount_uc)} by {proposal.proposed_by}: {proposal.reason}"
            for proposal in administration.pending(session, username=username)
        },
        "empty_at": standing.outlook.empty_at,
        "forecast": forecast.in_words(standing.outlook, now, here),
        "not_counted_since": late,
    }


def _limit(use: Use) -> dict[str, Any]:
    return {
        "most": administration.show_most(use.unit, use.most),
        "used": administration.show_most(use.unit, use.used),
        "left": administration.show_most(use.unit, max(use.most - use.used, 0)),
        "begins_again_at": use.ends_at,
    }


@click.command("label", cls=Command)
@click.argument("username")
@click.argument("label")
def label(username: str, label: str) -> None:
    """Say what a user's credits are called, such as EUR; an empty LABEL means credits."""
    write(lambda session: administration.set_currency_label(session, username, label, now=utc_now(), actor=ACTOR))
    called = label.strip() or "credits"
    answer({"username": username, "currency_label": label.strip()}, f"The credits of {username} are called {called}.")


COMMANDS = (summary, show, label)
