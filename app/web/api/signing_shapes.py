"""What the modern API answers about signing in and about the audit log."""

from datetime import datetime
from typing import Any

import msgspec


class SessionOut(msgspec.Struct):
    """A browser that somebody is signed in with."""

    id: int
    device: str
    address: str
    begun_at: datetime
    seen_at: datetime


class SessionsOut(msgspec.Struct):
    """The sessions of a user, the last seen first."""

    sessions: list[SessionOut]


class EndedOut(msgspec.Struct):
    """How many sessions ended."""

    ended: int


class SecondFactorOut(msgspec.Struct):
    """A user's second factor; `confirmed_at` is null where he has none."""

    username: str
    confirmed_at: datetime | None
    recovery_codes_left: int


class LinkOut(msgspec.Struct):
    """A link for a new password, shown this once."""

    username: str
    reset_link: str
    expires_at: datetime


class EntryOut(msgspec.Struct):
    """One entry of the audit log."""

    id: int
    at: datetime
    actor: str
    verb: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditOut(msgspec.Struct):
    """A page of the audit log, newest first. `next` is the cursor of the next page, null on the last."""

    entries: list[EntryOut]
    next: str | None
