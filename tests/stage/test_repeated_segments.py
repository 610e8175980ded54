"""Incoming segments that the network sends twice, under another id or by another link, make one message (trap T16)."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from pennywire import Concatenation, Incoming

World = Any


@pytest.fixture
def line(world: World) -> Any:
    world.user()
    connection = world.connection("one", "pair")
    world.route("in", ["anna"], inward=True, cost="1")
    return connection


def part(index: int, network_id: str, *, reference: int = 7, source: str = "+36205555555") -> Incoming:
    return Incoming(source, "1700", text="ABC"[index - 1], concatenation=Concatenation(reference, 3, index), network_id=network_id)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_repeat_before_the_series_is_complete_leaves_nothing_behind(world: World, line: Any, order: tuple[int, ...]) -> None:
    """A copy that stayed would be delivered, and charged, as an incomplete message half an hour later."""
    for index in order:
        world.receive(line, part(index, f"m{index}"))
        if index != order[-1]:
            world.receive(line, part(index, f"again{index}"))

    world.sweep(timedelta(minutes=31))

    assert [message.text for message in world.messages("inbound")] == ["ABC"]
    assert world.money() == ("-3", "0")


def test_links_of_one_provider_share_a_series(world: World, line: Any) -> None:
    other = world.connection("two", "pair")

    for connection, index in ((line, 1), (other, 2), (line, 3)):
        world.receive(connection, part(index, f"m{index}"))

    assert [message.text for message in world.messages("inbound")] == ["ABC"]


def test_series_of_another_sender_or_reference_are_apart(world: World, line: Any) -> None:
    for index in (1, 2, 3):
        world.receive(
            line, part(index, f"a{index}"), part(index, f"b{index}", reference=8), part(index, f"c{index}", source="+36206666666")
        )

    assert [message.text for message in world.messages("inbound")] == ["ABC"] * 3


def test_incomplete_series_with_repeats_is_delivered_once(world: World, line: Any) -> None:
    world.receive(line, part(1, "m1"), part(1, "again"), part(3, "m3"))

    world.sweep(timedelta(minutes=31))
    world.sweep(timedelta(minutes=31))

    assert [(message.text, message.incomplete, message.segment_count) for message in world.messages("inbound")] == [("AC", True, 2)]
