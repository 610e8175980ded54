"""`pennywire route`: the two tables of routes, and what becomes of a message that goes through them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import click
from sqlalchemy import select

from app import administration, messages, routing
from app.administration import InvalidField
from app.cli.answers import answer, answer_table, table
from app.cli.opening import ACTOR, core, write
from app.cli.options import Group
from app.clock import utc_now
from app.core import Core
from app.decisions import standings
from app.ledger import format_credits, parse_credits
from app.lifecycle import ChargeOn, NegativeMargin, NoCredit, ProviderChoice, Remedy, Terms
from app.messages import Request
from app.models import Route
from app.refusals import Refused
from app.routing import Verdict
from app.sales import Standing
from pennywire import Condition, Direction, Draft, RoutingSubject

_DIRECTION = click.Choice([direction.value for direction in Direction])
_TERMS = {term.name: click.Choice([word.value for word in (ChargeOn if term.name == "charge_on" else Remedy)]) for term in fields(Terms)}


@click.group(cls=Group)
def route() -> None:
    """Routes, in and out."""


def _route_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--to", "targets", multiple=True, metavar="NAME", help="Provider (out; * is any) or user (in); may be repeated."),
        click.option("--when", "conditions", multiple=True, metavar="KIND[.SETTING]=VALUE", help="Condition; all must hold."),
        click.option("--cost", help="Price of a segment in credits; `none` takes it away."),
        click.option("--price-required/--no-price-required", default=None, help="Refuse what no price list has a price for."),
        click.option("--mode", type=click.Choice(["move", "copy", "drop"]), help="Inbound: stop here, go on, or throw away."),
        click.option("--no-credit", type=click.Choice([word.value for word in NoCredit]), help="Inbound: without credit."),
        click.option(
            "--choose",
            "provider_choice",
            type=click.Choice([word.value for word in ProviderChoice]),
            help="Outbound: providers in the order given, or the cheapest first.",
        ),
        click.option(
            "--negative-margin",
            type=click.Choice([word.value for word in NegativeMargin]),
            help="Outbound: what becomes of a message that costs more than it is sold for.",
        ),
        click.option("--enabled/--disabled", default=None, help="Whether it is asked at all."),
        click.option("--resend-in-doubt/--no-resend-in-doubt", default=None, help="Send once more what is in doubt."),
        click.option("--source-rewrite", help="Sender that replaces the message's."),
        click.option("--report-timeout-s", type=click.IntRange(1), help="Seconds until a report counts as missing."),
        click.option("--validity-s", type=click.IntRange(1), help="Seconds in which a message must have left."),
        *(click.option("--" + name.replace("_", "-"), name, type=choice, help="Terms of the charge.") for name, choice in _TERMS.items()),
    ]
    for option in reversed(options):
        callback = option(callback)
    return callback


def _conditions(words: Sequence[str], kinds: Mapping[str, type[Condition]]) -> list[dict[str, Any]]:
    """Make conditions of `KIND=VALUE` for a kind with one setting, or `KIND.SETTING=VALUE`. Raises: InvalidField."""
    rows: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, value = word.partition("=")
        kind, _, setting = place.partition(".")
        if not equals or kind not in kinds:
            raise InvalidField("when", f"{word!r} is not a condition. Write KIND=VALUE; kinds: {', '.join(sorted(kinds))}.")
        settings = kinds[kind].settings
        if not setting and len(settings) != 1:
            raise InvalidField("when", f"{kind} has the settings {', '.join(item.name for item in settings)}: write {kind}.SETTING=VALUE.")
        rows.setdefault(kind, {})[setting or settings[0].name] = value
    return [{"kind": kind, "settings": values} for kind, values in rows.items()]


def _values(given: Mapping[str, Any], opened: Core, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `save_route`: what was given, over what was there."""
    present = {name: value for name, value in given.items() if value is not None and value != ()}
    values = dict(before)
    terms = {name: present.pop(name) for name in _TERMS if name in present}
    if terms:
        old = values.get("terms", Terms())
        words = {name: getattr(old, name) for name in _TERMS} | terms
        values["terms"] = Terms(ChargeOn(words.pop("charge_on")), **{name: Remedy(word) for name, word in words.items()})
    if "cost" in present:
        cost = present.pop("cost")
        values["cost_uc"] = None if cost == "none" else parse_credits(cost)
    if "conditions" in present:
        values["conditions"] = _conditions(present.pop("conditions"), opened.plugins.conditions)
    if "no_credit" in present:
        values["no_credit"] = NoCredit(present.pop("no_credit"))
    if "provider_choice" in present:
        values["provider_choice"] = ProviderChoice(present.pop("provider_choice"))
    if "negative_margin" in present:
        values["negative_margin"] = NegativeMargin(present.pop("negative_margin"))
    return values | present


