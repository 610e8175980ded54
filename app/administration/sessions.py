"""The browsers that a user is signed in with: begun, seen, listed and ended."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.administration.changes import NotThere, audit
from app.administration.users import find_present_user, find_user
from app.models import BrowserSession, User
from app.secrets import digest

IDLE_OPTION, DEFAULT_IDLE_MIN, LONGEST_IDLE_MIN = "session_idle_min", "30", 24 * 60
LIFE_OPTION, DEFAULT_LIFE_H, LONGEST_LIFE_H = "session_life_h", "12", 30 * 24
LONGEST_DEVICE = 255


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts without activity, and at most."""

    idle: timedelta
    life: timedelta

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "SessionLimits":
        """Return the limits of a configuration."""
        idle = timedelta(minutes=int(options.get(IDLE_OPTION) or DEFAULT_IDLE_MIN))
        return cls(idle, timedelta(hours=int(options.get(LIFE_OPTION) or DEFAULT_LIFE_H)))


def begin_session(session: Session, user_id: int, *, now: datetime, address: str, device: str) -> str:
    """Begin a session of a user and return its token. Rows of his that no session can need any more are swept away."""
    user = session.get_one(User, user_id)
    stale = or_(BrowserSession.epoch != user.session_epoch, BrowserSession.begun_at < now - timedelta(hours=LONGEST_LIFE_H))
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user_id, stale))
    token = secrets.token_urlsafe(32)
    row = BrowserSession(digest=digest(token), user_id=user_id, epoch=user.session_epoch, begun_at=now, seen_at=now)
    row.address, row.device = address[:64], "".join(filter(str.isprintable, device))[:LONGEST_DEVICE]
    session.add(row)
    return token


def find_session(session: Session, token: str) -> BrowserSession | None:
    """Return the session that a browser holds the token of; None where it was ended."""
    return session.execute(select(BrowserSession).where(BrowserSession.digest == digest(token))).scalar()


def see_session(session: Session, session_id: int, *, now: datetime) -> None:
    """Note that somebody is there."""
    session.execute(update(BrowserSession).where(BrowserSession.id == session_id).values(seen_at=now))


def sessions_of(session: Session, username: str, limits: SessionLimits, *, now: datetime) -> list[BrowserSession]:
    """Return the sessions of a user that are not over, the last seen first. Raises: NotThere."""
    user = find_user(session, username)
    if not (user.active and user.gui_enabled):
        return []
    alive = (
        BrowserSession.user_id == user.id,
        BrowserSession.epoch == user.session_epoch,
        BrowserSession.begun_at >= now - limits.life,
        BrowserSession.seen_at >= now - limits.idle,
    )
    return list(session.scalars(select(BrowserSession).where(*alive).order_by(BrowserSession.seen_at.desc(), BrowserSession.id.desc())))


def drop_session(session: Session, token: str) -> None:
    """Forget the session of a browser that signs out."""
    session.execute(delete(BrowserSession).where(BrowserSession.digest == digest(token)))


def end_session(session: Session, username: str, session_id: int, *, now: datetime, actor: str) -> None:
    """End one session of a user at once. Raises: NotThere."""
    user, row = find_user(session, username), session.get(BrowserSession, session_id)
    if row is None or row.user_id != user.id:
        raise NotThere(f"{username} has no session number {session_id}. It may have ended.")
    before = {"address": row.address, "device": row.device}
    session.delete(row)
    audit(session, now=now, actor=actor, verb="end session", subject=f"user {username}", before=before)


def end_sessions(session: Session, username: str, *, now: datetime, actor: str, but: int | None = None) -> int:
    """End all sessions of a user at once, or all but one; return how many rows went. Raises: NotThere."""
    user = find_present_user(session, username)
    ids = list(session.scalars(select(BrowserSession.id).where(BrowserSession.user_id == user.id, BrowserSession.id != (but or 0))))
    session.execute(delete(BrowserSession).where(BrowserSession.id.in_(ids)))
    audit(session, now=now, actor=actor, verb="end sessions", subject=f"user {username}", after={"ended": len(ids)})
    return len(ids)
