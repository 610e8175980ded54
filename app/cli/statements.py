"""`pennywire statement`: an account over a month or any other interval, the month end of all users, and closing months."""

from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

import click
from sqlalchemy.orm import Session

from app import administration, closing, intervals, statements
from app.cli.answers import answer, answer_table, as_json, details, printable, table
from app.cli.opening import ACTOR, database, read
from app.cli.options import Group, given
from app.clock import utc_now
from app.models import Account
from app.statements import Interval, Month, Reader, Statement

DAY = click.DateTime(["%Y-%m-%d"])


@click.group("statement", cls=Group)
def statement_() -> None:
    """Statements of accounts, and the month end."""


def _month(typed: str | None) -> Month:
    """Return a month as it was typed; without one, the last that is over by UTC."""
    return Month.parse(typed) if typed else statements.month_of(utc_now(), "UTC").plus(-1)


@statement_.command("list")
@click.option("--month", "typed", metavar="YYYY-MM", help="Which month; the last one without this.")
@click.option("--user", "search", default="", help="Users whose names have this in them.")
def list_(typed: str | None, search: str) -> None:
    """List every account's month: opening, added, used, closing."""
    month = _month(typed)

    def work(session: Session) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after = ""
        while page := statements.account_months(session, month, after=after, search=search):
            rows += [statements.described_month(line) for line in page]
            after = page[-1].username
        return rows

    columns = {"username": "USER", "statement": "STATEMENT", "opening": "OPENING", "added": "ADDED", "used": "USED", "closing": "CLOSING"}
    rows = read(work)
    shown = [row | {"statement": row["statement"] or "open"} for row in rows]
    answer_table(rows, columns | {"reserved": "RESERVED"}, empty="There is no such user.", shown=shown)


@statement_.command("show")
@click.argument("username")
@click.option("--month", "typed", metavar="YYYY-MM", help="A month; the last one without this.")
@click.option("--from", "first", type=DAY, help="First day of another interval, by the account's clock.")
@click.option("--to", "last", type=DAY, help="Last day of another interval.")
@click.option("--by", "grouping", type=click.Choice(statements.GROUPINGS), default="kind", help="What the movements are grouped by.")
@click.option("--itemised", is_flag=True, help="Row by row.")
@click.option("--reservations", is_flag=True, help="With --itemised: charges and releases too.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, with all groupings.")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=False), default="-", metavar="FILE", help="Where to write.")
def show(
    username: str,
    typed: str | None,
    first: datetime | None,
    last: datetime | None,
    grouping: str,
    itemised: bool,
    reservations: bool,
    as_csv: bool,
    output: IO[str],
) -> None:
    """Show the statement of one account; what does not add up is exit status 1."""
    with database() as opened:
        with opened.read() as session:
            account = administration.account_of(session, administration.find_user(session, username))
            interval = _interval(session, account, typed, first, last)
            if itemised:
                opening_uc = statements.opening(session, account.id, interval.started_at).balance_uc
            else:
                result = statements.statement(session, account, interval)
        if itemised:
            _write_items(opened.read, account, interval, opening_uc, output, reservations=reservations, as_csv=as_csv)
            return
    if as_csv:
        output.writelines(statements.to_csv(statements.GROUPED_FIELDS, statements.grouped_rows(result)))
    else:
        answer(statements.described(result), _in_words(result, grouping))
    if not result.adds_up:
        click.echo("Opening and movements do not make the closing. See: pennywire ledger verify", err=True)
        click.get_current_context().exit(1)


def _interval(session: Session, account: Account, typed: str | None, first: datetime | None, last: datetime | None) -> Interval:
    if first is None and last is None:
        return statements.month_interval(session, account, _month(typed))
    if first is None or last is None or typed is not None:
        raise click.UsageError("Give --from and --to together, or --month.")
    zone = statements.zone_of(session, account)
    whole = intervals.of_texts(str(first.date()), str(last.date()), intervals.zone_of(zone, {}))
    return statements.days(whole.start, whole.end, zone)


def _write_items(
    reader: Reader, account: Account, interval: Interval, opening_uc: int, output: IO[str], *, reservations: bool, as_csv: bool
) -> None:
    found = statements.items(reader, account.id, interval, with_reservations=reservations)
    if given().as_json:
        output.writelines(as_json(statements.described_item(item, interval.time_zone)) + "\n" for item in found)
        return
    rows = statements.itemised_rows(found, opening_uc=opening_uc, time_zone=interval.time_zone)
    if as_csv:
        output.writelines(statements.to_csv(statements.ITEMISED_FIELDS, rows))
        return
    names = statements.ITEMISED_FIELDS
    chosen = {"time": "TIME", "movement": "MOVEMENT", "message": "MESSAGE", "destination": "TO", "segments": "SEGMENTS", "price": "PRICE"}
    columns = chosen | {"change": "CHANGE", "balance": "BALANCE", "reason": "REASON", "reference": "REFERENCE"}
    output.write(table([dict(zip(names, row, strict=True)) for row in rows], columns) + "\n")


def _in_words(result: Statement, grouping: str) -> str:
    told = statements.described(result)
    closed = f"closed, no. {told['closed']['number']}, SHA-256 {told['closed']['digest']}" if told["closed"] else "open"
    head = {
        "account": result.username,
        "interval": f"{result.interval.words}, {result.interval.first_day} to {result.interval.last_day} ({result.interval.time_zone})",
        "statement": closed,
        "opening": told["opening"],
        "added": told["added"],
        "used": told["used"],
        "closing": told["closing"],
        "reserved": told["reservations"]["closing"],
    }
    columns = {"label": grouping.upper(), "movements": "MOVEMENTS", "segments": "SEGMENTS", "in": "IN", "out": "OUT", "change": "CHANGE"}
    lines = told["groups"][grouping]
    return f"{details(head)}\n\n{table(lines, columns) if lines else 'Nothing moved.'}"


@statement_.command("close")
@click.option("--month", "typed", metavar="YYYY-MM", help="Which month; the last one without this.")
@click.option("--user", "username", default="", help="Of one user only.")
def close(typed: str | None, username: str) -> None:
    """Close a month that is over, and open ones before it. What comes later is written into later months."""
    month = _month(typed)
    with database() as opened:
        done = closing.close_by_hand(opened, month, username=username, now=utc_now(), actor=ACTOR)
    words = f"{month}: closed for {len(done)} of the accounts." if done else f"{month} was closed already."
    answer({"month": str(month), "closed": done}, words)


@statement_.command("month-end")
@click.option("--month", "typed", metavar="YYYY-MM", help="Which month; the last one without this.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=False), default="-", metavar="FILE", help="Where to write.")
def month_end(typed: str | None, as_csv: bool, output: IO[str]) -> None:
    """Show for every user what he sent and received in a month, what it took, what was added, and his balance."""
    month = _month(typed)
    with database() as opened:
        lines = statements.all_account_months(opened.read, month)
        if given().as_json:
            output.writelines(as_json(statements.described_month(line)) + "\n" for line in lines)
        elif as_csv:
            output.writelines(statements.to_csv(statements.MONTH_END_FIELDS, statements.month_end_rows(lines)))
        else:
            _write_table(output, statements.month_end_rows(lines))


def _write_table(output: IO[str], rows: Iterable[Any]) -> None:
    names = statements.MONTH_END_FIELDS
    found = [dict(zip(names, map(printable, row), strict=True)) for row in rows]
    output.write(table(found, {name: name.upper() for name in names}) + "\n")
