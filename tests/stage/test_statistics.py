"""The statistics: every event counted once, in the quarter of an hour in which it happened, and equal to the rows."""

import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from app import journal, statistics
from app.engine.statistician import EVERY_S, Statistician
from app.lifecycle import ChargeOn, NoCredit, Remedy, Terms
from app.models import JournalCursor, JournalEvent, QuarterSums, Route
from app.outcomes import DOUBT_DEADLINE_S
from app.statistics import COLUMNS, EVERYBODY, Sums, Totals
from app.statistics.counting import sums_of
from app.statistics.figures import quarter_of, start_of
from pennywire import Draft, Incoming, OutcomeUnknown, Rejected, Report, ReportState

World = Any


def count(world: World) -> int:
    return statistics.catch_up(world.core.database, now=world.now)


def totals(world: World, user: str = "anna", *, since: datetime | None = None, hours: int = 24) -> Totals:
    view = world.core.snapshots.present().users[user]
    start = since or start_of(quarter_of(world.now - timedelta(hours=hours - 1)))
    with world.core.database.read() as session:
        return statistics.total(session, start, start + timedelta(hours=hours), user_id=view.id)


def sums(**values: int) -> Sums:
    return Sums(**values)


def check(world: World) -> list[statistics.Difference]:
    with world.core.database.read() as session:
        return statistics.check(session)


def change_route(world: World, name: str = "all", targets: tuple[str, ...] = ("wire",), *, inward: bool = False, **values: Any) -> None:
    """Change a route, or add it where there is none of that name."""
    with world.core.database.read() as session:
        number = session.execute(select(Route.id).where(Route.name == name)).scalar()
    world.route(name, targets, inward=inward, route_id=number, **values)


@pytest.fixture
def checked(world: World) -> Iterator[World]:
    """A world whose sums must be what its rows say when the test is over, counted or not."""
    yield world
    assert check(world) == []
    count(world)
    assert check(world) == []


def deliver(world: World, line: Any, network_id: str, state: ReportState = ReportState.DELIVERED) -> None:
    world.report(line, Report((network_id,), state, "", world.now, ""))


def test_what_becomes_of_messages_is_counted_when_it_happens(checked: World, line: Any) -> None:
    world = checked
    for text_ in ("one", "two", "three"):
        world.send(text_)
    world.accept(line, "a", "b", "c")
    world.now += timedelta(minutes=30)
    deliver(world, line, "a")
    deliver(world, line, "b", ReportState.UNDELIVERABLE)

    count(world)

    first = totals(world, since=start_of(quarter_of(world.now - timedelta(minutes=30))), hours=1)
    assert first.outbound == sums(
        accepted_count=3,
        accepted_segment_count=3,
        sent_count=3,
        sent_segment_count=3,
        delivered_count=1,
        delivered_segment_count=1,
        undeliverable_count=1,
        undeliverable_segment_count=1,
        charged_uc=6_000_000,
        settled_uc=6_000_000,
        standing_sent_count=1,
        standing_delivered_count=1,
        standing_failed_count=1,
    )
    with world.core.database.read() as session:
        start = start_of(quarter_of(world.now - timedelta(minutes=30)))
        by_quarter = statistics.over_time(session, [start, start + timedelta(minutes=15), start + timedelta(minutes=45)], user_id=EVERYBODY)
    assert [one.outbound.sent_count for one in by_quarter] == [3, 0]
    assert [one.outbound.delivered_count for one in by_quarter] == [0, 1]
    # Where they stand belongs to the quarter in which they were accepted.
    assert [one.outbound.standing_delivered_count for one in by_quarter] == [1, 0]


def test_refusals_releases_and_refunds_are_counted_with_their_amounts(checked: World, line: Any) -> None:
    world = checked
    change_route(world, cost="1.000001", terms=Terms(undeliverable=Remedy.REFUND))
    world.send("refused")
    world.send("a text so long that it needs more than a single segment, " * 4)
    (refused,) = world.claim(line, 1)
    world.answer(line, (refused, Rejected("11", "no")))
    world.accept(line, "x", "y")
    deliver(world, line, "x", ReportState.UNDELIVERABLE)
    deliver(world, line, "y", ReportState.UNDELIVERABLE)

    count(world)

    found = totals(world).outbound
    assert (found.rejected_count, found.undeliverable_count, found.undeliverable_segment_count) == (1, 1, 2)
    assert (found.charged_uc, found.released_uc, found.settled_uc, found.refunded_uc) == (
        3_000_003,
        1_000_001,
        2_000_002,
        2_000_002,
    )
    assert found.used_uc == 0
    assert (found.standing_failed_count, found.standing_sent_count, found.standing_waiting_count) == (2, 0, 0)


