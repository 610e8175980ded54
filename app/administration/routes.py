"""The routing tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import ledger
from app.administration.changes import InvalidField, NotThere, audit, changed
from app.administration.connections import checked_name
from app.lifecycle import NegativeMargin, NoCredit, ProviderChoice, Terms
from app.models import (
    Route,
    ServiceConnection,
    User,
)
from app.plugins import Plugins
from app.routing import compile_conditions
from pennywire import Direction, InvalidSetting


def save_route(
    session: Session,
    direction: Direction,
    name: str,
    *,
    route_id: int | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
    targets: Sequence[str] = (),
    cost_uc: int | None = None,
    terms: Terms = Terms(),  # noqa: B008  # frozen
    mode: str = "move",
    no_credit: NoCredit = NoCredit.DELIVER,
    enabled: bool = True,
    price_required: bool = False,
    provider_choice: ProviderChoice = ProviderChoice.ORDER,
    negative_margin: NegativeMargin = NegativeMargin.IGNORE,
    resend_in_doubt: bool = False,
    source_rewrite: str = "",
    report_timeout_s: int = 72 * 3600,
    validity_s: int = 48 * 3600,
    plugins: Plugins,
    now: datetime,
    actor: str,
) -> Route:
    """Add a route at the end of its table, or change the one with `route_id`. Raises: InvalidField, NotThere.

    `targets` of an outbound route are providers (`*` is any), of an inbound one user names. Only an inbound Cost may be negative.
    """
    checked_name(name)
    _check_route(session, direction, name, route_id, targets, cost_uc, mode)
    try:
        compile_conditions(conditions, plugins.conditions)
    except InvalidSetting as error:
        raise InvalidField("conditions", error.reason) from error
    route = (
        session.get(Route, route_id)
        if route_id is not None
        else Route(direction=direction.value, position=_next_position(session, direction))
    )
    if route is None or route.direction != direction:
        raise NotThere(f"There is no {direction} route number {route_id}.")
    before = _route_values(route) if route_id is not None else None
    route.name, route.conditions, route.targets = name, [dict(row) for row in conditions], list(targets)
    route.cost_uc, route.terms, route.mode, route.no_credit = cost_uc, terms.code(), mode, no_credit.value
    route.enabled, route.price_required, route.resend_in_doubt = enabled, price_required, resend_in_doubt
    route.provider_choice, route.negative_margin = provider_choice.value, negative_margin.value
    route.source_rewrite, route.report_timeout_s, route.validity_s = source_rewrite, report_timeout_s, validity_s
    session.add(route)
    session.flush()
    audit(
        session,
        now=now,
        actor=actor,
        verb="edit" if before else "add",
        subject=f"{direction} route {name}",
        before=before,
        after=_route_values(route),
    )
    changed(session)
    return route


def _check_route(
    session: Session, direction: Direction, name: str, route_id: int | None, targets: Sequence[str], cost_uc: int | None, mode: str
) -> None:
    twin = session.execute(select(Route.id).where(Route.direction == direction.value, Route.name == name)).scalar()
    if twin is not None and twin != route_id:
        raise InvalidField("name", f"There is an {direction} route {name} already. Choose another name.")
    if mode not in ("copy", "move", "drop"):
        raise InvalidField("mode", "The mode is copy, move or drop.")
    if not targets and mode != "drop":
        wanted = "service provider" if direction is Direction.OUTBOUND else "user"
        raise InvalidField("targets", f"Choose at least one {wanted}.")
    if cost_uc is not None and (abs(cost_uc) > ledger.LARGEST_UC // 255 or (cost_uc < 0 and direction is Direction.OUTBOUND)):
        raise InvalidField("cost", "The Cost of an outbound route is not negative; no Cost passes 3,900,000 credits.")
    providers = select(ServiceConnection.provider).where(ServiceConnection.retired_at.is_(None))
    known = set(session.scalars(providers if direction is Direction.OUTBOUND else select(User.username).where(User.retired_at.is_(None))))
    for target in targets:
        if target not in known and not (direction is Direction.OUTBOUND and target == "*"):
            raise InvalidField("targets", f"There is no {'provider' if direction is Direction.OUTBOUND else 'user'} {target!r}.")


def _next_position(session: Session, direction: Direction) -> int:
    last = session.execute(select(func.max(Route.position)).where(Route.direction == direction.value)).scalar()
    return (last or 0) + 1


def _route_values(route: Route) -> dict[str, Any]:
    names = ("name", "enabled", "conditions", "targets", "mode", "cost_uc", "price_required", "terms", "no_credit")
    more = ("provider_choice", "negative_margin", "resend_in_doubt", "source_rewrite", "report_timeout_s", "validity_s")
    return {name: getattr(route, name) for name in (*names, *more)}


def move_route(session: Session, route_id: int, position: int, *, now: datetime, actor: str) -> None:
    """Put a route at `position` (from 0) of its table. Raises: NotThere."""
    route = find_route(session, route_id)
    others = list(
        session.scalars(select(Route).where(Route.direction == route.direction, Route.id != route_id).order_by(Route.position, Route.id))
    )
    others.insert(max(0, min(position, len(others))), route)
    for index, row in enumerate(others, 1):
        row.position = index
    audit(session, now=now, actor=actor, verb="move", subject=f"{route.direction} route {route.name}", after={"position": position})
    changed(session)


def delete_route(session: Session, route_id: int, *, now: datetime, actor: str) -> None:
    """Remove a route; messages keep what it decided. Raises: NotThere."""
    route = find_route(session, route_id)
    audit(session, now=now, actor=actor, verb="delete", subject=f"{route.direction} route {route.name}", before=_route_values(route))
    session.delete(route)
    changed(session)


def find_route(session: Session, route_id: int) -> Route:
    """Return a route. Raises: NotThere."""
    route = session.get(Route, route_id)
    if route is None:
        raise NotThere(f"There is no route number {route_id}.")
    return route
