"""`pennywire report`: what the gateway's sums say."""

from datetime import timedelta

import click

from app import administration
from app.cli.answers import answer, table
from app.cli.opening import core, database
from app.cli.options import Group
from app.clock import utc_now
from app.ledger import format_credits
from app.statistics import margins
from app.statistics.margins import GROUPS, Line


@click.group(cls=Group)
def report() -> None:
    """Reports over all users."""


@report.command("margin")
@click.option("--days", type=click.IntRange(1, 3660), default=14, help="So many days, today included.")
@click.option("--by", "group", type=click.Choice(list(GROUPS)), default="day", help="What the lines are about.")
@click.option("--user", "username", help="Of one user only.")
def margin(days: int, group: str, username: str | None) -> None:
    """Show what messages were sold for, what they cost us, and the margin. Days are those of UTC."""
    with core() as opened:
        snapshot, until = opened.snapshots.present(), opened.clock().date() + timedelta(days=1)
        view = snapshot.user(username) if username else None
        if username and view is None:
            raise administration.NotThere(f"There is no user {username!r}.")
        with opened.database.read() as session:
            found = margins.lines(session, group, since=until - timedelta(days=days), until=until, user_id=view.id if view else None)
            waits_since = margins.uncounted_since(session) if snapshot.supply.priced else None
        names = {
            "user": {user.id: user.username for user in snapshot.users_by_id.values()},
            "route": {route.id: route.name for route in snapshot.routes.values()},
        }.get(group, {})
    rows = [_shown(group, str(names.get(line.key, line.key)), line) for line in found]
    total = _shown(group, "together", margins.together(found))
    columns = {group: group.upper()} | {name: name.replace("_", " ").upper() for name in total if name != group}
    words = f"What happened since {waits_since} is not counted yet.\n" if waits_since else ""
    answer({"lines": rows, "total": total, "uncounted_since": waits_since}, words + table([*rows, total], columns))


@report.command("rebuild")
def rebuild() -> None:
    """Forget the sums of costs and margin and add up the whole journal again. The gateway may run meanwhile."""
    with database() as opened:
        count = margins.rebuild(opened, now=utc_now())
    answer({"event_count": count}, f"Added up {count:,} events.")


def _shown(group: str, name: str, line: Line) -> dict[str, object]:
    return {
        group: name,
        "segments": line.segment_count,
        "priced_segments": line.priced_count,
        "sold": format_credits(line.sold_uc),
        "bought": format_credits(line.bought_uc),
        "margin": format_credits(line.margin_uc),
    }
