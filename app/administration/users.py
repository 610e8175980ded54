"""Users and their accounts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from app.administration.changes import Conflict, InvalidField, NotThere, audit, changed
from app.mailing import is_address
from app.models import (
    Account,
    User,
)
from pennywire import InvalidSetting, Setting

ROLES = ("administrator", "operator", "auditor", "customer")
USER_KINDS = ("standard", "application")
MINIMUM_PASSWORD_LENGTH = 8
MAXIMUM_PASSWORD_LENGTH = 256
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", re.ASCII)

_USER_FIELDS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("role", "Role", default="customer"),
        Setting("kind", "Type", default="standard"),
        Setting("default_source", "Default sender", max_length=16),
        Setting("email", "E-mail address", max_length=254),
        Setting(
            "country_code",
            "Country calling code",
            pattern=r"[1-9][0-9]{0,2}",
            expected="1 to 3 digits that do not begin with 0, such as 36",
            max_length=3,
        ),
    )
}
_USER_FLAGS = (
    "active",
    "accounting_enabled",
    "legacy_api_enabled",
    "gui_enabled",
    "route_override_allowed",
    "source_override_allowed",
)
_USER_NUMBERS = {"repeat_window_s": (0, 86_400), "max_segments": (1, 255)}


def add_user(
    session: Session,
    username: str,
    password: str,
    *,
    now: datetime,
    actor: str,
    **values: Any,
) -> User:
    """Add a user with his account; an empty password means that he cannot sign in with one.

    Users made for applications may use the legacy API unless told otherwise, people may not. Raises: InvalidField.
    """
    if not _USERNAME.fullmatch(username):
        raise InvalidField(
            "username", "A user name has 1 to 16 letters, digits, dots, dashes or underscores and begins with a letter or digit."
        )
    _refuse_taken(session, username)
    values.setdefault("legacy_api_enabled", values.get("kind") == "application")
    checked = _checked_user(values)
    user = User(username=username, password_hash=hash_password(password) if password else "", created_at=now, **checked)
    session.add(user)
    session.flush()
    session.add(Account(name=f"user:{user.id}", kind="user", user_id=user.id))
    audit(session, now=now, actor=actor, verb="add", subject=f"user {username}", after=_user_values(user))
    changed(session)
    session.flush()
    return user


def _refuse_taken(session: Session, username: str) -> None:
    row = session.execute(select(User.username, User.retired_at).where(func.lower(User.username) == username.lower())).first()
    if row is None:
        return
    if row.retired_at is not None:
        day = row.retired_at.date().isoformat()
        raise Conflict(
            "username",
            f"There was a user {row.username}, deleted on {day}. Names are not given again: ledger and audit log know people by them. "
            "Choose another name.",
        )
    raise Conflict("username", f"There is a user {row.username} already. Choose another name.")


def edit_user(session: Session, username: str, *, now: datetime, actor: str, **values: Any) -> User:
    """Change a user's settings. Raises: InvalidField, NotThere."""
    user = find_present_user(session, username)
    before = _user_values(user)
    for name, value in _checked_user(values).items():
        setattr(user, name, value)
    if (before["active"] and not user.active) or before["role"] != user.role:
        user.session_epoch += 1
    keep_an_administrator(session, user, was=before["role"] == "administrator" and before["active"])
    audit(session, now=now, actor=actor, verb="edit", subject=f"user {username}", before=before, after=_user_values(user))
    changed(session)
    session.flush()
    return user


def keep_an_administrator(session: Session, user: User, *, was: bool) -> None:
    """Refuse a change that would leave nobody who may undo it. `was` says that he was one before. Raises: InvalidField."""
    if not was or (user.role == "administrator" and user.active and user.gui_enabled and user.retired_at is None):
        return
    others = session.execute(
        select(func.count()).where(User.role == "administrator", User.active, User.gui_enabled, User.id != user.id)
    ).scalar_one()
    if not others:
        raise Conflict("role", "This is the only administrator. Make another one first.")


def set_password(session: Session, username: str, password: str, *, now: datetime, actor: str) -> None:
    """Give a user a new password; his sessions end. Raises: InvalidField, NotThere."""
    user = find_present_user(session, username)
    user.password_hash = hash_password(password)
    user.session_epoch += 1
    audit(session, now=now, actor=actor, verb="password", subject=f"user {username}")
    changed(session)


def find_present_user(session: Session, username: str) -> User:
    """Return a user who has not been deleted. Raises: NotThere."""
    user = find_user(session, username)
    if user.retired_at is not None:
        raise NotThere(f"The user {username!r} was deleted on {user.retired_at.date().isoformat()}; nothing of his can be changed.")
    return user


def find_user(session: Session, username: str) -> User:
    """Return a user, also one who was deleted: what he did can still be read. Raises: NotThere."""
    user = session.execute(select(User).where(User.username == username)).scalar()
    if user is None:
        raise NotThere(f"There is no user {username!r}.")
    return user


def account_of(session: Session, user: User) -> Account:
    """Return the user's account."""
    return session.execute(select(Account).where(Account.user_id == user.id)).scalar_one()


def hash_password(password: str) -> str:
    """Return the slow hash of a password. Raises: InvalidField for one that is too short or too long."""
    if not MINIMUM_PASSWORD_LENGTH <= len(password) <= MAXIMUM_PASSWORD_LENGTH:
        raise InvalidField("password", f"A password has {MINIMUM_PASSWORD_LENGTH} to {MAXIMUM_PASSWORD_LENGTH} characters.")
    return generate_password_hash(password)


def _checked_user(values: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name in _USER_FLAGS:
            checked[name] = bool(value)
        elif name in _USER_NUMBERS:
            low, high = _USER_NUMBERS[name]
            if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}", str(value), re.ASCII) or not low <= int(value) <= high:
                raise InvalidField(name, f"It must be a whole number from {low} to {high}.")
            checked[name] = int(value)
        elif name in _USER_FIELDS:
            try:
                checked[name] = _USER_FIELDS[name].read(value)
            except InvalidSetting as error:
                raise InvalidField(name, error.reason) from error
        else:
            raise InvalidField(name, f"A user has no setting {name}.")
    if checked.get("email") and not is_address(checked["email"]):
        raise InvalidField("email", f"{checked['email'][:60]!r} is not an e-mail address. Write one such as name@example.com.")
    for name, allowed in (("role", ROLES), ("kind", USER_KINDS)):
        if name in checked and checked[name] not in allowed:
            raise InvalidField(name, f"It must be one of: {', '.join(allowed)}.")
    return checked


def _user_values(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in (*_USER_FIELDS, *_USER_FLAGS, *_USER_NUMBERS)}
