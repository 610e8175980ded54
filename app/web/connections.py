"""Service provider connections: the list with lights, adding, status with start and stop, configuration, events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.ledger import format_credits
from app.models import ConnectionLog, ConnectionStatus, OutboxRow, ServiceConnection
from app.retirement import retire_connection
from app.web import context, pages
from app.web.database import db
from app.web.forms import Form, typed_name
from app.web.message import panels
from app.web.pages import PAGE_SIZE
from pennywire import Connector, Setting

screen = Blueprint("connections", __name__)

_NAME = Setting("name", "Name", required=True, max_length=64, help="How you and the routes' pages call it.")
_PROVIDER = Setting(
    "provider",
    "Service provider",
    max_length=64,
    help="Connections with one provider name share its queue: they balance the load and stand in for each other. Empty: the name.",
)


_BUY_PRICE = Setting(
    "buy_price",
    "Buy price",
    help="What the provider charges us for a segment in credits, such as 0.042, where no buy list says. Empty: not known.",
    advanced=True,
)


@dataclass(frozen=True, slots=True)
class Light:
    """What the operator wants of a connection and what it does, in one word and a tone."""

    tone: str
    word: str
    reason: str = ""


def light(connection: ServiceConnection, status: ConnectionStatus | None, now: datetime) -> Light:
    """Return the light of a connection, from what is wanted and what the engine that holds it says."""
    started = connection.desired == "started"
    held = status is not None and status.lease_until is not None and status.lease_until > now
    if status is None or not held:
        return Light("bad", "no engine", "No engine runs it. Is the engine process running?") if started else Light("quiet", "stopped")
    if not started:
        return Light("quiet", "stopped") if status.state in ("down", "failed") else Light("wait", "stopping")
    tones = {"up": "good", "connecting": "wait", "down": "bad", "failed": "bad"}
    return Light(tones.get(status.state, "wait"), status.state, "" if status.state == "up" else status.reason)


@dataclass(frozen=True, slots=True)
class Line:
    """A connection with what is shown of it."""

    connection: ServiceConnection
    status: ConnectionStatus | None
    light: Light
    waiting_count: int
    label: str


def lines() -> list[Line]:
    """Return all connections with their lights and their providers' queues."""
    session, now = db.session(), context.now()
    waiting = waiting_by_provider()
    kinds = context.core().plugins.connectors
    rows = session.execute(
        select(ServiceConnection, ConnectionStatus)
        .join(ConnectionStatus, ConnectionStatus.connection_id == ServiceConnection.id, isouter=True)
        .where(ServiceConnection.retired_at.is_(None))
        .order_by(func.lower(ServiceConnection.name))
    )
    return [
        Line(
            connection,
            status,
            light(connection, status, now),
            waiting.get(connection.provider, 0),
            kinds[connection.kind].label if connection.kind in kinds else f"{connection.kind} (plugin is not there)",
        )
        for connection, status in rows
    ]


def waiting_by_provider() -> dict[str, int]:
    """Return how many segments wait for each provider."""
    statement = select(OutboxRow.provider, func.count().label("segment_count")).where(OutboxRow.state == 0).group_by(OutboxRow.provider)
    return {row.provider: row.segment_count for row in db.session.execute(statement)}


@screen.get("/connections")
def index() -> str | Response:
    """List the connections; htmx asks for the rows again and again."""
    if pages.is_partial():
        return pages.live("connections/_rows.html", lines=lines())
    return render_template("connections/connections.html", lines=lines())


@screen.route("/add/connection", methods=["GET", "POST"])
def add() -> str | Response | tuple[str, int]:
    """Choose a kind of those that plugins bring, then fill in its form."""
    kinds = context.core().plugins.connectors
    kind = kinds.get(request.args.get("kind", ""))
    if kind is None:
        return render_template("connections/kinds.html", kinds=sorted(kinds.values(), key=lambda kind: kind.label.lower()))
    form = Form((_NAME, *kind.settings, _PROVIDER_ADVANCED, _BUY_PRICE))
    if request.method == "POST" and (values := _read(form)):
        name, provider, buy_uc = values.pop("name"), values.pop("provider"), values.pop("buy_price")

        def add_one(session: Session) -> None:
            administration.add_connection(session, name, kind.kind, values, provider=provider, **_means())
            administration.set_buy_price(session, name, buy_uc, **context.by())

        try:
            context.change(add_one)
        except InvalidField as error:
            form.refuse(error)
        else:
            flash(f"Connection {name} is added. It is stopped until you start it.")
            return redirect(url_for("connections.show", name=name), 303)
    return render_template("connections/add.html", form=form, kind=kind), 422 if form.errors else 200


def _read(form: Form) -> dict[str, Any] | None:
    """Return the typed values with the buy price as an amount or None, or None after noting what is wrong."""
    values = form.read(request.form)
    if values is None:
        return None
    values["buy_price"] = form.amount("buy_price") if values["buy_price"] else None
    return None if form.errors else values


