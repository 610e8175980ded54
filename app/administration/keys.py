"""API keys and links that work once."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from secrets import token_urlsafe
from types import MappingProxyType

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, NotThere, audit, changed
from app.administration.users import add_user, find_present_user
from app.models import (
    ApiKey,
    OneTimeLink,
    User,
)
from app.secrets import digest, make_api_key

SETUP_LIFETIME = timedelta(hours=24)

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "send": "send messages",
        "read": "read its user's messages",
        "account": "read its user's account: balance, ledger, statements",
        "admin": "administer: whatever its user's role lets him change, and see of others",
    }
)
"""What a key may open, and in words. A key opens nothing that its user may not do."""

DEFAULT_SCOPES = ("send", "read", "account")


def add_key(session: Session, username: str, label: str, *, now: datetime, actor: str, scopes: Collection[str] = DEFAULT_SCOPES) -> str:
    """Make an API key and return it; it is shown this once. `scopes` are words of `SCOPES`. Raises: InvalidField, NotThere."""
    user = find_present_user(session, username)
    opens = " ".join(scope for scope in SCOPES if scope in scopes)
    if not opens or not set(scopes) <= SCOPES.keys():
        raise InvalidField("scopes", f"A key opens one or several of: {', '.join(SCOPES)}.")
    key = make_api_key()
    session.add(ApiKey(user_id=user.id, label=label[:64], prefix=key[:8], digest=digest(key), scopes=opens, created_at=now))
    after = {"prefix": key[:8], "label": label[:64], "opens": opens}
    audit(session, now=now, actor=actor, verb="add key", subject=f"user {username}", after=after)
    changed(session)
    return key


def revoke_key(session: Session, key_id: int, *, now: datetime, actor: str) -> None:
    """Make a key worthless at once. Raises: NotThere."""
    key = session.get(ApiKey, key_id)
    if key is None or key.revoked_at is not None:
        raise NotThere(f"There is no key number {key_id} in force.")
    key.revoked_at = now
    audit(session, now=now, actor=actor, verb="revoke key", subject=f"key {key_id}", before={"prefix": key.prefix})
    changed(session)


def make_setup_link(session: Session, *, now: datetime) -> str | None:
    """Return the token of a fresh set-up link, or None when there is an administrator. Earlier links die."""
    if session.execute(select(func.count()).where(User.role == "administrator")).scalar_one():
        return None
    for link in session.scalars(select(OneTimeLink).where(OneTimeLink.purpose == "setup", OneTimeLink.used_at.is_(None))):
        session.delete(link)
    token = token_urlsafe(32)
    session.add(OneTimeLink(digest=digest(token), purpose="setup", expires_at=now + SETUP_LIFETIME))
    return token


def setup_link_valid(session: Session, token: str, *, now: datetime) -> bool:
    """Say whether a set-up link may still be used."""
    link = session.get(OneTimeLink, digest(token))
    return link is not None and link.purpose == "setup" and link.used_at is None and link.expires_at > now


def use_setup_link(session: Session, token: str, username: str, password: str, *, now: datetime) -> User:
    """Make the administrator and spend the link. Raises: NotThere for a link that is not valid, InvalidField."""
    if not setup_link_valid(session, token, now=now):
        raise NotThere("This link has been used or is too old. Start the gateway again to get a fresh one.")
    session.get_one(OneTimeLink, digest(token)).used_at = now
    return add_user(session, username, password, now=now, actor="setup", role="administrator")
