"""Leases: one engine for a connection, a token that rises, and what an engine may still do when it has lost its lease."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.engine import leases
from app.models import ConnectionStatus, Duty, EngineRow
from app.outbox import IN_DOUBT, QUEUED, SENDING
from pennywire import Accepted, Link, Report, ReportState

Stage = Any
Until = Any
World = Any
ELSEWHERE = "0123456789ab-elsewhere"


@pytest.fixture
def line(world: World) -> Any:
    """A connection that nobody holds, of a user who may send."""
    world.user(credit="1000")
    connection = world.connection()
    world.route(cost="2")
    return connection


def take(world: World, connection_id: int, engine_id: str, *, lease_s: float = 60, dead: frozenset[str] = frozenset()) -> int | None:
    with world.core.database.write() as session:
        snapshot = world.core.snapshots.present()
        return leases.take_over(session, snapshot, connection_id, engine_id, lease_s=lease_s, dead=dead, now=world.now)


def lapse(world: World) -> None:
    """Let every lease be over."""
    with world.core.database.write() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(ConnectionStatus).values(lease_until=past))
        session.execute(update(Duty).values(lease_until=past))


def test_held_connection_is_not_taken_and_a_lapsed_one_is(world: World, line: Any) -> None:
    first = take(world, line.id, "one")
    refused = take(world, line.id, "two")
    lapse(world)
    second = take(world, line.id, "two")

    assert refused is None
    assert (first, second) == (2, 3)


def test_take_over_puts_in_doubt_what_the_earlier_holder_was_sending(world: World, line: Any) -> None:
    number = world.send()
    world.tokens[line.id] = take(world, line.id, "one")
    world.claim(line)
    lapse(world)

    take(world, line.id, "two")

    assert world.message(number).state == "in_doubt"


def test_lease_can_be_prolonged_only_under_its_own_token(world: World, line: Any) -> None:
    token = take(world, line.id, "one")
    with world.core.database.write() as session:
        kept = leases.renew(session, "one", {line.id: token}, lease_s=60)
        old = leases.renew(session, "one", {line.id: token - 1}, lease_s=60)
    lapse(world)
    take(world, line.id, "two")
    with world.core.database.write() as session:
        lost = leases.renew(session, "one", {line.id: token}, lease_s=60)

    assert (kept, old, lost) == (frozenset({line.id}), frozenset(), frozenset())


def test_late_release_does_not_touch_the_next_holder(world: World, line: Any) -> None:
    token = take(world, line.id, "one")
    lapse(world)
    take(world, line.id, "two")

    with world.core.database.write() as session:
        leases.release(session, line.id, "one", token, state="down", reason="stopped", now=world.now)

    with world.core.database.read() as session:
        assert session.get_one(ConnectionStatus, line.id).engine_id == "two"


def test_engine_whose_process_is_gone_is_not_waited_for(world: World, line: Any) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, neighbour, living = (leases.make_engine_id() for _ in range(3))
    moment = datetime.now(UTC)
    with world.core.database.write() as session:
        leases.register(session, living)
        session.add(EngineRow(id=neighbour, host="here", pid=ended.pid, started_at=moment, seen_at=moment))
        session.add(EngineRow(id=ELSEWHERE, host="there", pid=ended.pid, started_at=moment, seen_at=moment))
    take(world, line.id, neighbour)

    with world.core.database.read() as session:
        dead = leases.dead_neighbours(session, own)
    taken = take(world, line.id, own, dead=dead)

    assert dead == {neighbour}
    assert taken == 3


def test_duty_belongs_to_one_engine_until_its_lease_is_over(world: World) -> None:
    def hold(engine_id: str) -> bool:
        with world.core.database.write() as session:
            return leases.hold_duty(session, "sweeper", engine_id, lease_s=60)

    held = [hold("one"), hold("two"), hold("one")]
    lapse(world)
    held += [hold("two"), hold("one")]

    assert held == [True, False, True, True, False]


def test_engine_of_one_connection_keeps_it_from_the_others(stage: Stage, until: Until) -> None:
    """`engine --only` gives a connection a process of its own; the other engine lets go of it."""
    token = 0

    async def story() -> None:
        nonlocal token
        async with stage.engine() as general:
            await until(lambda: stage.connection().engine_id == general.id)
            async with stage.engine(only="wire") as own:
                await until(lambda: stage.connection().engine_id == own.id)
                token = stage.connection().token
            await until(lambda: stage.connection().engine_id == general.id)

    stage.play(story())

    assert stage.connection().token == token + 1


def test_engine_that_lost_its_lease_claims_nothing_and_its_answers_still_count(stage: Stage, until: Until) -> None:
    """The token fences claims; what the network said stays true (section 3 of the architecture)."""
    stage.world.send()
    numbers: list[int] = []

    async def serve(link: Link) -> None:
        (submission,) = await link.take(1)
        lapse(stage.world)
        take(stage.world, stage.line.id, ELSEWHERE)
        numbers.append(stage.world.send())
        taking = asyncio.create_task(link.take(1))
        # Something that is stored in a later transaction than the claim that was just asked for.
        await link.report(Report(("unknown",), ReportState.DELIVERED))
        await until(lambda: stage.counts() == {IN_DOUBT: 1, QUEUED: 1})
        link.outcome(submission, Accepted("n1"))
        await until(lambda: stage.counts() == {QUEUED: 1})
        taking.cancel()
        await link.stopped()

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.counts() == {QUEUED: 1} and bool(numbers))

    stage.play(story())

    assert stage.connection().engine_id == ELSEWHERE
    assert stage.world.message(numbers[0]).state == "queued"


def test_engine_that_cannot_renew_hands_nothing_over(stage: Stage, until: Until) -> None:
    """At 70 % of the lease by its own clock it stops, for another engine may be about to start; renewed, it goes on."""
    stage.world.send()
    stage.world.send()
    ready: list[bool] = []

    async def story() -> None:
        async with stage.engine() as engine:
            link = await stage.network.link()
            (first,) = await link.take(1)
            await until(lambda: stage.counts().get(SENDING) == 2)
            (host,) = engine.hosts
            host.renewed(-1e9)
            taking = asyncio.create_task(link.take(1))
            await link.report(Report(("unknown",), ReportState.DELIVERED))
            ready.append(taking.done())
            host.renewed(asyncio.get_running_loop().time())
            (second,) = await taking
            link.outcome(first, Accepted(""))
            link.outcome(second, Accepted(""))
            await until(lambda: stage.counts() == {})

    stage.play(story())

    assert ready == [False]


def test_connection_that_nobody_is_to_start_is_cleared_up(stage: Stage, until: Until) -> None:
    """What a dead engine was sending is put in doubt, though the operator has stopped the connection since."""
    number = stage.world.send()
    stage.world.tokens[stage.line.id] = take(stage.world, stage.line.id, ELSEWHERE)
    stage.world.claim(stage.line)
    stage.desire("wire", "stopped")
    lapse(stage.world)

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.world.message(number).state == "in_doubt")

    stage.play(story())

    assert stage.connection().engine_id == ""