def test_doubt_expiry_and_withdrawal_are_counted(checked: World, line: Any) -> None:
    world = checked
    world.send("doubtful")
    (submission,) = world.claim(line, 1)
    world.answer(line, (submission, OutcomeUnknown("No answer came.")))
    world.send("later", send_at=world.now + timedelta(hours=2))
    world.sweep(after=timedelta(seconds=DOUBT_DEADLINE_S + 1))

    count(world)

    found = totals(world, hours=48).outbound
    assert (found.in_doubt_count, found.expired_count, found.accepted_count) == (1, 1, 2)
    assert (found.standing_failed_count, found.standing_waiting_count) == (1, 1)


def test_received_messages_are_counted_with_what_they_cost(checked: World, line: Any) -> None:
    world = checked
    change_route(world, "in", ("anna",), inward=True, cost="0.5")
    world.receive(line, Incoming("+36301112233", "+36209000100", text="one"))
    change_route(world, "in", ("anna",), inward=True, cost="-0.25")
    world.receive(line, Incoming("+36301112233", "+36209000100", text="two"))
    world.user("poor", credit="0")
    change_route(world, "in", ("poor",), inward=True, cost="1", no_credit=NoCredit.REFUSE)
    world.receive(line, Incoming("+36301112233", "+36209000100", text="three"))

    count(world)

    found = totals(world).inbound
    assert (found.accepted_count, found.accepted_segment_count, found.charged_uc, found.settled_uc) == (2, 2, 500_000, 250_000)
    assert totals(world, "poor").inbound == sums(accepted_count=1, accepted_segment_count=1, rejected_count=1, rejected_segment_count=1)


def test_amounts_are_read_exactly(checked: World, line: Any) -> None:
    """The journal tells amounts as decimal text; the largest and the smallest come out as they went in."""
    world = checked
    world.user("rich", credit="1000000000")
    for cost in ("999999.999999", "0.000001", "0.1", "3", "12.345"):
        change_route(world, cost=cost)
        world.send(user="rich")
    world.accept(line, *"abcde")

    count(world)

    wanted_uc = 999_999_999_999 + 1 + 100_000 + 3_000_000 + 12_345_000
    assert totals(world, "rich").outbound.charged_uc == wanted_uc
    assert totals(world, "rich").outbound.settled_uc == wanted_uc


def test_the_provider_is_who_took_the_message(checked: World, line: Any) -> None:
    world = checked
    change_route(world, targets=("*",), cost="2")
    world.send()
    world.accept(line, "a")

    count(world)

    view = world.core.snapshots.present().users["anna"]
    with world.core.database.read() as session:
        start = start_of(quarter_of(world.now))
        found = statistics.by_provider(session, start, start + timedelta(hours=1), user_id=view.id)
        routes = statistics.by_route(session, start, start + timedelta(hours=1), user_id=view.id)
    assert {name: (one.outbound.accepted_count, one.outbound.sent_count) for name, one in found.items()} == {"*": (1, 0), "wire": (0, 1)}
    assert [one.outbound.sent_count for one in routes.values()] == [1]


def test_counting_again_and_in_small_steps_counts_nothing_twice(checked: World, line: Any) -> None:
    world = checked
    for _ in range(3):
        world.send()
    world.accept(line, "a", "b")
    database = world.core.database

    steps = 0
    while statistics.count_next(database, now=world.now, limit=2):
        steps += 1
    again = count(world)

    assert steps >= 4
    assert again == 0
    assert totals(world).outbound.accepted_count == 3
    assert totals(world, hours=24).outbound.sent_count == 2


@pytest.mark.usefixtures("line")
def test_of_two_that_count_the_same_stretch_only_one_adds_it(checked: World) -> None:
    world = checked
    world.send()
    with world.core.database.read() as session:
        span = journal.next_span(session, statistics.CONSUMER, 100)
        counted = sums_of(session, span)
    count(world)

    with world.core.database.write() as session:
        moved = journal.pass_span(session, statistics.CONSUMER, span, now=world.now)

    assert counted
    assert not moved
    assert totals(world).outbound.accepted_count == 1


