"""Signing in, in one step or in two, and out; and the way back in for who forgot the password."""

import logging
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user  # type: ignore[import-untyped]  # the package carries no annotations
from sqlalchemy import exists, select
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField, NotThere
from app.models import User
from app.refusals import RequestRefused
from app.snapshot import UserView
from app.web import context, post, sessions
from app.web.database import db
from app.web.forms import Form
from pennywire import Setting, SettingType

screen = Blueprint("sign_in", __name__)

HALFWAY = "halfway"
"""Where the session keeps who has proven his password and not yet his second factor."""

HALFWAY_LASTS = timedelta(minutes=5)

_RESET = (
    Setting("password", "New password", SettingType.SECRET, required=True, help="At least 8 characters; a long sentence is best."),
    Setting("repeated", "New password again", SettingType.SECRET, required=True),
)
_LOG = logging.getLogger("pennywire.web")


@screen.route("/sign-in", methods=["GET", "POST"])
def show() -> str | Response | tuple[str, int]:
    """Ask for name and password. The throttle of the APIs guards this form too."""
    if request.method == "POST":
        return _attempt(request.form.get("username", "").strip(), request.form.get("password", ""))
    if current_user.is_authenticated:
        return redirect(url_for("home.index"), 303)
    return _page(notice=sessions.words(session.pop("ended", "")))


def _attempt(username: str, password: str) -> Response | tuple[str, int]:
    try:
        view = context.parts().authenticator.password(username, password, address=request.remote_addr or "")
        if not view.gui_enabled:
            raise RequestRefused("forbidden", "This user may not use the browser. An administrator can allow it on the user's page.")
    except RequestRefused as error:
        return _page(username=username, error=str(error)), error.refused.refusal.status
    if view.second_factor:
        session[HALFWAY] = [view.id, view.session_epoch, context.now().timestamp()]
        return redirect(url_for("sign_in.second"), 303)
    return _let_in(view)


def _let_in(view: UserView) -> Response:
    wanted = session.get("wanted")
    _LOG.info("signed in", extra={"username": view.username, "address": request.remote_addr})
    sessions.begin(view)
    return redirect(_destination(view, wanted), 303)


@screen.route("/sign-in/code", methods=["GET", "POST"])
def second() -> str | Response | tuple[str, int]:
    """Ask for the second factor of somebody whose password was right a moment ago."""
    view = _halfway()
    if view is None:
        session.pop(HALFWAY, None)
        return redirect(url_for("sign_in.show"), 303)
    if request.method == "GET":
        return render_template("sign_in/second.html", username=view.username, error="")
    try:
        context.parts().authenticator.second_factor(view, request.form.get("code", ""), address=request.remote_addr or "")
    except RequestRefused as error:
        return render_template("sign_in/second.html", username=view.username, error=str(error)), error.refused.refusal.status
    return _let_in(view)


def _halfway() -> UserView | None:
    """Return who has proven his password in this browser within `HALFWAY_LASTS`; None where something changed since."""
    match session.get(HALFWAY):
        case [int(user_id), int(epoch), float(stamp)]:
            view = context.snapshot().users_by_id.get(user_id)
            fresh = 0 <= context.now().timestamp() - stamp <= HALFWAY_LASTS.total_seconds()
            if fresh and view is not None and view.active and view.gui_enabled and view.session_epoch == epoch:
                return view
    return None


@screen.route("/forgot-password", methods=["GET", "POST"])
def forgot() -> str | Response:
    """Have a link sent to whoever forgot his password. The answer is the same for everybody, and does not wait for the mail."""
    can_mail = bool(context.snapshot().options.get("mail_host") and context.core().settings.hosts)
    if request.method == "POST" and can_mail:
        post.send_reset_link(
            context.core(), request.form.get("name", ""), site=request.host_url.rstrip("/"), address=request.remote_addr or ""
        )
        flash("If there is such a user and we know an address of his, a mail with a link is on its way. It is good for an hour.")
        return redirect(url_for("sign_in.show"), 303)
    return render_template("sign_in/forgot.html", can_mail=can_mail)


@screen.route("/reset/<token>", methods=["GET", "POST"])
def reset(token: str) -> str | Response | tuple[str, int]:
    """Set a new password by a link that works once. It opens nothing else: the sign-in follows, with the second factor."""
    user = administration.user_of_reset_link(db.session(), token, now=context.now())
    if user is None:
        return render_template("sign_in/reset_over.html"), 404
    username, form = user.username, Form(_RESET)
    if request.method == "POST" and (values := form.read(request.form)):
        try:
            _same_twice(values)
            context.change(lambda rows: administration.use_reset_link(rows, token, values["password"], now=context.now()))
        except InvalidField as error:
            form.refuse(error)
        except NotThere:
            return render_template("sign_in/reset_over.html"), 404
        else:
            session.clear()
            flash("Your new password is set, and all your sessions have ended. Sign in with it.")
            return redirect(url_for("sign_in.show"), 303)
    return render_template("sign_in/reset.html", form=form, username=username), 422 if form.errors else 200


def _same_twice(values: dict[str, str]) -> None:
    if values["password"] != values["repeated"]:
        raise InvalidField("repeated", "The two passwords differ. Type the same one twice.")


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
