"""The journal's consumers: every event at least once, each message's in order, whatever runs beside."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app import journal, outbox
from pennywire import Event

World = Any
ON_POSTGRESQL = pytest.mark.parametrize("database_url", [pytest.param("postgres_url", marks=pytest.mark.postgres)], indirect=True)


def follow(world: World, *, from_start: bool = True) -> None:
    with world.core.database.write() as session:
        journal.open_cursor(session, "log", now=world.now, from_start=from_start)


def read(world: World, limit: int = 100) -> tuple[list[Event], tuple[int, int]]:
    with world.core.database.read() as session:
        return journal.read(session, "log", limit)


def move(world: World, behind: tuple[int, int]) -> None:
    with world.core.database.write() as session:
        journal.move(session, "log", behind, now=world.now)


def consume(world: World, count: int, limit: int = 100) -> list[Event]:
    """Read `count` events in batches, as a consumer that never fails; there must be no more.

    On PostgreSQL they may be held back for a moment by whatever else runs on the server.
    """
    events: list[Event] = []
    pause = threading.Event()
    while len(events) < count:
        batch, behind = read(world, limit)
        if batch:
            events += batch
            move(world, behind)
        else:
            pause.wait(0.01)
    assert read(world)[0] == []
    return events


def read_now(world: World, limit: int = 100) -> list[Event]:
    """Read what there is at this moment, in batches."""
    events: list[Event] = []
    while (found := read(world, limit))[0]:
        events += found[0]
        move(world, found[1])
    return events


def read_some(world: World) -> tuple[list[Event], tuple[int, int]]:
    """Read as soon as there is something."""
    pause = threading.Event()
    while not (found := read(world))[0]:
        pause.wait(0.01)
    return found


def steps(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.kind, event.version) for event in events if event.message_id]


@pytest.fixture(autouse=True)
def line(world: World) -> Any:
    """A user with 100 credits, one connection, one route; their two events have been read by nobody."""
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2")
    return connection


def test_batch_that_was_not_dealt_with_comes_again(world: World) -> None:
    follow(world)
    world.send()
    consume(world, 2)
    world.send()

    first, behind = read_some(world)
    again, _ = read(world)
    move(world, behind)

    assert first == again
    assert steps(first) == [("queued", 1)]
    assert read(world)[0] == []


def test_failure_of_a_consumer_is_kept_and_its_place_too(world: World) -> None:
    follow(world)
    world.send()

    with world.core.database.write() as session:
        journal.failed(session, "log", "the table is gone", now=world.now)

    with world.core.database.read() as session:
        cursor = session.get_one(journal.JournalCursor, "log")
    assert cursor.last_error == "the table is gone"
    assert [event.kind for event in consume(world, 2)] == ["top_up", "queued"]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_every_event_comes_once_and_in_order(world: World, line: Any, limit: int) -> None:
    follow(world)
    for _ in range(3):
        world.send()
    submissions = world.accept(line, "a", "b", "c")

    events = consume(world, 10, limit)

    for submission in submissions:
        own = [event for event in events if event.message_id == submission.message_id]
        assert steps(own) == [("queued", 1), ("sending", 2), ("sent", 3)]
    assert len({event.position for event in events}) == 10


def test_follower_from_now_on_gets_nothing_of_before(world: World) -> None:
    world.send()
    follow(world, from_start=False)
    world.now += timedelta(seconds=1)

    world.send("second")

    assert [event.at for event in consume(world, 1)] == [world.now]


def test_cursor_that_is_there_is_not_moved_by_opening_it(world: World) -> None:
    follow(world)
    consume(world, 1)

    follow(world, from_start=True)

    assert read(world)[0] == []


@ON_POSTGRESQL
def test_events_of_a_transaction_that_is_still_open_are_not_skipped(world: World) -> None:
    """It has taken its ids before the others, and commits after they were read."""
    follow(world)
    consume(world, 1)
    database = world.core.database
    with database.write() as slow:
        journal.write(slow, [event("slow", world)])
        with database.write() as fast:
            journal.write(fast, [event("fast", world)])
        between = read_now(world)

    assert between == []
    assert [item.kind for item in consume(world, 2)] == ["slow", "fast"]


def event(kind: str, world: World) -> journal.Entry:
    return {"message_id": None, "version": 0, "kind": kind, "at": world.now, "user_id": None, "data": {}}


@ON_POSTGRESQL
@pytest.mark.parametrize("limit", [1, 100])
def test_message_s_events_keep_their_order_where_an_older_transaction_writes_later(world: World, line: Any, limit: int) -> None:
    """An engine's transaction has begun; a message is accepted; the engine's claim sees it and sends it.

    A third transaction, begun in between and still open, must not part the two events of the message.
    """
    follow(world)
    consume(world, 1)
    database = world.core.database
    with database.write() as third:
        with database.write() as engine:
            engine.execute(text("SELECT pg_current_xact_id()"))
            third.execute(text("SELECT pg_current_xact_id()"))
            world.send()
            claimed = outbox.claim(engine, line, token=world.tokens[line.id], room=5, ids=world.core.ids, now=world.now)
        early = read_now(world, limit)

    assert len(claimed.submissions) == 1
    assert steps(early + consume(world, 2 - len(early), limit)) == [("queued", 1), ("sending", 2)]


@ON_POSTGRESQL
def test_chain_of_older_transactions_keeps_the_order(world: World) -> None:
    follow(world)
    consume(world, 1)
    database = world.core.database
    with database.write() as oldest, database.write() as older:
        oldest.execute(text("SELECT pg_current_xact_id()"))
        older.execute(text("SELECT pg_current_xact_id()"))
        number = world.send()
        entries: list[Any] = [{**event("report", world), "message_id": number, "version": version} for version in (2, 3)]
        journal.write(older, entries[:1])
        older.commit()
        journal.write(oldest, entries[1:])
        oldest.commit()

    assert steps(consume(world, 3, 1)) == [("queued", 1), ("report", 2), ("report", 3)]
