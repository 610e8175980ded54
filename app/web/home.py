"""The dashboard: what happens now."""

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app.ledger import MICRO
from app.models import Account, JournalEvent, OutboxRow, User
from app.web import connections, context, pages, reports, summary_page
from app.web.database import db
from app.web.message import panels

screen = Blueprint("home", __name__)

LOW_UC = 10 * MICRO
"""A balance below this is named on the dashboard."""

GRAPH_DAYS = 14


@screen.get("/")
def index() -> str | Response:
    """Show the dashboard of the signed-in user's role."""
    values = _common() | (_customer() if context.user().role == "customer" else _staff())
    if pages.is_partial():
        return pages.live("home/_live.html", **values)
    return render_template("home/home.html", **values, panels=panels("dashboard", None))


def _common() -> dict[str, Any]:
    session = db.session()
    view, user_id = reports.whose("")
    days = reports.last_days(session, GRAPH_DAYS, user_id=user_id, now=context.now(), here=reports.zone_of(session, view))
    return {"days": days, "today": days[-1], "groups": reports.GROUPS, "behind": summary_page.behind()}


def _customer() -> dict[str, Any]:
    view = context.user()
    account = db.session.get_one(Account, view.account_id)
    return {"account": account if view.accounting_enabled else None, "view": view}


def _staff() -> dict[str, Any]:
    session = db.session()
    counted = session.execute(select(OutboxRow.state, func.count().label("segment_count")).group_by(OutboxRow.state))
    waiting: dict[int, int] = {row.state: row.segment_count for row in counted}
    left = Account.balance_uc - Account.reserved_uc - Account.limit_uc
    low = (
        select(User.username, Account)
        .join(Account, Account.user_id == User.id)
        .where(User.accounting_enabled, User.active, ~Account.unlimited, left < LOW_UC)
        .order_by(left)
        .limit(5)
    )
    snapshot = context.snapshot()
    return {
        "queued_count": waiting.get(0, 0) + waiting.get(1, 0),
        "doubt_count": waiting.get(2, 0),
        "lines": connections.lines(),
        "low": session.execute(low).all(),
        "events": session.scalars(select(JournalEvent).order_by(JournalEvent.id.desc()).limit(10)).all(),
        "names": {view.id: view.username for view in snapshot.users_by_id.values()},
        "broken": snapshot.broken,
        "steps": _first_steps(),
    }


def _first_steps() -> list[tuple[str, str, dict[str, str], bool]]:
    """Return what a new gateway needs, as (words, endpoint, arguments, whether it is done); nothing once all is done."""
    snapshot = context.snapshot()
    steps: list[tuple[str, str, dict[str, str], bool]] = [
        ("Add a service provider connection", "connections.add", {}, bool(snapshot.connections)),
        ("Add an outbound route", "routing.add", {"direction": "outbound"}, bool(snapshot.outbound)),
        ("Add a user or an application", "users.add", {}, any(view.role == "customer" for view in snapshot.users.values())),
        ("Say which country's numbers are national", "system.settings", {}, bool(snapshot.options.get("country_code"))),
    ]
    return [] if all(done for *_rest, done in steps) else steps
