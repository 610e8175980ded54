"""The first minute: home country, a network, a user with credit, a message. Every step can be left out and come back to."""

import secrets
from typing import Any
from zoneinfo import available_timezones

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import administration
from app.administration import GATEWAY_SETTINGS, InvalidField
from app.models import Message
from app.web import context, samples
from app.web.database import db
from app.web.forms import Form
from pennywire import Direction, Setting

screen = Blueprint("first_run", __name__)

STEPS = {
    "country": "Home country",
    "network": "A network",
    "user": "A user with credit",
    "message": "A message",
}
ROUTE = "Everything"
KEY_LABEL = "First key"
DESTINATION, TEXT = "+36201234567", "Hello from Pennywire"
_COUNTRY = tuple(setting for setting in GATEWAY_SETTINGS if setting.name in ("country_code", administration.TIME_ZONE))
_USER = (
    Setting("username", "User name", required=True, help="1 to 16 letters, digits, dots, dashes or underscores."),
    Setting("credit", "Credit", default="100", help="What the user may spend; 1 credit is one SMS where no route or price says otherwise."),
)


@screen.get("/welcome")
def index() -> Response:
    """Go to the first step that is not done."""
    done = _done()
    return redirect(url_for("first_run.step", word=next((word for word in STEPS if not done[word]), "message")), 303)


@screen.route("/welcome/<word>", methods=["GET", "POST"])
def step(word: str) -> str | Response | tuple[str, int]:
    """Show a step, or do what its form asks."""
    if word not in STEPS:
        abort(404)
    return _VIEWS[word]()


def _done() -> dict[str, bool]:
    snapshot = context.snapshot()
    return {
        "country": bool(snapshot.options.get("country_code")),
        "network": bool(snapshot.connections) and bool(snapshot.outbound),
        "user": any(view.role == "customer" for view in snapshot.users.values()),
        "message": bool(db.session.execute(select(exists().where(Message.direction == Direction.OUTBOUND.value))).scalar()),
    }


def _page(word: str, form: Form | None = None, **values: Any) -> str | tuple[str, int]:
    words = list(STEPS)
    following = words[words.index(word) + 1] if word != words[-1] else ""
    page = render_template(f"first_run/{word}.html", word=word, steps=STEPS, done=_done(), following=following, form=form, **values)
    return page, 422 if form and form.errors else 200


def _next(word: str) -> Response:
    words = list(STEPS)
    return redirect(url_for("first_run.step", word=words[words.index(word) + 1]), 303)


def _country() -> str | Response | tuple[str, int]:
    options = context.snapshot().options
    form = Form(_COUNTRY, {setting.name: options.get(setting.name) or setting.default or "" for setting in _COUNTRY})
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        given = {name: str(value or "") for name, value in values.items()}
        try:
            context.change(lambda session: administration.set_gateway_options(session, given, **context.by()))
        except InvalidField as error:
            form.refuse(error)
        else:
            return _next("country")
    return _page("country", form, zones=sorted(available_timezones()))


def _network() -> str | Response | tuple[str, int]:
    if request.method == "POST":
        flash(_NETWORK_WORDS[context.change(_make_network)])
        return _next("network")
    return _page("network", kinds=[kind for kind in context.core().plugins.connectors.values() if kind.kind != administration.LOOPBACK])


_NETWORK_WORDS = {
    True: "The loopback network is started, and all messages go to it until you add routes of your own.",
    False: "The loopback network is started. Messages go where your routes say: none was changed.",
}


def _make_network(session: Session) -> bool:
    core = context.core()
    by: dict[str, Any] = {"plugins": core.plugins, **context.by()}
    administration.start_loopback(session, vault=core.vault, **by)
    return administration.add_first_route(session, Direction.OUTBOUND, ROUTE, administration.LOOPBACK, **by)


def _user() -> str | Response | tuple[str, int]:
    form = Form(_USER)
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        credit_uc = form.amount("credit")
        if credit_uc < 0:
            form.errors["credit"] = "Give 0 credits or more."
        if not form.errors:
            try:
                password, key = context.change(lambda session: _make_user(session, values["username"], credit_uc))
            except InvalidField as error:
                form.refuse(error)
            else:
                username = values["username"]
                lines = samples.legacy_send(request.url_root, username, password, DESTINATION, TEXT)
                return _page("user", made={"username": username, "password": password, "key": key, "curl": lines["curl"]})
    return _page("user", form)


def _make_user(session: Session, username: str, credit_uc: int) -> tuple[str, str]:
    """Make an application with accounting on, and return its password and key: both are shown once."""
    by = context.by()
    password = secrets.token_urlsafe(12)
    administration.add_user(session, username, password, kind="application", accounting_enabled=True, **by)
    session.flush()
    if credit_uc:
        administration.top_up(session, username, credit_uc, reason="First credit", **by)
    key = administration.add_key(session, username, KEY_LABEL, **by)
    administration.add_first_route(session, Direction.INBOUND, ROUTE, username, plugins=context.core().plugins, **by)
    return password, key


def _message() -> str | Response | tuple[str, int]:
    senders = sorted(view.username for view in context.snapshot().users.values() if view.active and view.role == "customer")
    return _page(
        "message", senders=senders or [context.user().username], form_key=secrets.token_urlsafe(18), destination=DESTINATION, text=TEXT
    )


_VIEWS = {"country": _country, "network": _network, "user": _user, "message": _message}
