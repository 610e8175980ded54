"""What a person changes for himself: his password, his second factor, the browsers that he is signed in with."""

from collections.abc import Callable

import segno
from flask import Blueprint, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.refusals import RequestRefused
from app.web import context, sessions
from app.web.database import db
from app.web.forms import Form
from pennywire import Setting, SettingType

screen = Blueprint("profile", __name__)

_FIELDS = (
    Setting("present", "Present password", SettingType.SECRET, required=True),
    Setting("password", "New password", SettingType.SECRET, required=True, help="At least 8 characters; a long sentence is best."),
    Setting("repeated", "New password again", SettingType.SECRET, required=True),
)
_CODE = (Setting("code", "Code", required=True, max_length=40, help="The six digits that the app shows now."),)
_PROOF = (Setting("code", "Code", required=True, max_length=40, help="The six digits of the app, or a recovery code."),)


@screen.route("/profile/password", methods=["GET", "POST"])
def password() -> str | Response | tuple[str, int]:
    """Change the own password. Every other session of the user ends."""
    form = Form(_FIELDS)
    if request.method == "POST" and _changed(form):
        sessions.begin(context.snapshot().users_by_id[context.user().id], verb="begin session")
        flash("Your password is changed. Other sessions of yours have ended.")
        return redirect(url_for("profile.password"), 303)
    return render_template("profile/password.html", form=form), 422 if form.errors else 200


def _changed(form: Form) -> bool:
    values = form.read(request.form)
    if values is None:
        return False
    username = context.user().username
    try:
        context.parts().authenticator.password(username, values["present"], address=request.remote_addr or "")
    except RequestRefused as error:
        form.errors["present"] = str(error)
        return False
    if values["password"] != values["repeated"]:
        form.errors["repeated"] = "The two passwords differ. Type the same one twice."
        return False
    try:
        context.change(lambda session: administration.set_password(session, username, values["password"], **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


@screen.route("/profile/second-factor", methods=["GET", "POST"])
def second_factor() -> str | tuple[str, int]:
    """Show the second factor, or set it up: a square code to scan, a first code to prove it, and then the recovery codes, once."""
    view = context.user()
    if view.second_factor:
        return _factor_page(Form(_PROOF))
    vault = context.core().vault
    secret = context.keep(lambda session: administration.begin_second_factor(session, view.username, vault=vault))
    form = Form(_CODE)
    if request.method == "POST" and (values := form.read(request.form)):
        try:
            codes = context.change(
                lambda session: administration.confirm_second_factor(session, view.username, values["code"], vault=vault, **context.by())
            )
        except InvalidField as error:
            form.refuse(error)
        else:
            return _factor_page(Form(_PROOF), codes)
    square = segno.make(administration.provisioning_uri(secret, view.username), error="m")
    drawn = Markup(square.svg_inline(scale=5, light="#fff"))  # noqa: S704  # drawn from our own secret and a checked name
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    page = render_template("profile/set_up_factor.html", form=form, square=drawn, secret=groups, needed=_needed())
    return page, 422 if form.errors else 200


@screen.post("/profile/second-factor/codes")
def recovery_codes() -> str | tuple[str, int]:
    """Make fresh recovery codes; the old ones are worth nothing then."""
    username, vault, form = context.user().username, context.core().vault, Form(_PROOF)
    if not _proven(form):
        return _factor_page(form)
    return _factor_page(
        form, context.keep(lambda session: administration.renew_recovery_codes(session, username, vault=vault, **context.by()))
    )


@screen.post("/profile/second-factor/remove")
def remove_factor() -> str | Response | tuple[str, int]:
    """Turn the second factor off, where the role does not need one."""
    username, form = context.user().username, Form(_PROOF)
    if _needed():
        form.note("code", "Your role needs a second factor, so it stays on. An administrator can reset it, to set up another phone.")
    if form.errors or not _proven(form):
        return _factor_page(form)
    context.change(lambda session: administration.remove_second_factor(session, username, **context.by()))
    sessions.begin(context.snapshot().users_by_id[context.user().id], verb="begin session")
    flash("The second factor is off. Signing in takes the password alone.")
    return redirect(url_for("profile.second_factor"), 303)


def _needed() -> bool:
    return administration.second_factor_needed(context.snapshot().options, context.user().role)


def _proven(form: Form) -> bool:
    """Say whether the form has a right code, which is spent by that."""
    values = form.read(request.form)
    if values is None:
        return False
    try:
        context.parts().authenticator.second_factor(context.user(), values["code"], address=request.remote_addr or "")
    except RequestRefused as error:
        form.errors["code"] = str(error)
        return False
    return True


def _factor_page(form: Form, codes: list[str] | None = None) -> tuple[str, int]:
    with context.core().database.read() as session:
        factor = administration.second_factor_of(session, context.user().username)
    page = render_template("profile/second_factor.html", form=form, factor=factor, codes=codes or [], needed=_needed())
    return page, 422 if form.errors else 200


@screen.get("/profile/sessions")
def open_sessions() -> str:
    """List the browsers that the user is signed in with."""
    rows = administration.sessions_of(db.session(), context.user().username, sessions.limits(), now=context.now())
    return render_template("profile/sessions.html", rows=rows, here=sessions.present().id)


@screen.post("/profile/sessions/<int(max=2147483647):session_id>/end")
def end_session(session_id: int) -> Response:
    """End one session."""
    name = context.user().username
    return _ended(lambda rows: administration.end_session(rows, name, session_id, **context.by()), "The session has ended.")


@screen.post("/profile/sessions/end")
def end_others() -> Response:
    """End all sessions but this one."""
    name, here = context.user().username, sessions.present().id
    return _ended(lambda rows: administration.end_sessions(rows, name, but=here, **context.by()), "All other sessions have ended.")


def _ended(work: Callable[[Session], object], words: str) -> Response:
    context.keep(work)
    flash(words)
    return redirect(url_for("profile.open_sessions"), 303)
