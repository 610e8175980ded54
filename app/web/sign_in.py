"""Signing in and out."""

import logging

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user  # type: ignore[import-untyped]  # the package carries no annotations
from sqlalchemy import exists, select
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from app.models import User
from app.refusals import RequestRefused
from app.snapshot import UserView
from app.web import context, sessions
from app.web.database import db

screen = Blueprint("sign_in", __name__)

_LOG = logging.getLogger("pennywire.web")


@screen.route("/sign-in", methods=["GET", "POST"])
def show() -> str | Response | tuple[str, int]:
    """Ask for name and password. The throttle of the APIs guards this form too."""
    if request.method == "POST":
        return _attempt(request.form.get("username", "").strip(), request.form.get("password", ""))
    if current_user.is_authenticated:
        return redirect(url_for("home.index"), 303)
    ended = sessions.ENDED.get(session.pop("ended", ""), "")
    return _page(notice=ended)


def _attempt(username: str, password: str) -> Response | tuple[str, int]:
    try:
        view = context.parts().authenticator.password(username, password, address=request.remote_addr or "")
        if not view.gui_enabled:
            raise RequestRefused("forbidden", "This user may not use the browser. An administrator can allow it on the user's page.")
    except RequestRefused as error:
        return _page(username=username, error=str(error)), error.refused.refusal.status
    wanted = session.get("wanted")
    _LOG.info("signed in", extra={"username": view.username, "address": request.remote_addr})
    sessions.begin(view, now=context.now())
    return redirect(_destination(view, wanted), 303)


def _destination(view: UserView, wanted: object) -> str:
    """Return the page that the session kept before the sign-in, if it exists and the user may see it; else the first page."""
    match wanted:
        case [str(endpoint), dict(arguments)] if context.parts().access.allows(view.role, endpoint):
            try:
                return url_for(endpoint, **arguments)
            except BuildError:
                pass
    return url_for("home.index")


def _page(*, username: str = "", error: str = "", notice: str = "") -> str:
    fresh = not db.session.scalar(select(exists().where(User.role == "administrator")))
    return render_template("sign_in/sign_in.html", username=username, error=error, notice=notice, fresh=fresh)


@screen.post("/sign-out")
def out() -> Response:
    """End the session."""
    sessions.end()
    flash("You are signed out.")
    return redirect(url_for("sign_in.show"), 303)
