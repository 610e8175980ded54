"""Routing: the two ordered tables, and the form of a route with its conditions and, behind *Advanced*, its Cost."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.models import Route
from app.routing import compile_conditions
from app.web import context
from app.web.database import db
from app.web.ordering import asked_place
from app.web.route_form import RouteForm
from pennywire import Direction, InvalidSetting

screen = Blueprint("routing", __name__)


@screen.get("/routing/<direction>")
def table(direction: str) -> str:
    """Show the table of a direction, in the order in which it is asked."""
    way = _direction(direction)
    rows = db.session.scalars(select(Route).where(Route.direction == way.value).order_by(Route.position, Route.id)).all()
    broken = {route.name: route.reason for route in context.snapshot().broken}
    return render_template(
        "routing/table.html", direction=way, rows=[(row, _conditions(row)) for row in rows], broken=broken, names=_names(way)
    )


def _direction(word: str) -> Direction:
    if word not in set(Direction):
        abort(404)
    return Direction(word)


def _names(way: Direction) -> set[str]:
    """Return the targets that are there."""
    snapshot = context.snapshot()
    return {"*", *snapshot.providers} if way is Direction.OUTBOUND else set(snapshot.users)


def _conditions(row: Route) -> list[str]:
    """Return a route's conditions in words; one whose kind is not there is named by it."""
    kinds = context.core().plugins.conditions
    words = []
    for condition in row.conditions:
        try:
            words += [compiled.describe() for compiled in compile_conditions([condition], kinds)]
        except InvalidSetting as error:
            words.append(f"{condition.get('kind', '?')}: {error.reason}")
    return words


@screen.route("/routing/<direction>/add", methods=["GET", "POST"])
def add(direction: str) -> str | Response | tuple[str, int]:
    """Add a route at the end of its table."""
    way = _direction(direction)
    form = RouteForm(way)
    return _handle(form, route=None)


@screen.route("/routing/<direction>/<int(max=2147483647):route_id>", methods=["GET", "POST"])
def edit(direction: str, route_id: int) -> str | Response | tuple[str, int]:
    """Show and change a route."""
    route = _find(direction, route_id)
    return _handle(RouteForm.of(route), route=route)


def _find(direction: str, route_id: int) -> Route:
    route = administration.find_route(db.session(), route_id)
    if route.direction != _direction(direction).value:
        abort(404)
    return route


def _handle(form: RouteForm, *, route: Route | None) -> str | Response | tuple[str, int]:
    """Show a route's form, or do what its button says: one more condition or target, one less, or save."""
    if request.method == "POST":
        form.take(request.form)
        if not form.do(request.form.get("action", "save")) and _saved(form, route):
            done = "saved" if route else "added, as the last one"
            flash(f"Route {form.fields.values['name']} is {done}.")
            return redirect(url_for("routing.table", direction=form.direction.value), 303)
    way = form.direction
    page = render_template("routing/route.html", form=form, route=route, direction=way, targets=_known_targets(way), known=_names(way))
    return page, 422 if form.refused else 200


def _saved(form: RouteForm, route: Route | None) -> bool:
    values = form.read()
    if values is None:
        return False
    try:
        context.change(
            lambda session: administration.save_route(
                session,
                form.direction,
                **values,
                route_id=route.id if route else None,
                plugins=context.core().plugins,
                **context.by(),
            )
        )
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


@screen.post("/routing/<direction>/<int(max=2147483647):route_id>/move")
def move(direction: str, route_id: int) -> Response:
    """Move a route one place up or down, or to the place that `to` names."""
    route = _find(direction, route_id)
    ids = db.session.scalars(select(Route.id).where(Route.direction == route.direction).order_by(Route.position, Route.id)).all()
    place = asked_place(ids, route_id, request.form.get("to", ""))
    if place is not None:
        context.change(lambda session: administration.move_route(session, route_id, place, **context.by()))
    return redirect(url_for("routing.table", direction=direction, _anchor=f"route-{route_id}"), 303)


@screen.route("/routing/<direction>/<int(max=2147483647):route_id>/delete", methods=["GET", "POST"])
def delete(direction: str, route_id: int) -> str | Response:
    """Ask, and then remove a route."""
    route = _find(direction, route_id)
    if request.method == "GET":
        return render_template("routing/delete.html", route=route, direction=Direction(direction))
    context.change(lambda session: administration.delete_route(session, route_id, **context.by()))
    flash(f"Route {route.name} is deleted.")
    return redirect(url_for("routing.table", direction=direction), 303)


def _known_targets(way: Direction) -> list[tuple[str, str]]:
    """Return the targets that a route of a direction may name as (value, label)."""
    found: list[tuple[str, Any]] = [(name, name) for name in sorted(_names(way) - {"*"}, key=str.lower)]
    return [*found, ("*", "ANY")] if way is Direction.OUTBOUND else found
