"""Routing / Pricing rules: what is asked for a price before the route's Cost, in its order."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.models import PricingRow
from app.web import context
from app.web.database import db
from app.web.forms import Form, flag
from app.web.ordering import asked_place
from pennywire import PricingRule, Setting

screen = Blueprint("pricing", __name__)

_NAME = Setting("rule_name", "Name", required=True, max_length=64)
_ENABLED = flag("rule_enabled", "Ask this rule", default=True)


@screen.get("/routing/pricing")
def table() -> str:
    """Show the rules in the order in which they are asked."""
    kinds = context.core().plugins.pricing_rules
    broken = {rule.name: rule.reason for rule in context.snapshot().broken}
    rows = [(row, kinds.get(row.kind), _words(row, kinds.get(row.kind))) for row in administration.list_rules(db.session())]
    return render_template("pricing/table.html", rows=rows, kinds=kinds, broken=broken)


def _words(row: PricingRow, kind: type[PricingRule] | None) -> list[tuple[str, Any]]:
    """Return a rule's settings with their labels; those of a kind that is not there by their names."""
    labels = {setting.name: setting.label for setting in kind.settings} if kind else {}
    choices = {(setting.name, value): label for setting in (kind.settings if kind else ()) for value, label in setting.choices}
    return [(labels.get(name, name), choices.get((name, value), value)) for name, value in row.settings.items() if value not in ("", None)]


@screen.route("/routing/pricing/add/<kind>", methods=["GET", "POST"])
def add(kind: str) -> str | Response | tuple[str, int]:
    """Add a rule of a kind at the end."""
    found = context.core().plugins.pricing_rules.get(kind)
    if found is None:
        abort(404)
    return _handle(found, _form(found, {"rule_name": found.label}), None)


@screen.route("/routing/pricing/<int(max=2147483647):rule_id>", methods=["GET", "POST"])
def edit(rule_id: int) -> str | Response | tuple[str, int]:
    """Show and change a rule."""
    row = administration.find_rule(db.session(), rule_id)
    kind = context.core().plugins.pricing_rules.get(row.kind)
    return _handle(kind, _form(kind, row.settings | {"rule_name": row.name, "rule_enabled": row.enabled}), row)


def _form(kind: type[PricingRule] | None, shown: dict[str, Any]) -> Form:
    return Form((_NAME, *(kind.settings if kind else ()), _ENABLED), shown)


def _handle(kind: type[PricingRule] | None, form: Form, row: PricingRow | None) -> str | Response | tuple[str, int]:
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        name, enabled = values.pop("rule_name"), values.pop("rule_enabled")
        try:
            context.change(
                lambda session: administration.save_rule(
                    session,
                    name,
                    rule_id=row.id if row else None,
                    kind=row.kind if row else kind.kind if kind else "",
                    # Where the plugin is not there, its settings cannot be read; they stay.
                    settings=values if kind else None,
                    enabled=enabled,
                    plugins=context.core().plugins,
                    **context.by(),
                )
            )
        except InvalidField as error:
            form.note("rule_name" if error.field == "name" else error.field, error.reason)
        else:
            flash(f"Pricing rule {name} is {'saved' if row else 'added, as the last one'}.")
            return redirect(url_for("pricing.table"), 303)
    return render_template("pricing/rule.html", form=form, row=row, kind=kind), 422 if form.errors else 200


@screen.post("/routing/pricing/<int(max=2147483647):rule_id>/move")
def move(rule_id: int) -> Response:
    """Move a rule one place up or down, or to the place that `to` names."""
    ids = [row.id for row in administration.list_rules(db.session())]
    if rule_id not in ids:
        abort(404)
    place = asked_place(ids, rule_id, request.form.get("to", ""))
    if place is not None:
        context.change(lambda session: administration.move_rule(session, rule_id, place, **context.by()))
    return redirect(url_for("pricing.table", _anchor=f"rule-{rule_id}"), 303)


@screen.route("/routing/pricing/<int(max=2147483647):rule_id>/delete", methods=["GET", "POST"])
def delete(rule_id: int) -> str | Response:
    """Ask, and then remove a rule."""
    row = administration.find_rule(db.session(), rule_id)
    if request.method == "GET":
        return render_template("pricing/delete.html", row=row)
    context.change(lambda session: administration.delete_rule(session, rule_id, **context.by()))
    flash(f"Pricing rule {row.name} is deleted.")
    return redirect(url_for("pricing.table"), 303)
