"""Signed-in people: sessions that end by themselves, with the password, and with the switch-off of their user.

A session lies in a signed cookie. What ends it lies in the snapshot (the user, his `session_epoch`), and is looked at with every request.
"""

from datetime import UTC, datetime, timedelta

from flask import Flask, g, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user  # type: ignore[import-untyped]  # the package carries no annotations

from app.snapshot import UserView
from app.web import context

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
"""How often a session notes that its user is there; more often would send a cookie with every answer."""

ENDED = {
    "idle": "You were signed out after 30 minutes without activity.",
    "absolute": "You were signed out: a session lasts 12 hours at most.",
    "revoked": "You were signed out because your password or your rights changed.",
}


class SignedIn(UserMixin):  # type: ignore[misc]  # the library carries no annotations
    """The user as flask-login wants him."""

    def __init__(self, view: UserView) -> None:
        self.view = view

    def get_id(self) -> str:
        return str(self.view.id)


def register(app: Flask) -> None:
    """Let flask-login find the user of a request."""
    manager = LoginManager()
    # Error pages are drawn while the users cannot be read, so no template asks for the user by itself.
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(_load)


def begin(view: UserView, *, now: datetime) -> None:
    """Sign a user in, in a session that holds nothing of the one before."""
    session.clear()
    session["epoch"] = view.session_epoch
    session["since"] = session["seen"] = now.timestamp()
    login_user(SignedIn(view))


def end() -> None:
    """Sign the user out."""
    logout_user()
    session.clear()


def _load(user_id: str) -> SignedIn | None:
    view = context.snapshot().users_by_id.get(int(user_id))
    now = context.now()
    reason = _why_over(view, now)
    if reason or view is None:
        g.session_ended = reason
        session.clear()
        return None
    if not is_poll() and now - _moment("seen") > SEEN_EVERY:
        session["seen"] = now.timestamp()
    return SignedIn(view)


def _why_over(view: UserView | None, now: datetime) -> str:
    """Return why the present session may not go on; empty if it may."""
    if view is None or not view.active or not view.gui_enabled or session.get("epoch") != view.session_epoch:
        return "revoked"
    if now - _moment("since") > ABSOLUTE:
        return "absolute"
    return "idle" if now - _moment("seen") > IDLE else ""


def _moment(name: str) -> datetime:
    return datetime.fromtimestamp(float(session.get(name, 0)), UTC)


def is_poll() -> bool:
    """Say whether a page asks by itself for what is new: that does not keep a session alive."""
    return request.method == "GET" and "HX-Request" in request.headers