_PROVIDER_ADVANCED = Setting(_PROVIDER.name, _PROVIDER.label, max_length=_PROVIDER.max_length, help=_PROVIDER.help, advanced=True)


def _means() -> dict[str, Any]:
    """Return what every change of a connection needs."""
    return {"plugins": context.core().plugins, "vault": context.core().vault, **context.by()}


def _find(name: str) -> tuple[ServiceConnection, type[Connector] | None]:
    connection = administration.find_connection(db.session(), name)
    return connection, context.core().plugins.connectors.get(connection.kind)


@screen.get("/connections/<name>")
def show(name: str) -> str | Response:
    """Show what a connection does now."""
    connection, kind = _find(name)
    status = db.session.get(ConnectionStatus, connection.id)
    newest = select(ConnectionLog).where(ConnectionLog.connection_id == connection.id).order_by(ConnectionLog.id.desc()).limit(12)
    values: dict[str, Any] = {
        "connection": connection,
        "kind": kind,
        "status": status,
        "light": light(connection, status, context.now()),
        "waiting_count": waiting_by_provider().get(connection.provider, 0),
        "log": db.session.scalars(newest).all(),
    }
    if pages.is_partial():
        return pages.live("connections/_status.html", **values)
    return render_template("connections/status.html", **values, chosen=_chosen(connection, kind), panels=panels("connection", connection))


def _chosen(connection: ServiceConnection, kind: type[Connector] | None) -> list[tuple[str, Any]]:
    """Return the settings that are not as they were given, with their labels."""
    shown = administration.shown_settings(kind, connection.settings)
    if kind is None:
        return list(shown.items())
    return [
        (setting.label, shown[setting.name]) for setting in kind.settings if shown.get(setting.name, setting.default) != setting.default
    ]


@screen.post("/connections/<name>/switch")
def switch(name: str) -> Response:
    """Start or stop a connection."""
    desired = request.form.get("desired", "")
    try:
        context.change(lambda session: administration.set_desired(session, name, desired, plugins=context.core().plugins, **context.by()))
    except InvalidField as error:
        flash(error.reason, "bad")
    return redirect(url_for("connections.show", name=name), 303)


@screen.route("/connections/<name>/configuration", methods=["GET", "POST"])
def configure(name: str) -> str | Response | tuple[str, int]:
    """Show and change a connection's settings."""
    connection, kind = _find(name)
    if kind is None:
        return render_template("connections/configuration.html", connection=connection, kind=None, form=None)
    shown = administration.shown_settings(kind, connection.settings)
    price = "" if connection.buy_uc is None else format_credits(connection.buy_uc)
    form = Form((*kind.settings, _PROVIDER, _BUY_PRICE), {**shown, "provider": connection.provider, "buy_price": price})
    if request.method == "POST" and (values := _read(form)):
        provider, buy_uc = values.pop("provider"), values.pop("buy_price")

        def edit_one(session: Session) -> None:
            administration.edit_connection(session, name, values, provider=provider, **_means())
            administration.set_buy_price(session, name, buy_uc, **context.by())

        try:
            context.change(edit_one)
        except InvalidField as error:
            form.refuse(error)
        else:
            flash("Saved. The engine connects anew with these settings.")
            return redirect(url_for("connections.configure", name=name), 303)
    return render_template("connections/configuration.html", connection=connection, kind=kind, form=form), 422 if form.errors else 200


@screen.route("/connections/<name>/delete", methods=["GET", "POST"])
def delete(name: str) -> str | Response | tuple[str, int]:
    """Ask, with the name to be typed, and then retire a connection."""
    connection, kind = _find(name)
    form = Form((typed_name("connection"),))
    if request.method == "POST" and (values := form.read(request.form)):
        if values["confirmed"] != name:
            form.errors["confirmed"] = f"Type {name} here, as it is written."
        elif _deleted(form, name):
            flash(f"Connection {name} is deleted. The messages that went over it still say so.")
            return redirect(url_for("connections.index"), 303)
    return render_template("connections/delete.html", connection=connection, kind=kind, form=form), 422 if form.errors else 200


def _deleted(form: Form, name: str) -> bool:
    try:
        context.change(lambda session: retire_connection(session, name, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


@screen.get("/connections/<name>/events")
def events(name: str) -> str | Response:
    """Show the lines that the connection wrote; the first page goes on by itself."""
    connection, kind = _find(name)
    before = pages.whole_number("before")
    statement = select(ConnectionLog).where(ConnectionLog.connection_id == connection.id)
    if before is not None:
        statement = statement.where(ConnectionLog.id < before)
    rows = db.session.scalars(statement.order_by(ConnectionLog.id.desc()).limit(PAGE_SIZE + 1)).all()
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    values: dict[str, Any] = {"connection": connection, "kind": kind, "log": rows[:PAGE_SIZE], "older": older, "newest": before is None}
    if pages.is_partial():
        return pages.live("connections/_events.html", **values)
    return render_template("connections/events.html", **values)
