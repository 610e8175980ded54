"""API keys of a user: made here, shown once, revoked at once."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.models import Account, ApiKey
from app.snapshot import UserView
from app.web import context
from app.web.database import db
from app.web.forms import Form, flag
from app.web.users import view_of
from pennywire import Setting

screen = Blueprint("keys", __name__)

_LABEL = Setting("label", "Label", required=True, max_length=64, help="What uses it, such as Shop or Monitoring.")


def _fields(view: UserView) -> tuple[Setting, ...]:
    """Return the form's settings: a label, and what the key is to open. Who has nothing to administer is not asked for that."""
    ticks = (
        flag(scope, scope.capitalize(), default=scope in administration.DEFAULT_SCOPES, help=f"Lets the program {words}.")
        for scope, words in administration.SCOPES.items()
        if scope != "admin" or view.role != "customer" or _has_children(view)
    )
    return (_LABEL, *ticks)


def _has_children(view: UserView) -> bool:
    children = select(Account.id).where(Account.parent_id == view.account_id).limit(1)
    return db.session.execute(children).scalar() is not None


@screen.route("/users/<username>/keys", methods=["GET", "POST"])
def index(username: str) -> str | tuple[str, int]:
    """List the user's keys and make new ones. The answer to making one is the only place where it is shown."""
    view, made = view_of(username), ""
    form = Form(_fields(view))
    if request.method == "POST" and (values := form.read(request.form)):
        made = _made(form, username, values)
        form = Form(_fields(view)) if made else form
    keys = db.session.scalars(select(ApiKey).where(ApiKey.user_id == view.id).order_by(ApiKey.id.desc())).all()
    return render_template("users/keys.html", view=view, form=form, keys=keys, made=made), 422 if form.errors else 200


def _made(form: Form, username: str, values: dict[str, Any]) -> str:
    """Make a key and return it; empty after noting what is wrong."""
    scopes = [scope for scope in administration.SCOPES if values.get(scope)]
    try:
        return context.change(lambda session: administration.add_key(session, username, values["label"], scopes=scopes, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return ""


@screen.route("/users/<username>/keys/<int(max=2147483647):key_id>/revoke", methods=["GET", "POST"])
def revoke(username: str, key_id: int) -> str | Response:
    """Ask, and then make a key worthless."""
    key = db.session.get(ApiKey, key_id)
    if key is None or key.user_id != view_of(username).id or key.revoked_at is not None:
        abort(404)
    if request.method == "GET":
        return render_template("users/revoke_key.html", view=view_of(username), key=key)
    context.change(lambda session: administration.revoke_key(session, key_id, **context.by()))
    flash(f"The key {key.prefix}… is revoked.")
    return redirect(url_for("keys.index", username=username), 303)
