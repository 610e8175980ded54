"""Queues of providers that are down: what has another way out takes it, whatever waits before it."""

import re
from typing import Any

import pytest
from sqlalchemy import event

from app import administration, sweeping
from pennywire import Draft

World = Any
TO_UK = [{"kind": "destination_prefix", "settings": {"prefixes": "+44"}}]
ALONE, WITH_ANOTHER = "+36201234567", "+447700900123"


@pytest.fixture
def broken(world: World) -> World:
    """Two users; `first` is down. Messages to the United Kingdom could go over `second` too, all others only over `first`."""
    for name in ("anna", "bela"):
        world.user(name, credit="100")
    world.connection("first")
    world.connection("second")
    world.route("uk", ["first", "second"], conditions=TO_UK)
    world.route("rest", ["first"])
    return world


def stop_first(world: World) -> None:
    with world.core.database.write() as session:
        administration.set_desired(session, "first", "stopped", plugins=world.core.plugins, now=world.now, actor="test")
    world.core.snapshots.reload()


def providers(world: World) -> list[str]:
    return [row.provider for row in world.queue()]


def test_what_cannot_move_does_not_stand_in_the_way_of_what_can(broken: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for number in (ALONE, ALONE, ALONE, WITH_ANOTHER):
        broken.send(destination=number)
    stop_first(broken)

    assert broken.sweep()["failover"] == 1
    assert providers(broken) == ["first", "first", "first", "second"]


def test_a_long_queue_of_one_user_does_not_hold_up_another(broken: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 4)
    broken.submit(*(Draft(WITH_ANOTHER, f"text {number}") for number in range(9)))
    broken.send(destination=WITH_ANOTHER, user="bela")
    stop_first(broken)

    moved = [broken.sweep()["failover"] for _ in range(5)]
    assert moved[0] == 3  # two of anna's, and bela's one
    assert sum(moved) == 10
    assert set(providers(broken)) == {"second"}


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_queue_is_read_along_its_index_and_one_without_a_way_out_not_at_all(broken: World) -> None:
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if re.search(r"FROM outbox JOIN messages.*LIMIT", statement, re.DOTALL) and "outbox.priority DESC" in statement:
            asked[statement] = parameters

    stop_first(broken)
    broken.send(destination=ALONE)
    event.listen(broken.core.database.engine, "before_cursor_execute", note)
    with broken.core.database.write() as session:
        (uk,) = (route for route in broken.core.snapshots.present().outbound if route.name == "uk")
        administration.delete_route(session, uk.id, now=broken.now, actor="test")
    broken.core.snapshots.reload()
    broken.sweep()
    assert asked == {}

    broken.route("uk", ["first", "second"], conditions=TO_UK)
    broken.sweep()
    ((statement, parameters),) = asked.items()
    with broken.core.database.engine.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]
    assert any("ix_outbox_queue" in step for step in steps), steps
    assert not any("TEMP B-TREE FOR ORDER" in step for step in steps), steps
