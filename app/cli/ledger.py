"""`pennywire ledger`: check everything, and hand out the rows."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, exports, statements
from app.cli.answers import answer, as_json, printable, table
from app.cli.opening import database
from app.cli.options import Group, given
from app.clock import utc_now
from app.models import Account
from app.periods import zone
from app.verify import Verification
from app.verify import verify as check

FIELDS = ("id", "at", "kind", "debit", "credit", "currency", "amount", "released", "message", "actor", "reason", "reference")
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.group(cls=Group)
def ledger() -> None:
    """Check and export the ledger."""


@ledger.command("verify")
@click.option("--quiet", is_flag=True, help="Do not tell the progress.")
def verify(quiet: bool) -> None:
    """Compute balances, charges, queue and journal from the rows, and compare. Something found is exit status 1."""
    told = not quiet and not given().as_json and sys.stderr.isatty()
    with database() as opened, opened.read() as session:
        result = check(session, progress=_tell if told else None)
    answer(_described(result), _in_words(result))
    if not result.correct:
        click.get_current_context().exit(1)


def _tell(title: str, index: int, count: int) -> None:
    click.echo(f"{index + 1}/{count}  {title}", err=True)


def _described(result: Verification) -> dict[str, Any]:
    return {
        "correct": result.correct,
        "totals": dict(result.totals),
        "counts": dict(result.counts),
        "findings": [
            {"kind": item.kind, "subject": item.subject, "expected": item.expected, "found": item.found} for item in result.findings
        ],
    }


def _in_words(result: Verification) -> str:
    looked = ", ".join(f"{count} {name}" for name, count in result.totals.items())
    if result.correct:
        return f"Everything matches: {looked}."
    counts = "\n".join(f"  {count:>6}  {result.titles[kind]} ({kind})" for kind, count in result.counts.items())
    rows = [{"kind": item.kind, "subject": item.subject, "expected": item.expected, "found": item.found} for item in result.findings]
    shown = table(rows, {"kind": "CHECK", "subject": "WHERE", "expected": "EXPECTED", "found": "FOUND"})
    return f"The ledger does not match ({looked}):\n{counts}\n\n{shown}"


@ledger.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", *exports.FORMATS]),
    default="csv",
    help="A table, a JSON object a line, or a journal for an accountant's tool.",
)
@click.option("--user", "--account", "name", help="Of one account only: a user, or funding or revenue.")
@click.option("--from", "--since", "since", type=_MOMENT, help="From this moment on.")
@click.option("--to", "--until", "until", type=_MOMENT, help="Before this moment.")
@click.option("--zone", "time_zone", default="UTC", help="Time zone of these moments, and of a journal's days.")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=False), default="-", metavar="FILE", help="Where to write.")
def export(form: str, name: str | None, since: datetime | None, until: datetime | None, time_zone: str, output: IO[str]) -> None:
    """Write every transfer, oldest first. --json is the same as --format jsonl.

    A journal (hledger, beancount) holds what moved a balance, and ends with what every account must have then.
    """
    here = zone(time_zone)
    with database() as opened:
        chosen = exports.Range(
            exports.horizon(opened),
            since.replace(tzinfo=here).astimezone(UTC) if since is not None else None,
            until.replace(tzinfo=here).astimezone(UTC) if until is not None else None,
        )
        if name is not None:
            with opened.read() as session:
                chosen = replace(chosen, account_id=_account_id(session, name))
        if form == "jsonl" or given().as_json:
            output.writelines(as_json(exports.described(row)) + "\n" for row in exports.transfers(opened.read, chosen))
        elif form in exports.FORMATS:
            with opened.read() as session:
                book = exports.open_book(session, chosen)
            output.writelines(exports.journal(opened.read, book, chosen, form, time_zone=time_zone, made_at=utc_now()))
        else:
            rows = (exports.described(row) for row in exports.transfers(opened.read, chosen))
            output.writelines(statements.to_csv(FIELDS, (_cells(row) for row in rows)))


def _account_id(session: Session, name: str) -> int:
    """Return the account of a user, or the one of that name."""
    named = session.execute(select(Account.id).where(Account.name == name)).scalar()
    return named if named is not None else administration.account_of(session, administration.find_user(session, name)).id


def _cells(row: dict[str, Any]) -> list[Any]:
    return [row[name].isoformat() if name == "at" else printable(row[name]) for name in FIELDS]
