"""Reports: costs and margin. What messages were sold for, what they cost us, and what was left, by day or by who and where."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from app.ledger import format_credits
from app.statistics import margins
from app.statistics.margins import Line
from app.web import context, filters
from app.web.database import db
from app.web.sheets import csv_answer
from pennywire import graphs

screen = Blueprint("margin", __name__)

SPANS = (7, 14, 31, 92, 366)
LABELS = {"day": "Day", "user": "User", "route": "Route", "provider": "Service provider", "country": "Country"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for. `until` is the first day that is left out."""

    span: int
    group: str
    username: str
    user_id: int | None
    since: date
    until: date


def _wanted() -> Wanted:
    span = next((span for span in SPANS if str(span) == request.args.get("days", "")), SPANS[1])
    group = request.args.get("by", "")
    username = request.args.get("user", "").strip()
    view = context.snapshot().user(username)
    until = context.now().date() + timedelta(days=1)
    return Wanted(
        span=span,
        group=group if group in LABELS else "day",
        username=username,
        user_id=view.id if view else -1 if username else None,
        since=until - timedelta(days=span),
        until=until,
    )


def _named(group: str, line: Line) -> str:
    """Return what a line is about, in words."""
    snapshot = context.snapshot()
    match group:
        case "user":
            view = snapshot.users_by_id.get(line.key)
            return view.username if view else f"user {line.key}"
        case "route":
            route = snapshot.route_by_id(line.key)
            return route.name if route else f"route {line.key} (not there)" if line.key else "–"
        case "provider":
            return "ANY" if line.key == "*" else line.key or "–"
        case "country":
            return f"+{line.key}" if line.key else "Short codes"
    return str(line.key)


def _amounts(line: Line) -> dict[str, int]:
    return {"sold": line.sold_uc, "bought": line.bought_uc, "margin": line.margin_uc}


@screen.get("/reports/margin")
def report() -> str:
    """Show costs and margin of the last days, broken down as asked for."""
    wanted, session = _wanted(), db.session()
    days = margins.lines(session, "day", since=wanted.since, until=wanted.until, user_id=wanted.user_id)
    found = (
        days[::-1]
        if wanted.group == "day"
        else margins.lines(session, wanted.group, since=wanted.since, until=wanted.until, user_id=wanted.user_id)
    )
    shown = [" ".join(f"{word} {filters.credits(uc)}" for word, uc in _amounts(day).items()) for day in days]
    values: dict[str, Any] = {
        "wanted": wanted,
        "spans": SPANS,
        "labels": LABELS,
        "lines": [(_named(wanted.group, line), line) for line in found],
        "total": margins.together(days),
        "graph": graphs.draw([f"{day.key:%d %b}" for day in days], [day.margin_uc for day in days], shown),
        "waits_since": margins.uncounted_since(session),
        "priced": context.snapshot().supply.priced,
    }
    return render_template("reports/margin.html", **values)


@screen.get("/reports/margin.csv")
def download() -> Response:
    """Return the same table as a file."""
    wanted = _wanted()
    found = margins.lines(db.session(), wanted.group, since=wanted.since, until=wanted.until, user_id=wanted.user_id)
    head = [LABELS[wanted.group].lower().replace(" ", "_"), "segments", "segments_with_known_price", "sold", "bought", "margin"]
    rows = [
        # A calling code without its plus, which a spreadsheet would take for a formula.
        [_named(wanted.group, line).removeprefix("+"), str(line.segment_count), str(line.priced_count)]
        + [format_credits(amount_uc) for amount_uc in _amounts(line).values()]
        for line in found
    ]
    return csv_answer([head, *rows], f"margin-by-{wanted.group}-{wanted.since}-{wanted.until - timedelta(days=1)}.csv")