@pytest.mark.usefixtures("line")
def test_sums_and_cursor_stay_or_go_together(checked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = checked
    world.send()

    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("app.statistics.counting.add_rows", fail)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            count(world)

    assert totals(world).outbound.accepted_count == 0
    assert count(world) > 0
    assert totals(world).outbound.accepted_count == 1


def test_a_rebuild_makes_the_same_sums_again(checked: World, line: Any) -> None:
    world = checked
    world.send()
    world.accept(line, "a")
    deliver(world, line, "a")
    count(world)
    with world.core.database.read() as session:
        before = session.execute(select(QuarterSums.__table__).order_by(*QuarterSums.__table__.primary_key)).all()
    told: list[tuple[int, int]] = []

    done = statistics.rebuild(world.core.database, now=world.now, progress=lambda *numbers: told.append(numbers))

    with world.core.database.read() as session:
        after = session.execute(select(QuarterSums.__table__).order_by(*QuarterSums.__table__.primary_key)).all()
        events = session.execute(text("SELECT COUNT(*) FROM events")).scalar_one()
    assert before == after
    assert done == events
    assert told[-1] == (events, events)


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize("column", ["accepted_count", "settled_uc", "standing_sent_count", "delivered_count"])
def test_the_check_finds_a_sum_that_is_wrong(world: World, column: str) -> None:
    world.send()
    count(world)
    view = world.core.snapshots.present().users["anna"]
    with world.core.database.write() as session:
        session.execute(update(QuarterSums).where(QuarterSums.user_id == view.id).values({column: getattr(QuarterSums, column) + 7}))

    (found,) = check(world)

    assert (found.user_id, found.direction, found.column, found.found - found.expected) == (view.id, "outbound", column, 7)
    statistics.rebuild(world.core.database, now=world.now)
    assert check(world) == []


@pytest.mark.usefixtures("line")
def test_the_check_finds_a_day_that_is_missing(world: World) -> None:
    world.send()
    count(world)
    with world.core.database.write() as session:
        session.execute(delete(QuarterSums).where(QuarterSums.user_id == EVERYBODY))

    assert {item.user_id for item in check(world)} == {EVERYBODY}


@pytest.mark.usefixtures("line")
def test_pages_learn_since_when_nothing_was_counted(world: World) -> None:
    count(world)
    with world.core.database.read() as session:
        assert statistics.uncounted_since(session) is None

    world.now += timedelta(minutes=5)
    world.send()

    with world.core.database.read() as session:
        assert statistics.uncounted_since(session) == world.now


@pytest.mark.usefixtures("line")
def test_the_duty_counts_and_then_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send()
    duty = Statistician(world.core)
    monkeypatch.setattr("app.engine.statistician.AT_ONCE", 2)

    began = time.monotonic()
    pauses = [duty.turn() for _ in range(3)]

    # There was more, and messages keep the processor meanwhile.
    assert 0.0 < pauses[0] < 3 * (time.monotonic() - began)
    assert pauses[-1] == EVERY_S
    with world.core.database.read() as session:
        cursor = session.get_one(JournalCursor, statistics.CONSUMER)
        assert cursor.position == session.execute(select(JournalEvent.id).order_by(JournalEvent.id.desc())).scalars().first()


def test_handset_terms_settle_when_the_handset_has_it(checked: World, line: Any) -> None:
    world = checked
    change_route(world, cost="3", terms=Terms(charge_on=ChargeOn.HANDSET))
    world.send()
    world.accept(line, "a")
    count(world)
    assert totals(world).outbound.settled_uc == 0

    deliver(world, line, "a")

    count(world)
    assert totals(world).outbound.settled_uc == 3_000_000


def test_the_columns_are_those_of_the_table() -> None:
    names = [column.name for column in QuarterSums.__table__.columns]

    assert tuple(names[5:]) == COLUMNS == tuple(item.name for item in fields(Sums))


@pytest.mark.usefixtures("line")
def test_a_draft_of_nobody_counts_nothing(world: World) -> None:
    """A refusal is no message: it is neither counted nor charged."""
    world.user("poor", credit="1")
    world.submit(Draft("+36201234567", "too dear"), user="poor")

    count(world)

    assert totals(world, "poor") == Totals()
    assert check(world) == []


def test_a_moment_lies_in_its_quarter() -> None:
    moment = datetime(2026, 3, 1, 12, 14, 59, 999_999, tzinfo=UTC)

    assert start_of(quarter_of(moment)) == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
