"""Links that set a new password once: made by an administrator, or sent to the user's address when he forgot it."""

from datetime import datetime, timedelta
from secrets import token_urlsafe

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, NotThere, audit
from app.administration.users import find_present_user, set_password
from app.mailing import Mail
from app.models import OneTimeLink, Throttle, User
from app.secrets import digest

RESET_LIFETIME = timedelta(hours=24)
MAILED_LIFETIME = timedelta(hours=1)
MAILED_EVERY = timedelta(minutes=5)
"""How long after a link the next one is mailed to the same user: a stranger must not fill a mailbox, nor kill a link over and over."""

MOST_REQUESTS, REQUESTS_WITHIN = 10, timedelta(minutes=15)
"""How often one address may say that it forgot a password."""

_PURPOSE = "password"


def make_reset_link(session: Session, username: str, *, now: datetime, actor: str, lifetime: timedelta = RESET_LIFETIME) -> str:
    """Return the token of a fresh link; earlier ones of the user die. Raises: InvalidField, NotThere."""
    user = find_present_user(session, username)
    if not user.active or not user.gui_enabled:
        raise InvalidField("username", f"{username} may not sign in by browser. Allow that first, on his configuration.")
    session.execute(delete(OneTimeLink).where(OneTimeLink.purpose == _PURPOSE, OneTimeLink.user_id == user.id))
    token = token_urlsafe(32)
    session.add(OneTimeLink(digest=digest(token), purpose=_PURPOSE, user_id=user.id, expires_at=now + lifetime))
    hours = int(lifetime.total_seconds()) // 3600
    audit(session, now=now, actor=actor, verb="reset link", subject=f"user {username}", after={"hours": hours})
    return token


def user_of_reset_link(session: Session, token: str, *, now: datetime) -> User | None:
    """Return whose password a link sets; None for one that was used, is too old, or never was one."""
    link = session.get(OneTimeLink, digest(token))
    if link is None or link.purpose != _PURPOSE or link.used_at is not None or link.expires_at <= now:
        return None
    user = session.get(User, link.user_id)
    return user if user is not None and user.active and user.gui_enabled and user.retired_at is None else None


def use_reset_link(session: Session, token: str, password: str, *, now: datetime) -> str:
    """Set the password, spend the link, end every session; return the user's name.

    Raises: NotThere for a link that is not valid, InvalidField for a password that cannot be.
    """
    user = user_of_reset_link(session, token, now=now)
    mine = (OneTimeLink.digest == digest(token), OneTimeLink.used_at.is_(None))
    if user is None or not session.execute(update(OneTimeLink).where(*mine).values(used_at=now).returning(OneTimeLink.digest)).all():
        raise NotThere("This link has been used or is too old. Ask for a fresh one.")
    set_password(session, user.username, password, now=now, actor=user.username)
    return user.username


def forgotten(session: Session, name: str, *, site: str, now: datetime) -> list[Mail]:
    """Return the mails for whoever forgot his password, by name or address; none for a stranger, nor for who has a fresh link."""
    typed = name.strip().lower()
    known = select(User).where(or_(func.lower(User.username) == typed, func.lower(User.email) == typed), User.email != "")
    mails: list[Mail] = []
    for user in session.scalars(known.where(User.active, User.gui_enabled, User.retired_at.is_(None))).all():
        fresh = (
            OneTimeLink.user_id == user.id,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now + MAILED_LIFETIME - MAILED_EVERY,
        )
        if session.execute(select(OneTimeLink.digest).where(OneTimeLink.purpose == _PURPOSE, *fresh)).first() is not None:
            continue
        token = make_reset_link(session, user.username, now=now, actor=user.username, lifetime=MAILED_LIFETIME)
        assert user.email
        text = (
            f"Somebody asked for a new password for the user {user.username} of Pennywire at {site}\n\n"
            f"Set one here within an hour:\n\n{site}/reset/{token}\n\n"
            "If that was not you, leave this mail alone: the password stays as it is.\n"
        )
        mails.append(Mail(user.email, "Pennywire: a new password", text, now))
    return mails


def _has_fresh_link(session: Session, user_id: int, *, now: datetime) -> bool:
    links = select(OneTimeLink.digest).where(OneTimeLink.purpose == _PURPOSE, OneTimeLink.user_id == user_id, OneTimeLink.used_at.is_(None))
    return session.execute(links.where(OneTimeLink.expires_at > now + MAILED_LIFETIME - MAILED_EVERY)).first() is not None


def count_reset_request(session: Session, address: str, *, now: datetime) -> None:
    """Count what one address asks for. Raises: InvalidField where it asked too often within `REQUESTS_WITHIN`."""
    key = f"reset {digest(address)[:32]}"
    row = session.get(Throttle, key, with_for_update=True)
    if row is None or row.updated_at < now - REQUESTS_WITHIN:
        session.merge(Throttle(key=key, failure_count=1, updated_at=now))
        return
    if row.failure_count >= MOST_REQUESTS:
        raise InvalidField("name", "Too many links were asked for. Wait a quarter of an hour.")
    row.failure_count += 1
