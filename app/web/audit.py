"""System / Audit log: who changed what, by actor, object and date; as a page and as a file."""

from collections.abc import Iterator
from datetime import UTC

from flask import Blueprint, render_template, request
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import administration, limits
from app.administration import AuditFilter
from app.models import AuditEntry
from app.web import context, pages, sheets
from app.web.database import db
from app.web.filters import plain
from app.web.pages import PAGE_SIZE

screen = Blueprint("audit", __name__)

_NAMES = ("actor", "subject", "since", "until")


@screen.get("/system/audit")
def log() -> str | tuple[str, int]:
    """Show who changed what."""
    chosen, error = _chosen(), ""
    try:
        wanted = _wanted(chosen)
    except ValueError as wrong:
        wanted, error = AuditFilter(), str(wrong)
    rows = [] if error else administration.audit_page(db.session(), wanted, limit=PAGE_SIZE + 1, before=pages.whole_number("before"))
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    query = {name: text for name, text in chosen.items() if text}
    first = pages.whole_number("before") is None
    actors = db.session.scalars(select(AuditEntry.actor).distinct().order_by(AuditEntry.actor).limit(500)).all()
    page = render_template(
        "system/audit.html", rows=rows[:PAGE_SIZE], older=older, chosen=chosen, query=query, error=error, actors=actors, first=first
    )
    return page, 422 if error else 200


@screen.get("/system/audit.csv")
def file() -> Response:
    """Return the entries that the filter lets through as a table: one row for each value that changed."""
    try:
        wanted = _wanted(_chosen())
    except ValueError:
        wanted = AuditFilter()

    def rows() -> Iterator[tuple[str, ...]]:
        yield administration.AUDIT_FIELDS
        with context.core().database.read() as session:
            for entry, name, old, new in administration.audit_rows(session, wanted):
                at = entry.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                yield str(entry.id), at, entry.actor, entry.verb, entry.subject, name, plain(old), plain(new)

    return sheets.csv_answer(rows(), "audit.csv")


def _chosen() -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in _NAMES}


def _wanted(chosen: dict[str, str]) -> AuditFilter:
    """Return the filter. Raises: ValueError for a day that is none."""
    place = str(context.snapshot().options.get(limits.OPTION) or "UTC")
    try:
        since, until = administration.day_bounds(chosen["since"], chosen["until"], place)
    except (ValueError, OverflowError) as error:
        raise ValueError("Write days as 2026-01-31.") from error
    return AuditFilter(chosen["actor"], chosen["subject"], since, until)
