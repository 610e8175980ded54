"""Values that plugins keep under keys: limits, scopes, the engine's way and the pages' way to them, and their removal."""

import asyncio
from typing import Any

import pytest

from app import keeping, leftovers
from app.gateway import OpenGateway
from app.retirement import retire_connection
from app.snapshot import ConnectionView
from pennywire import CannotKeep
from pennywire.keeping import LONGEST_VALUE_OCTETS, MOST_VALUES
from pennywire.testing import FakeValues

World = Any
ODD = {"text": "ő \x00 \U0001f600 \"'", "numbers": [0, -1, 2**70, 1.5], "flags": [True, False, None], "deep": {"er": [{}]}}


@pytest.fixture
def wire(world: World) -> ConnectionView:
    """A connection that is stopped, and that no engine holds."""
    connection: ConnectionView = world.connection(started=False)
    world.core.database.run(lambda session: world.lease(session, connection.id, seconds=-1))
    return connection


@pytest.fixture
def desk(world: World, wire: ConnectionView) -> OpenGateway:
    """The gateway as a page of a plugin has it."""
    assert wire.name == "wire"
    return OpenGateway(world.core, "root", "administrator")


def test_values_come_back_as_they_were_kept(desk: OpenGateway) -> None:
    desk.keep("pigeon", {"odd": ODD, "count": 1})
    desk.keep("pigeon", {"count": 2})

    assert desk.values("pigeon") == {"count": 2, "odd": ODD}


def test_a_plugin_and_its_connections_have_values_of_their_own(desk: OpenGateway) -> None:
    desk.keep("pigeon", {"key": "itself"})
    desk.keep("pigeon", {"key": "wire"}, "wire")
    desk.keep("dove", {"key": "another"})

    assert (desk.values("pigeon"), desk.values("pigeon", "wire"), desk.values("dove")) == (
        {"key": "itself"},
        {"key": "wire"},
        {"key": "another"},
    )
    assert desk.values("pigeon", "nobody") == {}
    with pytest.raises(CannotKeep, match="no connection called nobody"):
        desk.keep("pigeon", {"key": 1}, "nobody")


def test_a_prefix_is_taken_letter_by_letter(desk: OpenGateway) -> None:
    desk.keep("pigeon", {"sim_1": 1, "sim/2": 2, "SIM_3": 3, "simx4": 4})

    assert desk.values("pigeon", prefix="sim_") == {"sim_1": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"": 1}, "cannot be a key"),
        ({"ő": 1}, "cannot be a key"),
        ({"k" * 101: 1}, "cannot be a key"),
        ({"k": (1, 2)}, "lists for tuples"),
        ({"k": {1: 2}}, "texts as keys"),
        ({"k": float("nan")}, "cannot be kept as JSON"),
        ({"k": b"octets"}, "cannot be kept as JSON"),
        ({"k": "\ud800"}, "cannot be kept as JSON"),
        ({"k": "x" * (LONGEST_VALUE_OCTETS - 1)}, "32,769 octets as JSON; at most 32,768"),
    ],
    ids=["empty", "letter", "long-key", "tuple", "number-key", "nan", "bytes", "surrogate", "long"],
)
def test_what_cannot_be_kept_is_refused_with_the_reason_and_nothing_is_written(
    desk: OpenGateway, changes: dict[str, Any], words: str
) -> None:
    """The kit's fake refuses the same."""
    fake = FakeValues()

    with pytest.raises(CannotKeep, match=words):
        desk.keep("pigeon", {"before": 1} | changes)
    with pytest.raises(CannotKeep, match=words):
        asyncio.run(fake.write({"before": 1} | changes))

    assert desk.values("pigeon") == asyncio.run(fake.read()) == {}


@pytest.mark.parametrize("keeps", ["gateway", "fake"])
def test_no_more_values_are_kept_than_there_is_room_for(desk: OpenGateway, keeps: str) -> None:
    fake = FakeValues()

    def keep(changes: dict[str, Any]) -> None:
        if keeps == "fake":
            asyncio.run(fake.write(changes))
        else:
            desk.keep("pigeon", changes)

    keep({f"k{number}": number for number in range(MOST_VALUES)})
    with pytest.raises(CannotKeep, match="1,001 values; 1,000 may be kept"):
        keep({"k0": None, "one": 1, "two": 2})
    keep({"k0": None, "one": 1})

    kept = asyncio.run(fake.read()) if keeps == "fake" else desk.values("pigeon")
    assert len(kept) == MOST_VALUES
    assert "k0" not in kept
    assert kept["one"] == 1


def test_they_go_with_the_plugins_data_and_are_told_before(world: World, desk: OpenGateway) -> None:
    desk.keep("pigeon", {"a": 1, "b": 2})
    desk.keep("pigeon", {"c": 3}, "wire")
    desk.keep("dove", {"a": 1})

    with world.core.database.read() as session:
        assert leftovers.survey(session, "pigeon", []).in_words() == ["3 values under keys"]
    world.core.database.run(lambda session: leftovers.remove(session, "pigeon", [], now=world.now, actor="root"))

    assert (desk.values("pigeon"), desk.values("pigeon", "wire"), desk.values("dove")) == ({}, {}, {"a": 1})


def test_what_belongs_to_a_connection_goes_when_it_is_deleted(world: World, desk: OpenGateway, wire: ConnectionView) -> None:
    desk.keep("pigeon", {"mine": 1}, "wire")
    desk.keep("pigeon", {"ours": 1})

    world.core.database.run(lambda session: retire_connection(session, "wire", now=world.now, actor="root"))

    with world.core.database.read() as session:
        assert keeping.read(session, "pigeon", wire.id) == {}
        assert keeping.read(session, "pigeon") == {"ours": 1}
