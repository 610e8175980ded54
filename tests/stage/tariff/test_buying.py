"""Buy lists: what a provider charges us, by the same lists, versions and look-ups as the customers' prices."""

from datetime import timedelta
from typing import Any

from app import administration
from app.lifecycle import NegativeMargin, ProviderChoice
from pennywire import Accepted, Draft

Desk = Any


def test_a_providers_list_says_what_each_number_costs_us_and_from_when(desk: Desk) -> None:
    world = desk.world
    assert not world.core.snapshots.reload().supply.priced
    desk.list("Wire buys", "prefix;price\n36;0.03\n3620;0.08\n", side="buy", provider="wire")
    number = world.send("x" * 200)
    elsewhere = world.send(destination="+447700900123")
    desk.activate("Wire buys", desk.version("Wire buys", "prefix;price\n36;0.5\n"), world.now + timedelta(hours=1))
    world.now += timedelta(hours=2)
    later = world.send()

    found = [world.message(item) for item in (number, elsewhere, later)]
    assert [item.buy_uc for item in found] == [160_000, None, 500_000]
    assert [item.buy_why for item in found] == ["Wire buys, version 1, prefix 3620", "", "Wire buys, version 2, prefix 36"]
    assert found[0].price_uc == 4_000_000


def test_the_cheapest_by_list_carries_each_number_and_nobody_who_is_too_dear(desk: Desk) -> None:
    world = desk.world
    world.connection("other")
    (route,) = world.core.snapshots.reload().outbound
    values = {"provider_choice": ProviderChoice.LEAST_COST, "negative_margin": NegativeMargin.REFUSE}
    world.route(targets=["wire", "other"], cost="0.05", route_id=route.id, **values)
    desk.list("Wire buys", "prefix;price\n36;0.03\n3620;0.04\n49;0.06\n", side="buy", provider="wire")
    desk.list("Other buys", "prefix;price\n36;0.035\n49;0.07\n", side="buy", provider="other")

    carried = [world.message(world.send(destination=number)).provider for number in ("+36301234567", "+36201234567", "+447700900123")]
    (refused,) = world.submit(Draft("+491701234567", "x")).results

    assert carried == ["wire", "other", "wire"]
    assert refused.code == "negative_margin"


def test_where_the_list_has_no_price_the_connections_own_counts(desk: Desk) -> None:
    world = desk.world
    desk.list("Wire buys", "prefix;price\n36;0.03\n", side="buy", provider="wire")
    with world.core.database.write() as session:
        administration.set_buy_price(session, "wire", 90_000, now=world.now, actor="test")
    world.core.snapshots.reload()
    line = next(iter(world.core.snapshots.present().connections.values()))
    number = world.send(destination="+447700900123")
    (item,) = world.claim(line)
    world.answer(line, (item, Accepted("n1")))

    assert world.message(number).buy_uc == 90_000
