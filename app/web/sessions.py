"""Signed-in people: sessions that end by themselves, when somebody ends them, with the password, and with the switch-off of their user.

A signed cookie holds the token of a row. What ends a session lies in that row and in the snapshot (the user, his
`session_epoch`), and is looked at with every request.
"""

import secrets
from datetime import timedelta

from flask import Flask, Response, g, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user  # type: ignore[import-untyped]  # the package carries no annotations
from sqlalchemy.orm import Session

from app import administration
from app.administration import SessionLimits
from app.models import BrowserSession
from app.snapshot import UserView
from app.web import context
from app.web.access import READING

SEEN_EVERY = timedelta(minutes=1)
"""How often a session notes that its user is there; more often would write with every page."""

TOKEN = "key"  # noqa: S105  # the name under which the cookie has it


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
    app.after_request(_note_version)


def _note_version(response: Response) -> Response:
    """Keep in the visitor's session which configuration his act left: the next page may come from another process."""
    if request.method not in READING and TOKEN in session:
        latest = context.core().snapshots.latest
        if latest is not None and latest.version > session.get(context.VERSION, 0):
            session[context.VERSION] = latest.version
    return response


def begin(view: UserView, *, verb: str = "sign in") -> None:
    """Sign a user in, in a session that holds nothing of the one before. `verb` is what the audit log calls it."""
    now, address = context.now(), request.remote_addr or ""

    def work(rows: Session) -> str:
        administration.drop_session(rows, session.get(TOKEN, ""))
        administration.audit(rows, now=now, actor=view.username, verb=verb, subject=f"user {view.username}", after={"address": address})
        return administration.begin_session(rows, view.id, now=now, address=address, device=str(request.user_agent))

    token = context.keep(work)
    session.clear()
    session[TOKEN] = token
    login_user(SignedIn(view))


def end() -> None:
    """Sign the user out: the row goes too, so that a copy of the cookie opens nothing."""
    token = session.get(TOKEN, "")
    logout_user()
    session.clear()
    context.keep(lambda rows: administration.drop_session(rows, token))


def limits() -> SessionLimits:
    """Return how long sessions last."""
    return SessionLimits.of(context.snapshot().options)


def present() -> BrowserSession:
    """Return the session of this request; only for views that the access table guards."""
    row: BrowserSession = g.browser_session
    return row


def words(ended: str) -> str:
    """Return why a session ended, in words."""
    lasts = limits()
    return {
        "idle": f"You were signed out after {int(lasts.idle.total_seconds()) // 60} minutes without activity.",
        "absolute": f"You were signed out: a session lasts {int(lasts.life.total_seconds()) // 3600} hours at most.",
        "revoked": "You were signed out because this session was ended, or your password or your rights changed.",
    }.get(ended, "")


def _load(user_id: str) -> SignedIn | None:
    view = context.snapshot().users_by_id.get(int(user_id))
    with context.core().database.read() as rows:
        row = administration.find_session(rows, str(session.get(TOKEN) or secrets.token_urlsafe()))
    now = context.now()
    reason = _why_over(view, row)
    if reason or view is None or row is None:
        g.session_ended = reason
        session.clear()
        return None
    g.browser_session = row
    if not is_poll() and now - row.seen_at > SEEN_EVERY:
        context.keep(lambda rows: administration.see_session(rows, row.id, now=now))
    return SignedIn(view)


def _why_over(view: UserView | None, row: BrowserSession | None) -> str:
    """Return why a session may not go on; empty if it may."""
    if view is None or not view.active or not view.gui_enabled or row is None or (row.user_id, row.epoch) != (view.id, view.session_epoch):
        return "revoked"
    now, lasts = context.now(), limits()
    if now - row.begun_at > lasts.life:
        return "absolute"
    return "idle" if now - row.seen_at > lasts.idle else ""


def is_poll() -> bool:
    """Say whether a page asks by itself for what is new: that does not keep a session alive."""
    return request.method == "GET" and "HX-Request" in request.headers