@route.command("add")
@click.argument("direction", type=_DIRECTION)
@click.argument("name")
@_route_options
@click.option("--position", type=click.IntRange(0), help="Place in the table, from 0; otherwise at its end.")
def add(direction: str, name: str, position: int | None, **given: Any) -> None:
    """Add a route. Example: route add outbound abroad --to smsc-1 --when destination_prefix=+43,+49 --cost 2.5"""
    with core() as opened:
        values = _values(given, opened, {})

        def work(session: Any) -> dict[str, Any]:
            common: dict[str, Any] = {"now": utc_now(), "actor": ACTOR}
            added = administration.save_route(session, Direction(direction), name, plugins=opened.plugins, **values, **common)
            if position is not None:
                administration.move_route(session, added.id, position, **common)
            return _described(added)

        answer(result := opened.database.run(work), f"Added the {direction} route {name}, number {result['id']}.")


@route.command("edit")
@click.argument("number", type=int)
@click.option("--name", help="A new name.")
@_route_options
def edit(number: int, name: str | None, **given: Any) -> None:
    """Change what is given of the route NUMBER; the rest stays."""
    with core() as opened:

        def work(session: Any) -> dict[str, Any]:
            row = administration.find_route(session, number)
            values = _values(given, opened, _before(row))
            changed = administration.save_route(
                session,
                Direction(row.direction),
                name or row.name,
                route_id=number,
                plugins=opened.plugins,
                now=utc_now(),
                actor=ACTOR,
                **values,
            )
            return _described(changed)

        answer(result := opened.database.run(work), f"Changed the {result['direction']} route {result['name']}.")


def _before(row: Route) -> dict[str, Any]:
    names = ("conditions", "targets", "cost_uc", "mode", "enabled", "price_required", "resend_in_doubt", "source_rewrite")
    values = {name: getattr(row, name) for name in (*names, "report_timeout_s", "validity_s")}
    buying = {"provider_choice": ProviderChoice(row.provider_choice), "negative_margin": NegativeMargin(row.negative_margin)}
    return values | {"terms": Terms.of_code(row.terms), "no_credit": NoCredit(row.no_credit)} | buying


@route.command("list")
@click.argument("direction", type=_DIRECTION, required=False)
def list_(direction: str | None) -> None:
    """List the routes in the order in which they are asked."""
    with core() as opened, opened.database.read() as session:
        statement = select(Route).order_by(Route.direction.desc(), Route.position, Route.id)
        if direction is not None:
            statement = statement.where(Route.direction == direction)
        rows = [_described(row) for row in session.scalars(statement)]
    shown = [row | {"when": _in_words(row["conditions"]) or "always", "cost": row["cost"] or "default"} for row in rows]
    columns = {"id": "NUMBER", "direction": "DIRECTION", "name": "ROUTE", "enabled": "ON", "when": "WHEN", "targets": "TO", "cost": "COST"}
    empty = "There is no route. Add one with: pennywire route add DIRECTION NAME --to TARGET"
    answer_table(rows, columns, empty=empty, shown=shown)


