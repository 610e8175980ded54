"""What every change of a setting shares: its refusals, its audit, and the version it raises."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.models import (
    AuditEntry,
    Configuration,
)


class InvalidField(ValueError):
    """One field of a form has a value that cannot be; `field` names it and the text says why and what would be right."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class Conflict(InvalidField):
    """The value may be right, but the state of something else stands against the change; the text says what to do about that."""


class NotThere(LookupError):
    """There is no user, connection, route or key of that name."""


def audit(
    session: Session,
    *,
    now: datetime,
    actor: str,
    verb: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write who changed what. Secrets never stand in `before` or `after`."""
    session.add(
        AuditEntry(
            at=now,
            actor=actor,
            verb=verb,
            subject=subject,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
        )
    )


def changed(session: Session) -> None:
    """Raise the version of the configuration: every process reloads what it keeps in memory."""
    session.execute(update(Configuration).values(version=Configuration.version + 1))
