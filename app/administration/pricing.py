"""Pricing rules: the configured rows that are asked, in their order, before the route's Cost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, NotThere, audit, changed
from app.administration.connections import checked_name
from app.models import PricingRow
from app.plugins import Plugins
from pennywire import InvalidSetting, PricingRule, read_settings


def rule_kind(plugins: Plugins, kind: str) -> type[PricingRule]:
    """Return a kind of pricing rule. Raises: InvalidField."""
    found = plugins.pricing_rules.get(kind)
    if found is None:
        known = ", ".join(sorted(plugins.pricing_rules)) or "none; enable a plugin that brings one"
        raise InvalidField("kind", f"There is no kind of pricing rule {kind!r}. Known: {known}.")
    return found


def save_rule(
    session: Session,
    name: str,
    *,
    rule_id: int | None = None,
    kind: str = "",
    settings: Mapping[str, Any] | None = None,
    enabled: bool = True,
    plugins: Plugins,
    now: datetime,
    actor: str,
) -> PricingRow:
    """Add a rule of `kind` at the end, or change the one with `rule_id`, whose kind stays. Raises: InvalidField, NotThere.

    `settings` are as given by a form or a command; None leaves those that are stored.
    """
    checked_name(name)
    row = find_rule(session, rule_id) if rule_id is not None else PricingRow(position=_next_position(session), kind=kind, settings={})
    twin = session.execute(select(PricingRow.id).where(PricingRow.name == name)).scalar()
    if twin is not None and twin != rule_id:
        raise InvalidField("name", f"There is a pricing rule {name} already. Choose another name.")
    before = _values(row) if rule_id is not None else None
    if settings is not None or rule_id is None:
        row.settings = _checked(rule_kind(plugins, row.kind), settings or {})
    row.name, row.enabled = name, enabled
    session.add(row)
    session.flush()
    verb = "edit" if before else "add"
    audit(session, now=now, actor=actor, verb=verb, subject=f"pricing rule {name}", before=before, after=_values(row))
    changed(session)
    return row


def _checked(kind: type[PricingRule], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed settings of a rule that can be made of them. Raises: InvalidField."""
    try:
        values = read_settings(kind.settings, given)
        kind(values)
    except InvalidSetting as error:
        raise InvalidField(error.name, error.reason) from error
    return values


def _next_position(session: Session) -> int:
    return (session.execute(select(func.max(PricingRow.position))).scalar() or 0) + 1


def _values(row: PricingRow) -> dict[str, Any]:
    return {"name": row.name, "kind": row.kind, "settings": dict(row.settings), "enabled": row.enabled}


def find_rule(session: Session, rule_id: int) -> PricingRow:
    """Return a pricing rule. Raises: NotThere."""
    row = session.get(PricingRow, rule_id)
    if row is None:
        raise NotThere(f"There is no pricing rule number {rule_id}.")
    return row


def list_rules(session: Session) -> list[PricingRow]:
    """Return all pricing rules in the order in which they are asked."""
    return list(session.scalars(select(PricingRow).order_by(PricingRow.position, PricingRow.id)))


def move_rule(session: Session, rule_id: int, position: int, *, now: datetime, actor: str) -> None:
    """Put a rule at `position` (from 0). Raises: NotThere."""
    rule = find_rule(session, rule_id)
    others = [row for row in list_rules(session) if row.id != rule_id]
    others.insert(max(0, min(position, len(others))), rule)
    for index, row in enumerate(others, 1):
        row.position = index
    audit(session, now=now, actor=actor, verb="move", subject=f"pricing rule {rule.name}", after={"position": position})
    changed(session)


def delete_rule(session: Session, rule_id: int, *, now: datetime, actor: str) -> None:
    """Remove a rule; messages keep the price that it gave. Raises: NotThere."""
    row = find_rule(session, rule_id)
    audit(session, now=now, actor=actor, verb="delete", subject=f"pricing rule {row.name}", before=_values(row))
    session.delete(row)
    changed(session)