def _in_words(conditions: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{row['kind']}={' '.join(map(str, row['settings'].values()))}" for row in conditions)


def _described(row: Route) -> dict[str, Any]:
    terms = Terms.of_code(row.terms)
    return {
        "id": row.id,
        "direction": row.direction,
        "position": row.position,
        "name": row.name,
        "enabled": row.enabled,
        "conditions": row.conditions,
        "targets": row.targets,
        "mode": row.mode,
        "cost": None if row.cost_uc is None else format_credits(row.cost_uc),
        "price_required": row.price_required,
        "terms": {name: getattr(terms, name).value for name in _TERMS},
        "no_credit": row.no_credit,
        "provider_choice": row.provider_choice,
        "negative_margin": row.negative_margin,
        "resend_in_doubt": row.resend_in_doubt,
        "source_rewrite": row.source_rewrite,
        "report_timeout_s": row.report_timeout_s,
        "validity_s": row.validity_s,
    }


@route.command("move")
@click.argument("number", type=int)
@click.argument("position", type=click.IntRange(0))
def move(number: int, position: int) -> None:
    """Put the route NUMBER at POSITION of its table; 0 is asked first."""
    write(lambda session: administration.move_route(session, number, position, now=utc_now(), actor=ACTOR))
    answer({"id": number, "position": position}, f"Route {number} is at position {position}.")


@route.command("delete")
@click.argument("number", type=int)
def delete(number: int) -> None:
    """Remove the route NUMBER; messages keep what it decided."""
    write(lambda session: administration.delete_route(session, number, now=utc_now(), actor=ACTOR))
    answer({"id": number, "deleted": True}, f"Route {number} is removed.")


@route.command("test")
@click.argument("destination")
@click.argument("text", default="test")
@click.option("--user", "username", help="Outbound: who sends.")
@click.option("--connection", help="Inbound: where it comes in, instead of --user.")
@click.option("--source", default="", help="The sender.")
def test(destination: str, text: str, username: str | None, connection: str | None, source: str) -> None:
    """Say which route a message would take, why, and what it would cost. Nothing is sent."""
    if (username is None) == (connection is None):
        raise click.UsageError("Give --user for a message that goes out, or --connection for one that comes in.")
    with core() as opened:
        if connection is not None:
            _test_inbound(opened, connection, source, destination, text)
        else:
            _test_outbound(opened, str(username), Draft(destination, text, source))


def _test_outbound(opened: Core, username: str, draft: Draft) -> None:
    snapshot = opened.snapshots.present()
    user = snapshot.user(username)
    if user is None:
        raise administration.NotThere(f"There is no user {username!r}.")
    (result,) = messages.preview(snapshot, Request(user, (draft,), "cli"), now=opened.clock())
    if isinstance(result, Refused):
        subject = RoutingSubject(Direction.OUTBOUND, draft.source, draft.destination, draft.text, opened.clock(), username=username)
        verdicts = _verdicts(routing.explain(snapshot.outbound, subject))
        providers = _standings(standings(snapshot, user, draft, now=opened.clock()))
        refused = {"code": result.code, "reason": result.reason, "field": result.field}
        answer(
            {"refused": refused, "providers": providers, "verdicts": verdicts},
            f"{_verdict_table(verdicts)}{_standing_table(providers)}\n\nRefused: {result.reason}",
        )
        return
    verdicts, providers = _verdicts(result.verdicts), _standings(result.standings)
    value = {
        "destination": result.destination,
        "source": result.source,
        "segment_count": result.segment_count,
        "alphabet": result.alphabet,
        "route": result.route,
        "route_why": result.route_why,
        "provider": result.provider,
        "price": format_credits(result.price_uc),
        "price_why": result.price_why,
        "charged": result.charged,
        "providers": providers,
        "verdicts": verdicts,
    }
    price = f"{format_credits(result.price_uc)} credits ({result.price_why})" if result.charged else "not counted for this user"
    words = f"{result.route} to {result.provider}; {result.segment_count} segment(s), {result.alphabet}; price: {price}"
    answer(value, f"{_verdict_table(verdicts)}{_standing_table(providers)}\n\nTakes the route {words}")


def _test_inbound(opened: Core, connection: str, source: str, destination: str, text: str) -> None:
    snapshot = opened.snapshots.present()
    subject = RoutingSubject(Direction.INBOUND, source, destination, text, opened.clock(), connection=connection)
    verdicts = _verdicts(routing.explain(snapshot.inbound, subject))
    taken = snapshot.inbound.all_matches(subject)
    targets = [target for item in taken for target in item.targets]
    value = {"routes": [item.name for item in taken], "targets": targets, "verdicts": verdicts}
    words = f"Takes: {', '.join(item.name for item in taken)}" if taken else "No route takes it; it stays with the connection's events."
    answer(value, f"{_verdict_table(verdicts)}\n\n{words}")


def _verdicts(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    return [{"route": verdict.route.name, "matched": verdict.matched, "failed": verdict.failed} for verdict in verdicts]


def _standings(found: Sequence[Standing]) -> list[dict[str, Any]]:
    return [
        {
            "provider": item.candidate.provider,
            "started": item.candidate.started,
            "buy_price": None if item.candidate.buying.per_segment_uc is None else format_credits(item.candidate.buying.per_segment_uc),
            "sell_price": None if item.sold_uc is None else format_credits(item.sold_uc),
            "delivered_permille": item.candidate.delivered_permille,
            "chosen": item.chosen,
            "too_dear": item.barred,
            "why": item.why,
        }
        for item in found
    ]


def _standing_table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = {
        "provider": "PROVIDER",
        "buy_price": "BUY PRICE",
        "delivered_permille": "PER MILLE DELIVERED",
        "chosen": "CHOSEN",
        "why": "WHY",
    }
    return "\n\n" + table(rows, columns) if rows else ""


def _verdict_table(rows: Sequence[Mapping[str, Any]]) -> str:
    return table(rows, {"route": "ROUTE", "matched": "MATCHES", "failed": "FAILS AT"}) if rows else "There is no route."
