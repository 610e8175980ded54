"""`pennywire pricing`: the rules that are asked for a price before the route's Cost."""

from typing import Any

import click

from app import administration
from app.administration import InvalidField
from app.cli.answers import answer, answer_table
from app.cli.opening import ACTOR, core, write
from app.cli.options import Group
from app.clock import utc_now
from app.models import PricingRow


@click.group(cls=Group)
def pricing() -> None:
    """Pricing rules, asked in their order before the route's Cost."""


_SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the rule; may be repeated.")


def _read(words: tuple[str, ...]) -> dict[str, str]:
    """Return settings given as NAME=VALUE. Raises: InvalidField."""
    for word in words:
        if "=" not in word:
            raise InvalidField("set", f"{word!r} is not a setting. Write NAME=VALUE.")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _described(row: PricingRow) -> dict[str, Any]:
    names = ("id", "position", "name", "kind", "settings", "enabled")
    return {name: getattr(row, name) for name in names}


@pricing.command("kinds")
def kinds() -> None:
    """List the kinds of rules that the enabled plugins bring."""
    with core() as opened:
        rows = [
            {"kind": kind.kind, "label": kind.label, "settings": [setting.name for setting in kind.settings]}
            for kind in opened.plugins.pricing_rules.values()
        ]
    answer_table(rows, {"kind": "KIND", "label": "WHAT", "settings": "SETTINGS"}, empty="No enabled plugin brings a kind of pricing rule.")


@pricing.command("list")
def list_() -> None:
    """List the rules in the order in which they are asked."""
    with core() as opened, opened.database.read() as session:
        rows = [_described(row) for row in administration.list_rules(session)]
    shown = [row | {"settings": ", ".join(f"{name}={value}" for name, value in row["settings"].items())} for row in rows]
    columns = {"id": "NUMBER", "name": "RULE", "kind": "KIND", "enabled": "ON", "settings": "SETTINGS"}
    answer_table(rows, columns, empty="There is no pricing rule: routes decide. Add one with: pennywire pricing add KIND NAME", shown=shown)


@pricing.command("add")
@click.argument("kind")
@click.argument("name")
@_SET
@click.option("--disabled", is_flag=True, help="Do not ask it yet.")
def add(kind: str, name: str, settings: tuple[str, ...], disabled: bool) -> None:
    """Add a rule of KIND at the end. Example: pricing add tariff "Price lists" """
    with core() as opened:
        administration.rule_kind(opened.plugins, kind)
        given = _read(settings)
        row = opened.database.run(
            lambda session: administration.save_rule(
                session, name, kind=kind, settings=given, enabled=not disabled, plugins=opened.plugins, now=utc_now(), actor=ACTOR
            )
        )
        answer(_described(row), f"Added the pricing rule {name}, number {row.id}.")


@pricing.command("edit")
@click.argument("number", type=int)
@click.option("--name", help="A new name.")
@_SET
@click.option("--enabled/--disabled", default=None, help="Whether it is asked at all.")
def edit(number: int, name: str | None, settings: tuple[str, ...], enabled: bool | None) -> None:
    """Change what is given of the rule NUMBER; the rest stays."""
    given = _read(settings)
    with core() as opened:

        def work(session: Any) -> dict[str, Any]:
            row = administration.find_rule(session, number)
            changed = administration.save_rule(
                session,
                name or row.name,
                rule_id=number,
                settings=dict(row.settings) | given if given else None,
                enabled=row.enabled if enabled is None else enabled,
                plugins=opened.plugins,
                now=utc_now(),
                actor=ACTOR,
            )
            return _described(changed)

        answer(result := opened.database.run(work), f"Changed the pricing rule {result['name']}.")


@pricing.command("move")
@click.argument("number", type=int)
@click.argument("position", type=click.IntRange(0))
def move(number: int, position: int) -> None:
    """Put the rule NUMBER at POSITION; 0 is asked first."""
    write(lambda session: administration.move_rule(session, number, position, now=utc_now(), actor=ACTOR))
    answer({"id": number, "position": position}, f"Pricing rule {number} is at position {position}.")


@pricing.command("delete")
@click.argument("number", type=int)
def delete(number: int) -> None:
    """Remove the rule NUMBER; messages keep the price that it gave."""
    write(lambda session: administration.delete_rule(session, number, now=utc_now(), actor=ACTOR))
    answer({"id": number, "deleted": True}, f"Pricing rule {number} is removed.")
