"""`pennywire statistics`: the sums that pages show, checked and made again."""

import sys
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import statistics
from app.cli.answers import answer, table
from app.cli.opening import database, read
from app.cli.options import Group, given
from app.clock import utc_now
from app.ledger import format_credits
from app.models import User
from app.statistics import EVERYBODY, Difference

_COLUMNS = {"username": "USER", "direction": "DIRECTION", "column": "SUM", "expected": "EXPECTED", "found": "FOUND"}


@click.group("statistics", cls=Group)
def statistics_() -> None:
    """Check the sums that pages show, and count them again."""


@statistics_.command("rebuild")
@click.option("--quiet", is_flag=True, help="Do not tell the progress.")
def rebuild(quiet: bool) -> None:
    """Forget all sums and count the whole journal again. The gateway may run meanwhile; its pages say how far the sums reach."""
    told = not quiet and not given().as_json and sys.stderr.isatty()
    with database() as opened:
        count = statistics.rebuild(opened, now=utc_now(), progress=_tell if told else None)
    answer({"event_count": count}, f"Counted {count:,} events.")


def _tell(done: int, total: int) -> None:
    click.echo(f"{done:,} of {total:,} events", err=True)


@statistics_.command("check")
def check() -> None:
    """Compare the sums with messages, journal and ledger. Something found is exit status 1."""

    def work(session: Session) -> tuple[list[Difference], dict[int, str]]:
        found = statistics.check(session)
        names: dict[int, str] = {row.id: row.username for row in session.execute(select(User.id, User.username))}
        return found, names

    found, names = read(work)
    rows = [_row(item, names) for item in found]
    words = "The sums are what messages, journal and ledger say."
    if rows:
        words = f"Sums that are not what their rows say:\n{table(rows, _COLUMNS)}\nCount them again with: pennywire statistics rebuild"
    answer({"correct": not rows, "differences": rows}, words)
    if rows:
        click.get_current_context().exit(1)


def _row(item: Difference, names: dict[int, str]) -> dict[str, Any]:
    shown = format_credits if item.column.endswith("_uc") else str
    return {
        "username": "everybody" if item.user_id == EVERYBODY else names.get(item.user_id, f"number {item.user_id}"),
        "direction": item.direction,
        "column": item.column.removesuffix("_uc"),
        "expected": shown(item.expected),
        "found": shown(item.found),
    }
