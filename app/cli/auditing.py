"""`pennywire audit`: who changed what."""

from typing import Any

import click
from sqlalchemy.orm import Session

from app import administration, limits
from app.administration import AuditFilter
from app.cli.answers import answer_table, printable
from app.cli.opening import read
from app.cli.options import Command, given
from app.models import AuditEntry, Option
from app.statements import to_csv

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("audit", cls=Command)
@click.option("--actor", default="", metavar="NAME", help="By one person only; cli is the command line.")
@click.option("--object", "subject", default="", metavar="TEXT", help="Of what has this in its name, such as user anna.")
@click.option("--since", type=_DAY, help="From this day on, by the gateway's clock.")
@click.option("--until", type=_DAY, help="Up to the end of this day.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many entries.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all of them as CSV, a row for each value that changed.")
def audit(actor: str, subject: str, since: Any, until: Any, limit: int, as_csv: bool) -> None:
    """Show who changed what, the newest first."""
    first, last = (f"{day:%Y-%m-%d}" if day else "" for day in (since, until))

    def wanted(session: Session) -> AuditFilter:
        row = session.get(Option, limits.OPTION)
        bounds = administration.day_bounds(first, last, str(row.value["value"]) if row else "UTC")
        return AuditFilter(actor, subject, *bounds)

    if as_csv and not given().as_json:
        read(lambda session: _write(session, wanted(session)))
        return
    entries = read(lambda session: administration.audit_page(session, wanted(session), limit=limit))
    rows = [administration.described_entry(entry) for entry in entries]
    shown = [row | {"change": _change(entry)} for row, entry in zip(rows, entries, strict=True)]
    columns = {"at": "TIME", "actor": "ACTOR", "verb": "ACT", "subject": "OBJECT", "change": "WHAT CHANGED"}
    answer_table(rows, columns, empty="No entry fits.", shown=shown)


def _change(entry: AuditEntry) -> str:
    return "; ".join(
        f"{name}: {printable(old)} -> {printable(new)}" if entry.before else f"{name}: {printable(new)}"
        for name, old, new in administration.changed_values(entry)
    )


def _write(session: Session, wanted: AuditFilter) -> None:
    rows = (
        (entry.id, entry.at, entry.actor, entry.verb, entry.subject, name, printable(old), printable(new))
        for entry, name, old, new in administration.audit_rows(session, wanted)
    )
    for line in to_csv(administration.AUDIT_FIELDS, rows):
        click.echo(line, nl=False)
