"""Who pays what, from when on, and what never changes: the rules, on one database. What depends on it is proven beside this."""

from datetime import timedelta
from typing import Any

import pytest
from pennywire_tariff import importing, lists, words

from app import sweeping
from pennywire import Incoming, InvalidSetting

Desk = Any
TO = "+36201234567"
MICRO = 1_000_000
PRICES = "prefix;price\n36;3\n3620;3.2\n*;9\n"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


# Who pays by which list.


def test_without_a_list_the_route_decides(desk: Desk) -> None:
    assert desk.costs() == 2 * MICRO


def test_a_user_s_own_list_goes_before_his_group_s_and_that_before_the_default(desk: Desk) -> None:
    for name, amount in (("Own", 1), ("Group", 2), ("Default", 3)):
        desk.list(name, f"*;{amount}")
    desk.world.user("bella", credit="100")
    desk.world.user("carla", credit="100")
    desk.group("anna", "friends")
    desk.group("bella", "friends")
    desk.assign("Own", "user", "anna")
    desk.assign("Group", "group", "friends")
    desk.assign("Default", "default")

    assert [desk.costs(user=name) // MICRO for name in ("anna", "bella", "carla")] == [1, 2, 3]


def test_a_list_without_a_price_refuses_and_a_price_of_0_does_not(desk: Desk) -> None:
    desk.list(text="36;0", default=True)

    assert desk.costs() == 0
    assert desk.costs("+4917012345") == "no_price"


def test_a_list_whose_first_version_is_to_come_refuses(desk: Desk) -> None:
    desk.list(default=True)
    desk.activate("Retail", desk.version("Retail", PRICES), desk.world.now + timedelta(days=1))

    assert desk.costs() == "no_price"


def test_incoming_messages_are_priced_by_their_sender(desk: Desk) -> None:
    desk.list("Incoming", "prefix;price\n36;-0.5\n", direction="inbound", default=True)
    desk.list(text=PRICES, default=True)
    desk.world.route("in", ("anna",), inward=True)
    connection = desk.world.core.snapshots.present().providers["wire"][0]
    desk.world.receive(connection, incoming())

    (message,) = desk.world.messages("inbound")
    assert message.price_uc == -500_000
    assert desk.world.money() == ("100.5", "0")


def incoming() -> Any:
    return Incoming("+36301112233", "+36209000100", text="yes")


# When versions hold.


def test_a_change_of_price_changes_nothing_for_what_is_queued(desk: Desk) -> None:
    desk.list(text="*;3", default=True)
    waiting = desk.world.send()
    desk.activate("Retail", desk.version("Retail", "*;5"))
    line = desk.world.core.snapshots.present().providers["wire"][0]

    desk.world.accept(line, "n-1")
    sweeping.sweep(desk.world.core.database, desk.world.core.snapshots.present(), ids=desk.world.core.ids, now=desk.world.now)

    assert desk.world.message(waiting).price_uc == 3 * MICRO
    assert desk.world.money() == ("97", "0")
    assert desk.costs() == 5 * MICRO


def test_states_and_the_way_back(desk: Desk) -> None:
    desk.list(text="*;3", default=True)
    desk.activate("Retail", desk.version("Retail", "*;5"))
    desk.activate("Retail", desk.version("Retail", "*;7"), desk.world.now + timedelta(days=1))
    desk.version("Retail", "*;8")
    before, states = desk.costs(), desk.states()

    with desk.gateway.write() as session:
        lists.roll_back(desk.gateway, session, lists.find_list(session, "Retail"))

    assert states == {1: "past", 2: "active", 3: "scheduled", 4: "draft"}
    assert desk.states() == {1: "active", 2: "past", 3: "scheduled", 4: "draft"}
    assert (before, desk.costs()) == (5 * MICRO, 3 * MICRO)


def refuse(desk: Desk, work: Any, name: str = "Retail") -> None:
    with desk.gateway.write() as session:
        work(session, lists.find_list(session, name))


def test_no_version_takes_effect_in_the_past(desk: Desk) -> None:
    desk.list(text="*;3")

    with pytest.raises(InvalidSetting, match="That time is past"):
        desk.activate("Retail", 1, desk.world.now - timedelta(microseconds=1))


def test_a_version_that_was_activated_never_changes(desk: Desk) -> None:
    desk.list(text="*;3")

    for work in (
        lambda session, row: importing.put_entry(desk.gateway, session, lists.find_version(session, row, 1), words.line_of(row, typed())),
        lambda session, row: importing.remove_entry(desk.gateway, session, lists.find_version(session, row, 1), 1),
    ):
        with pytest.raises(InvalidSetting, match="it never changes"):
            refuse(desk, work)
    with pytest.raises(InvalidSetting, match="so it stays"):
        importing.discard_draft(desk.gateway, "Retail", 1)
    with pytest.raises(InvalidSetting, match="so it stays"):
        refuse(desk, lambda session, row: lists.delete_list(desk.gateway, session, row))


def typed(key: str = "3620", price: str = "1", **given: str) -> dict[str, str]:
    return {"key": key, "price": price, "effective": "", "end": "", "name": ""} | given


def put(desk: Desk, number: int, key: str) -> None:
    with desk.gateway.write() as session:
        row = lists.find_list(session, "Retail")
        importing.put_entry(desk.gateway, session, lists.find_version(session, row, number), words.line_of(row, typed(key)))


def test_a_copy_is_changed_by_hand_and_activated(desk: Desk) -> None:
    desk.list(text=PRICES, default=True)
    number = importing.copy_as_draft(desk.gateway, "Retail", 1)
    put(desk, number, "36201")

    with pytest.raises(InvalidSetting, match="dates that overlap"):
        put(desk, number, "3620")
    desk.activate("Retail", number)

    assert desk.costs() == 1 * MICRO
    assert desk.costs("+36202234567") == 3_200_000
