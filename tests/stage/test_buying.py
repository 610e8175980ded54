"""What providers charge us: frozen with the message, recorded as it was, compared with the sale, and added up by day."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app import administration
from app.carriers import candidates
from app.decisions import standings
from app.engine.sweeper import Sweeper
from app.ledger import parse_credits
from app.lifecycle import NegativeMargin, ProviderChoice
from app.models import ConnectionQuality, Message, PricingRow, table
from app.refusals import Refused
from app.sales import Standing
from pennywire import (
    Accepted,
    Direction,
    Draft,
    LinkDown,
    NoQuote,
    OutcomeUnknown,
    PriceRequest,
    PricingRule,
    Quote,
    Rejected,
    Setting,
    SettingType,
)

World = Any

BUSY = Rejected("busy", "Try later.", permanent=False)
HALF, THIRD = 500_000, 300_000
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""Where the clock of these tests begins."""


class BuyList(PricingRule):
    """A rule that knows the prices of one provider by prefix, and sells nothing."""

    kind = "buylist"
    label = "Buy list"
    settings = (Setting("provider", "Provider"), Setting("fails", "Fails", SettingType.BOOLEAN, default=False))

    def quote(self, request: PriceRequest) -> Quote | None:  # noqa: ARG002  # the contract's
        return None

    def quote_buying(self, request: PriceRequest) -> Quote | NoQuote | None:
        if self.values["fails"]:
            raise RuntimeError("The list is torn.")
        if request.provider != self.values["provider"]:
            return None
        if request.destination.startswith("+43"):
            return NoQuote("Austria is being renegotiated.")
        return Quote(700_000 if request.destination.startswith("+44") else 200_000, "Buy list, prefix")


class SellOnly(PricingRule):
    """A rule that knows no buy price."""

    kind = "sellonly"
    label = "Sell only"

    def quote(self, request: PriceRequest) -> Quote | None:  # noqa: ARG002  # the contract's
        return Quote(2_000_000, "Sell list")


def buy(world: World, name: str, amount: str | None) -> None:
    with world.core.database.write() as session:
        administration.set_buy_price(session, name, parse_credits(amount) if amount else None, now=world.now, actor="test")
    world.core.snapshots.reload()


def add_rule(world: World, kind: type[PricingRule], settings: Mapping[str, Any] | None = None) -> None:
    world.core.plugins.pricing_rules[kind.kind] = kind
    with world.core.database.write() as session:
        session.execute(
            insert(PricingRow), [{"position": 1, "name": kind.kind, "kind": kind.kind, "settings": dict(settings or {}), "enabled": True}]
        )
        administration.changed(session)
    world.core.snapshots.reload()


@pytest.fixture
def two(world: World) -> tuple[Any, Any]:
    """A user with 100 credits, and two providers of one route at 2 credits a segment: the first charges 0.5, the second 0.3."""
    world.user(credit="100")
    lines = world.connection("first"), world.connection("second")
    buy(world, "first", "0.5")
    buy(world, "second", "0.3")
    world.route(targets=["first", "second"], cost="2")
    return lines


def route(world: World, **values: Any) -> None:
    (present,) = world.core.snapshots.reload().outbound
    world.route(targets=values.pop("targets", present.targets), cost=values.pop("cost", "2"), route_id=present.id, **values)


def chosen(world: World, destination: str = "+36201234567") -> str:
    return str(world.message(world.send(destination=destination)).provider)


# The price.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_without_any_buy_price_nothing_is_known_and_nothing_asked(world: World, line: Any) -> None:
    number = world.send()
    world.accept(line, "n1")

    message = world.message(number)
    assert (message.buy_per_segment_uc, message.buy_uc, message.buy_why) == (None, None, "")
    assert [segment.buy_uc for segment in world.segments(number)] == [None]
    assert not world.core.snapshots.present().supply.priced


def test_the_price_is_frozen_with_the_message(world: World, two: tuple[Any, Any]) -> None:
    number = world.send("x" * 200)
    buy(world, "first", "0.9")
    world.accept(two[0], "n1", "n2")

    message = world.message(number)
    assert (message.buy_per_segment_uc, message.buy_uc) == (HALF, 2 * HALF)
    assert message.buy_why == "Buy price 0.5 of first"


def test_who_really_took_it_is_recorded_with_his_price(world: World, two: tuple[Any, Any]) -> None:
    number = world.send()
    (item,) = world.claim(two[0])
    world.answer(two[0], (item, BUSY))
    world.accept(two[1], "n1")

    assert (world.message(number).buy_per_segment_uc, world.message(number).buy_uc) == (HALF, THIRD)


