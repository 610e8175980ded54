"""What two processes do to each other on PostgreSQL, step by step; SQLite has one writer at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from app import outbox, outcomes
from app.identifiers import internal_id
from app.outcomes import AttemptOutcome
from pennywire import Accepted, Rejected

World = Any
pytestmark = pytest.mark.parametrize("database_url", [pytest.param("postgres_url", marks=pytest.mark.postgres)], indirect=True)
THREE = "a" * 400


@pytest.fixture
def beside() -> Any:
    """Start a function in a second thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def wait_until_blocked(world: World, other: Future[Any]) -> None:
    """Return when a session waits for a lock that another one holds."""
    pause = threading.Event()
    blocked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    while not other.done():
        with world.core.database.read() as session:
            waiting = session.execute(blocked).scalar_one()
        if waiting:
            return
        pause.wait(0.01)


def claim_beside(world: World, view: Any, room: int) -> Any:
    return world.core.database.run(
        lambda session: outbox.claim(session, view, token=world.tokens[view.id], room=room, ids=world.core.ids, now=world.now)
    )


def test_two_links_claim_segments_of_one_message(world: World, beside: Callable[..., Future[Any]]) -> None:
    """One begins the message, and its events stay without a gap."""
    world.user(credit="100")
    first, second = world.connection("one", "pair"), world.connection("two", "pair")
    world.route(targets=["pair"])
    number = world.send(THREE)

    with world.core.database.write() as session:
        mine = outbox.claim(session, first, token=world.tokens[first.id], room=2, ids=world.core.ids, now=world.now)
        theirs = beside(claim_beside, world, second, 5)
        wait_until_blocked(world, theirs)

    assert [item.segment_index for item in mine.submissions] == [0, 1]
    assert [item.segment_index for item in theirs.result().submissions] == [2]
    assert world.events(number) == ["queued", "sending"]


def test_segment_that_is_being_claimed_is_not_taken_for_unsent(world: World, beside: Callable[..., Future[Any]]) -> None:
    """Its sibling is refused at that moment: what has left counts as what it is."""
    world.user(credit="100")
    first, second = world.connection("one", "pair"), world.connection("two", "pair")
    world.route(targets=["pair"], cost="2")
    number = world.send("a" * 200)
    (refused,) = world.claim(first, 1)

    with world.core.database.write() as session:
        (other,) = outbox.claim(session, second, token=world.tokens[second.id], room=1, ids=world.core.ids, now=world.now).submissions
        refusal = AttemptOutcome(refused.attempt_id, number, 0, first.id, Rejected("11", "no"))
        work = lambda own: outcomes.record_outcomes(own, world.core.snapshots.present(), [refusal], now=world.now)  # noqa: E731
        recorded = beside(world.core.database.run, work)
        wait_until_blocked(world, recorded)
    recorded.result()
    world.answer(second, (other, Accepted("b")))

    assert internal_id(other.message_id) == number
    assert [segment.state for segment in world.segments(number)] == ["rejected", "sent"]
    assert world.money() == ("98", "0")


def test_same_outcome_recorded_twice_at_once_ends_the_charge_once(world: World, beside: Callable[..., Future[Any]]) -> None:
    """Who ends the reservation? The second finds the place taken."""
    world.user(credit="100")
    line = world.connection()
    world.route(cost="2")
    number = world.send()
    (submission,) = world.claim(line)
    snapshot = world.core.snapshots.present()
    accepted = AttemptOutcome(submission.attempt_id, number, 0, line.id, Accepted("a"))
    refused = AttemptOutcome(submission.attempt_id, number, 0, line.id, Rejected("11", "no"))

    with world.core.database.write() as session:
        outcomes.record_outcomes(session, snapshot, [accepted], now=world.now)
        second = beside(world.core.database.run, lambda own: outcomes.record_outcomes(own, snapshot, [refused], now=world.now))
        wait_until_blocked(world, second)
    second.result()

    assert world.message(number).state == "sent"
    assert world.money() == ("98", "0")


def test_configuration_is_read_as_of_one_moment(world: World) -> None:
    """A change that comes between two of the reader's statements is in all of the snapshot or in none of it."""
    world.user(credit="100")
    world.connection()
    world.route(cost="2")
    from app import administration, snapshot  # noqa: PLC0415

    with world.core.database.read() as session:
        before = snapshot.version(session)
        with world.core.database.write() as other:
            administration.edit_user(other, "anna", active=False, now=world.now, actor="test")
        seen = snapshot.read(session, world.core.plugins)

    assert (seen.version, seen.users["anna"].active) == (before, True)
    assert not world.core.snapshots.reload().users["anna"].active
