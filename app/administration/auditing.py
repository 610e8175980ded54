"""Reading the audit log: who changed what, when, from what to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.models import AuditEntry
from app.periods import zone

CHUNK = 1000
"""Entries that an export reads at a time."""

FIELDS = ("id", "at", "actor", "verb", "subject", "name", "before", "after")
"""Columns of an export: one row for each value that changed."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted: by the name of the actor, a part of the subject, and moments; what is empty asks for nothing."""

    actor: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def applied(self) -> Select[AuditEntry]:
        """Return the statement, newest first."""
        statement = select(AuditEntry).order_by(AuditEntry.id.desc())
        if self.actor:
            statement = statement.where(AuditEntry.actor == self.actor)
        if self.subject:
            statement = statement.where(AuditEntry.subject.contains(self.subject, autoescape=True))
        if self.since is not None:
            statement = statement.where(AuditEntry.at >= self.since)
        if self.until is not None:
            statement = statement.where(AuditEntry.at < self.until)
        return statement


def day_bounds(first: str, last: str, time_zone: str) -> tuple[datetime | None, datetime | None]:
    """Return when the first day begins and when the last one is over, by a time zone's clock. Raises: ValueError."""
    place = zone(time_zone)

    def midnight(text: str, days: int) -> datetime | None:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=days), time(), place) if text else None

    return midnight(first, 0), midnight(last, 1)


def audit_page(session: Session, wanted: AuditFilter, *, limit: int, before: int | None = None) -> list[AuditEntry]:
    """Return at most `limit` entries, newest first, from below the id `before` on."""
    statement = wanted.applied().limit(limit)
    return list(session.scalars(statement if before is None else statement.where(AuditEntry.id < before)))


def audit_rows(session: Session, wanted: AuditFilter) -> Iterator[tuple[AuditEntry, str, Any, Any]]:
    """Yield every value that changed as (entry, name, before, after); an entry without values once, with an empty name."""
    before: int | None = None
    while entries := audit_page(session, wanted, limit=CHUNK, before=before):
        for entry in entries:
            differences = changed_values(entry) or [("", None, None)]
            yield from ((entry, *difference) for difference in differences)
        before = entries[-1].id


def changed_values(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Return what an entry changed as (name, before, after)."""
    old, new = entry.before or {}, entry.after or {}
    return [(name, old.get(name), new.get(name)) for name in (old | new) if old.get(name) != new.get(name)]


def described_entry(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as programs see it."""
    return {name: getattr(entry, name) for name in ("id", "at", "actor", "verb", "subject", "before", "after")}