def test_segments_that_went_different_ways_are_added_up(world: World, two: tuple[Any, Any]) -> None:
    number = world.send("x" * 400)
    items = world.claim(two[0])
    world.answer(two[0], (items[0], Accepted("n1")), (items[1], BUSY), (items[2], LinkDown("The line broke.")))
    assert world.message(number).buy_uc == 3 * HALF
    world.accept(two[1], "n2")
    assert world.message(number).buy_uc == 2 * HALF + THIRD
    world.accept(two[0], "n3")

    assert world.message(number).buy_uc == 2 * HALF + THIRD
    assert [segment.buy_uc for segment in world.segments(number)] == [HALF, THIRD, HALF]


def test_connections_of_one_provider_may_have_prices_of_their_own(world: World) -> None:
    world.user(credit="100")
    dear, cheap = world.connection("dear", "both"), world.connection("cheap", "both")
    buy(world, "dear", "0.5")
    buy(world, "cheap", "0.3")
    world.route(targets=["both"], cost="2")
    first, second = world.send(), world.send()
    assert world.message(first).buy_uc == HALF
    world.accept(cheap, "n1")
    world.accept(dear, "n2")

    assert [world.message(number).buy_uc for number in (first, second)] == [THIRD, HALF]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_for_any_provider_the_dearest_is_planned_and_the_real_one_recorded(world: World, two: tuple[Any, Any]) -> None:
    route(world, targets=["*"])
    number = world.send()
    assert (world.message(number).provider, world.message(number).buy_uc) == ("*", HALF)
    world.accept(two[1], "n1")

    assert world.message(number).buy_uc == THIRD


@pytest.mark.parametrize("answer", [Rejected("no", "No such number."), None])
def test_what_nobody_took_costs_nothing(world: World, two: tuple[Any, Any], answer: Rejected | None) -> None:
    number = world.send("x" * 200)
    if answer is None:
        world.sweep(timedelta(hours=49))
    else:
        items = world.claim(two[0])
        world.answer(two[0], *((item, answer) for item in items))

    assert world.message(number).buy_uc == 0
    assert [segment.buy_uc for segment in world.segments(number)] == [0, 0]


def test_what_stays_in_doubt_stays_as_dear_as_planned(world: World, two: tuple[Any, Any]) -> None:
    number = world.send("x" * 400)
    items = world.claim(two[0])
    world.answer(two[0], (items[0], Accepted("n1")), (items[1], OutcomeUnknown("?")), (items[2], Rejected("no", "No.")))
    world.sweep(timedelta(hours=25))

    assert world.message(number).buy_uc == 2 * HALF
    assert [segment.buy_uc for segment in world.segments(number)] == [HALF, HALF, 0]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_price_nobody_knew_is_asked_again_when_the_network_took_it(world: World, two: tuple[Any, Any]) -> None:
    buy(world, "first", None)
    number = world.send()
    assert world.message(number).buy_uc is None
    buy(world, "first", "0.4")
    world.accept(two[0], "n1")

    assert world.message(number).buy_uc == 400_000


# Rules that know.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_buy_list_comes_before_the_connections_own_price(world: World) -> None:
    add_rule(world, BuyList, {"provider": "first"})
    message = world.message(world.send())

    assert (message.buy_uc, message.buy_why) == (200_000, "Buy list, prefix")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_rule_may_say_that_nobody_knows(world: World) -> None:
    add_rule(world, BuyList, {"provider": "first"})
    message = world.message(world.send(destination="+436641234567"))

    assert (message.buy_uc, message.buy_why) == (None, "Austria is being renegotiated.")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_rule_that_fails_leaves_the_price_unknown_and_the_message_sent(world: World) -> None:
    add_rule(world, BuyList, {"provider": "first", "fails": True})
    message = world.message(world.send())

    assert message.state == "queued"
    assert message.buy_uc is None


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("line")
def test_a_rule_that_only_sells_is_not_asked_what_things_cost(world: World) -> None:
    add_rule(world, SellOnly)
    world.send()

    assert not world.core.snapshots.present().supply.priced


# The choice.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_least_cost_chooses_by_the_number_that_is_called(world: World) -> None:
    add_rule(world, BuyList, {"provider": "first"})
    route(world, provider_choice=ProviderChoice.LEAST_COST)

    assert [chosen(world, number) for number in ("+36201234567", "+447700900123", "+436641234567")] == ["first", "second", "second"]


