"""Incoming messages: joined, routed, charged and delivered, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from app.lifecycle import NoCredit
from pennywire import (
    Concatenation,
    Incoming,
    Report,
    ReportState,
)

World = Any


def delivered(*network_ids: str) -> Report:
    return Report(network_ids, ReportState.DELIVERED)


def test_incoming_message_is_routed_charged_and_delivered(world: World, line: Any) -> None:
    world.route("in", ["anna"], inward=True, cost="0.5")

    world.receive(line, Incoming("+36205555555", "1700", user_data=b"Szia", network_id="m1"))

    (message,) = world.messages("inbound")
    assert (message.text, message.folder, message.state, message.price_uc) == ("Szia", 1, "delivered", 500_000)
    assert world.money() == ("99.5", "0")


def test_negative_cost_pays_the_user(world: World, line: Any) -> None:
    world.route("in", ["anna"], inward=True, cost="-3")

    world.receive(line, Incoming("+36205555555", "1700", text="vote"))

    assert world.money() == ("103", "0")


@pytest.mark.parametrize(("rule", "state", "balance"), [("deliver", "delivered", "-5"), ("hold", "held", "0"), ("refuse", "rejected", "0")])
def test_m18_incoming_message_without_credit_is_never_lost(world: World, rule: str, state: str, balance: str) -> None:
    world.user()
    connection = world.connection()
    world.route("in", ["anna"], inward=True, cost="5", no_credit=NoCredit(rule))

    world.receive(connection, Incoming("+36205555555", "1700", text="kept"))

    (message,) = world.messages("inbound")
    assert (message.text, message.state) == ("kept", state)
    assert world.money() == (balance, "0")


def test_t16_segments_in_any_order_are_joined(world: World, line: Any) -> None:
    world.route("in", ["anna"], inward=True)
    for index, text in ((3, b"C"), (1, b"A"), (1, b"A"), (2, b"B")):
        world.receive(
            line,
            Incoming("+36205555555", "1700", user_data=text, concatenation=Concatenation(7, 3, index), network_id=f"m{index}"),
        )

    assert [message.text for message in world.messages("inbound")] == ["ABC"]


def test_t16_incomplete_series_is_delivered_after_its_time(world: World, line: Any) -> None:
    world.route("in", ["anna"], inward=True)
    world.receive(line, Incoming("+36205555555", "1700", user_data=b"half", concatenation=Concatenation(7, 2, 1)))

    world.sweep(timedelta(minutes=31))

    (message,) = world.messages("inbound")
    assert (message.text, message.incomplete) == ("half", True)


def test_s9_repeated_incoming_segment_is_recognised(world: World, line: Any) -> None:
    world.route("in", ["anna"], inward=True)
    segment = Incoming("+36205555555", "1700", user_data=b"once", network_id="m1")

    world.receive(line, segment)
    world.receive(line, segment)

    assert len(world.messages("inbound")) == 1
