"""Applications of a user: what his programs are connected by, such as SMPP."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.models import ApplicationLog, ApplicationRow, ApplicationStatus, DeliveryRow
from app.web import context
from app.web.database import db
from app.web.forms import Form, flag, typed_name
from app.web.users import view_of
from pennywire import Application

screen = Blueprint("applications", __name__)

EVENT_COUNT = 30
_STARTED = flag("started", "Switched on", help="Off: nothing listens for this user; what waits for his program is kept for 7 days.")
_TONES = {"up": "good", "failed": "bad"}


@screen.get("/users/<username>/applications")
def index(username: str) -> str:
    """List the kinds of applications, and which of them the user has."""
    user = administration.find_user(db.session(), username)
    rows = [
        (kind, row, db.session.get(ApplicationStatus, row.id) if row else None)
        for kind in sorted(context.core().plugins.applications.values(), key=lambda kind: kind.label)
        for row in [administration.find_application(db.session(), user, kind.kind)]
    ]
    return render_template("applications/index.html", view=view_of(username), rows=rows, tones=_TONES)


@screen.route("/users/<username>/applications/<kind>", methods=["GET", "POST"])
def configure(username: str, kind: str) -> str | Response | tuple[str, int]:
    """Show and change an application: its settings, how it stands, and its last events."""
    wanted, row = _find(username, kind)
    shown = administration.shown_application(wanted, row.settings if row else {})
    form = Form((_STARTED, *wanted.settings), shown | {"started": row is not None and row.desired == "started"})
    if request.method == "POST" and _saved(form, username, kind):
        flash("Saved. The engine follows within a second.")
        return redirect(url_for("applications.configure", username=username, kind=kind), 303)
    values = {"view": view_of(username), "kind": wanted, "row": row, "form": form, "tones": _TONES} | _seen(row)
    return render_template("applications/configure.html", **values), 422 if form.errors else 200


def _seen(row: ApplicationRow | None) -> dict[str, Any]:
    """Return how an application stands."""
    if row is None:
        return {"status": None, "log": [], "waiting_count": 0}
    newest = select(ApplicationLog).where(ApplicationLog.application_id == row.id).order_by(ApplicationLog.id.desc()).limit(EVENT_COUNT)
    waiting = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.application_id == row.id)
    return {
        "status": db.session.get(ApplicationStatus, row.id),
        "log": db.session.scalars(newest).all(),
        "waiting_count": db.session.scalar(waiting) or 0,
    }


def _saved(form: Form, username: str, kind: str) -> bool:
    values = form.read(request.form)
    if values is None:
        return False
    started = values.pop("started")
    core = context.core()

    def save(session: Session) -> None:
        means = context.by()
        administration.set_application(session, username, kind, values, started=started, plugins=core.plugins, vault=core.vault, **means)

    try:
        context.change(save)
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


@screen.route("/users/<username>/applications/<kind>/delete", methods=["GET", "POST"])
def delete(username: str, kind: str) -> str | Response | tuple[str, int]:
    """Ask, with the name to be typed, and then remove an application."""
    wanted, row = _find(username, kind)
    if row is None:
        abort(404)
    form = Form((typed_name("user"),))
    if request.method == "POST" and (values := form.read(request.form)):
        if values["confirmed"] == username:
            context.change(lambda session: administration.remove_application(session, username, kind, **context.by()))
            flash(f"{wanted.label} of {username} is removed.")
            return redirect(url_for("applications.index", username=username), 303)
        form.errors["confirmed"] = f"Type {username} here, as it is written."
    values = {"view": view_of(username), "kind": wanted, "form": form, "waiting_count": _seen(row)["waiting_count"]}
    return render_template("applications/delete.html", **values), 422 if form.errors else 200


def _find(username: str, kind: str) -> tuple[type[Application], ApplicationRow | None]:
    wanted = context.core().plugins.applications.get(kind)
    if wanted is None:
        abort(404)
    return wanted, administration.find_application(db.session(), administration.find_user(db.session(), username), kind)
