"""A user's sign-in, for administrators: his sessions, his second factor, and a link for a new password."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.web import context, sessions
from app.web.database import db
from app.web.forms import Form, typed_name
from app.web.users import view_of

screen = Blueprint("signing", __name__)


@screen.get("/users/<username>/sign-in")
def show(username: str) -> str:
    """Show how a user signs in and where he is signed in now."""
    return _page(username)


def _page(username: str, **values: Any) -> str:
    rows, view = db.session(), view_of(username)
    return render_template(
        "users/sign_in.html",
        view=view,
        rows=administration.sessions_of(rows, username, sessions.limits(), now=context.now()),
        factor=administration.second_factor_of(rows, username),
        needed=administration.second_factor_needed(context.snapshot().options, view.role),
        **{"link": "", "error": ""} | values,
    )


@screen.post("/users/<username>/sign-in/sessions/<int(max=2147483647):session_id>/end")
def end_session(username: str, session_id: int) -> Response:
    """End one session."""
    context.keep(lambda rows: administration.end_session(rows, username, session_id, **context.by()))
    flash("The session has ended.")
    return redirect(url_for("signing.show", username=username), 303)


@screen.post("/users/<username>/sign-in/sessions/end")
def end_sessions(username: str) -> Response:
    """End all sessions; one's own present one stays."""
    here = sessions.present()
    context.keep(lambda rows: administration.end_sessions(rows, username, but=here.id, **context.by()))
    flash(f"The sessions of {username} have ended.")
    return redirect(url_for("signing.show", username=username), 303)


@screen.route("/users/<username>/sign-in/second-factor", methods=["GET", "POST"])
def remove_factor(username: str) -> str | Response | tuple[str, int]:
    """Ask, with the name to be typed, and then take the second factor of somebody who lost his phone and his codes away."""
    view, form = view_of(username), Form((typed_name("user"),))
    if request.method == "POST" and (values := form.read(request.form)):
        if values["confirmed"] == username:
            context.change(lambda rows: administration.remove_second_factor(rows, username, **context.by()))
            flash(f"{username} has no second factor now; open sessions have ended.")
            return redirect(url_for("signing.show", username=username), 303)
        form.errors["confirmed"] = f"Type {username} here, as it is written."
    return render_template("users/remove_factor.html", view=view, form=form), 422 if form.errors else 200


@screen.post("/users/<username>/sign-in/reset-link")
def reset_link(username: str) -> str | tuple[str, int]:
    """Make a link for a new password. The answer is the only place where it is shown."""
    try:
        token = context.keep(lambda rows: administration.make_reset_link(rows, username, **context.by()))
    except InvalidField as error:
        return _page(username, error=error.reason), 422
    return _page(username, link=url_for("sign_in.reset", token=token, _external=True))