def test_equal_prices_are_decided_by_what_was_delivered_and_then_by_the_order(world: World, two: tuple[Any, Any]) -> None:
    route(world, provider_choice=ProviderChoice.LEAST_COST)
    buy(world, "second", "0.5")
    assert chosen(world) == "first"
    with world.core.database.write() as session:
        rows = [(two[0].id, 90, 100), (two[1].id, 91, 100)]
        session.execute(
            insert(table(ConnectionQuality)),
            [
                {"connection_id": number, "delivered_count": delivered, "ended_count": ended, "counted_at": world.now}
                for number, delivered, ended in rows
            ],
        )
        administration.changed(session)
    world.core.snapshots.reload()

    assert chosen(world) == "second"


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_every_provider_stands_for_all_that_are_there(world: World) -> None:
    route(world, targets=["*"], provider_choice=ProviderChoice.LEAST_COST)

    assert chosen(world) == "second"


def test_quality_counts_what_has_ended_by_connection(world: World, two: tuple[Any, Any]) -> None:
    first = [world.send() for _ in range(21)]
    world.accept(two[0], *(f"n{index}" for index in range(10)))
    world.accept(two[0], *(f"n{index}" for index in range(10, 21)))
    with world.core.database.write() as session:
        for index, number in enumerate(first):
            session.get_one(Message, number).state = "delivered" if index else "undeliverable"
    sweeper = Sweeper(world.core, lambda: 0.0)
    sweeper.turn()
    with world.core.database.read() as session:
        assert session.query(ConnectionQuality).count() == 0  # Nobody asks for it yet.
    route(world, provider_choice=ProviderChoice.LEAST_COST)
    sweeper.turn()
    with world.core.database.write() as session:
        administration.changed(session)

    assert world.core.snapshots.reload().supply.delivered_permille == {"first": 20 * 1000 // 21}


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_failover_follows_the_cost(world: World, two: tuple[Any, Any]) -> None:
    third = world.connection("third")
    buy(world, "third", "0.4")
    route(world, targets=["first", "second", "third"], provider_choice=ProviderChoice.LEAST_COST)
    world.send()
    places = []
    for line in (two[1], third):
        (item,) = world.claim(line)
        world.answer(line, (item, BUSY))
        (row,) = world.queue()
        places.append(row.provider)

    assert places == ["third", "first"]


@pytest.mark.usefixtures("two")
def test_a_provider_that_is_down_hands_its_queue_to_the_next_cheapest(world: World) -> None:
    world.connection("third")
    buy(world, "third", "0.4")
    route(world, targets=["first", "second", "third"], provider_choice=ProviderChoice.LEAST_COST)
    world.send()
    with world.core.database.write() as session:
        administration.set_desired(session, "second", "stopped", plugins=world.core.plugins, now=world.now, actor="test")
    world.core.snapshots.reload()
    world.sweep()

    assert [row.provider for row in world.queue()] == ["third"]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_test_of_the_route_shows_every_candidate_and_why(world: World) -> None:
    route(world, cost="0.4", provider_choice=ProviderChoice.LEAST_COST, negative_margin=NegativeMargin.REFUSE)
    snapshot = world.core.snapshots.present()
    found = standings(snapshot, snapshot.user("anna"), Draft("+36201234567", "x"), now=world.now)

    def told(item: Standing) -> tuple[str, int | None, bool, str]:
        return item.candidate.provider, item.candidate.buying.per_segment_uc, item.chosen, item.why

    assert [item.barred for item in found] == [False, True]
    assert [told(item) for item in found] == [
        ("second", THIRD, True, "Buy price 0.3 of second."),
        ("first", HALF, False, "It charges more than the message is sold for. Buy price 0.5 of first."),
    ]


# The margin.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_refusal_for_want_of_margin_tells_no_figure_of_ours(world: World) -> None:
    route(world, cost="0.123", negative_margin=NegativeMargin.REFUSE)
    (result,) = world.submit(Draft("+36201234567", "x")).results

    assert isinstance(result, Refused)
    assert result.code == "negative_margin"
    assert not any(character.isdigit() for character in result.reason)
    assert world.money() == ("100", "0")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_who_is_not_charged_is_not_measured_by_a_margin(world: World) -> None:
    world.user("staff", accounting_enabled=False)
    route(world, cost="0", negative_margin=NegativeMargin.REFUSE)

    assert world.message(world.send(user="staff")).state == "queued"


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_a_price_is_checked(world: World) -> None:
    with pytest.raises(administration.InvalidField), world.core.database.write() as session:
        administration.set_buy_price(session, "first", -1, now=world.now, actor="test")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("two")
def test_candidates_leave_out_what_is_not_there(world: World) -> None:
    snapshot = world.core.snapshots.present()
    (present,) = snapshot.outbound
    route = replace(present, targets=("gone", "second", "first"))

    def ask(provider: str) -> PriceRequest:
        return PriceRequest(Direction.OUTBOUND, "anna", "", "+36201234567", 1, "all", provider, world.now)

    assert [item.provider for item in candidates(snapshot, route, ask)] == ["second", "first"]
